import { SeededRandom } from "../../src/base/index.ts";
import type { Link, LinkHost, LinkStream } from "../../src/link/index.ts";
import { StreamPath } from "../../src/link/relay/stream-path.ts";
import {
  CLEAN_LINE,
  Pattern,
  VirtualClock,
  type VirtualNat,
  VirtualNetwork,
} from "../../src/testing/index.ts";
import { abortingSignal } from "./aborting-signal.ts";
import { ChurnNode } from "./link-churn-node.ts";
import { type LinkChurnPlan, planOf } from "./link-churn-plan.ts";
import { endPlanOf, StreamEnd } from "./link-churn-stream.ts";
import { WatchedPromises } from "./watched-promises.ts";

const FRESH_BYTES = 1_000_000;
const NODES = 3;
/** Longer than every time of a link. */
const AGES_MS = 200_000;

/** Three link hosts from their start to their end, with everything that may befall their links. */
export class LinkChurn {
  readonly plan: LinkChurnPlan;
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly faults: string[] = [];
  readonly #random: SeededRandom;
  readonly #nodes: ChurnNode[] = [];
  readonly #nat: VirtualNat | undefined;
  readonly #ends: StreamEnd[] = [];
  readonly #promises = new WatchedPromises((what) => this.#fault(what));
  readonly #isBlind: boolean;
  #streams = 0;
  #moves = 0;

  /** @param isBlind the canary: what comes is compared with what nobody has written */
  constructor(seed: number, { isBlind = false } = {}) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#isBlind = isBlind;
    this.plan = planOf(random);
    const { clock } = this;
    this.network = new VirtualNetwork({ clock, seed, line: this.plan.line });
    const { isBehindNat, limits } = this.plan;
    const kind = "port-restricted";
    if (isBehindNat) this.#nat = this.network.addNat({ outer: "203.0.113.1", kind });
    for (let at = 0; at < NODES; at++) {
      const behind = at === 0 ? this.#nat : undefined;
      const addresses = [behind ? "192.168.1.2" : `192.0.2.${at + 1}`];
      const vhost = this.network.addHost({ addresses, ...(behind && { behind }) });
      this.#nodes.push(new ChurnNode({ random: random.fork(at), vhost, clock, limits }));
    }
  }

  async run(): Promise<readonly string[]> {
    for (const node of this.#nodes) await this.#start(node);
    for (let turn = 0; turn < this.plan.turns; turn++) {
      this.#act();
      await this.#pass(this.#pauseMs());
    }
    await this.#heal();
    await this.#end();
    return this.faults;
  }

  #fault(what: string): void {
    const at = Math.round(this.clock.now());
    if (this.faults.length < 20) this.faults.push(`${what} at ${at}`);
  }

  #pass(ms: number): Promise<void> {
    return this.clock.runUntil(this.clock.now() + ms);
  }

  #pauseMs(): number {
    const dice = this.#random.below(12);
    if (this.plan.isHasty && dice < 11) return this.#random.below(300);
    if (dice === 0) return this.#random.below(60_000);
    return dice < 5 ? this.#random.below(5_000) : this.#random.below(100);
  }

  #watch<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    return this.#promises.watch(name, promise);
  }

  async #start(node: ChurnNode): Promise<void> {
    const host = await node.start();
    host.handle("relay", (stream) => void this.#relay(host, stream));
    host.handle("relayed", (stream) => {
      const { peer: via } = stream.link;
      const options = { isInitiator: false, isRelayed: true, via };
      void this.#watch("attach", host.attach(new StreamPath(stream), options));
    });
    host.handle("fresh", (stream) => void stream.on("error", () => {}).pipe(stream));
  }

  /** Joins the stream with one to the third node. */
  async #relay(host: LinkHost, stream: LinkStream): Promise<void> {
    stream.on("error", () => {});
    const { peer } = stream.link;
    const to = host.links().find((link) => link.isOpen && Buffer.compare(link.peer, peer) !== 0);
    const onward = to && (await this.#watch("relay", to.openStream("relayed")));
    if (onward === undefined) {
      stream.destroy();
      return;
    }
    onward.on("error", () => {});
    stream.pipe(onward).pipe(stream);
    stream.on("close", () => onward.destroy());
    onward.on("close", () => stream.destroy());
  }

  #one<T>(values: readonly T[]): T | undefined {
    return values[this.#random.below(values.length)];
  }

  #act(): void {
    const dice = this.#random.below(22);
    if (dice < 5) this.#dial();
    else if (dice < 13) this.#openStream();
    else if (dice < 16) this.#trouble();
    else if (dice === 16) this.#closeLink();
    else if (dice < 19) this.#touch();
    else this.#upgrade();
  }

  #addressesOf(host: LinkHost, node: ChurnNode): LinkHost["addresses"] {
    const carriers = this.#one([["udp"], ["tcp"], ["udp", "tcp"]]) ?? [];
    const [at] = node.vhost.addresses;
    return host.addresses
      .filter(({ carrier }) => carriers.includes(carrier))
      .map((address) => ({ ...address, host: at ?? address.host }));
  }

  #dial(): void {
    const from = this.#one(this.#nodes);
    const to = this.#one(this.#nodes.filter((node) => node !== from));
    const isMutual = this.#random.below(4) === 0;
    for (const [a, b] of isMutual ? [[from, to] as const, [to, from] as const] : [[from, to]]) {
      if (!a?.host || !b?.host || a.clock.isAsleep) continue;
      const addresses = this.#addressesOf(b.host, b);
      const publicKey = this.#random.below(2) === 0 ? b.identity.publicKey : undefined;
      const target = { id: b.host.id, addresses, signal: abortingSignal(this.#random, this.clock) };
      void this.#watch("dial", a.host.dial({ ...target, ...(publicKey && { publicKey }) }));
    }
  }

  #linkOf(): { node: ChurnNode; link: Link } | undefined {
    const all = this.#nodes
      .filter(({ clock }) => !clock.isAsleep)
      .flatMap((node) => (node.host?.links() ?? []).map((link) => ({ node, link })));
    return this.#one(all);
  }

  #openStream(): void {
    const link = this.#linkOf()?.link;
    if (link === undefined) {
      this.#dial();
      return;
    }
    const number = this.#streams++;
    const protocol = `s-${number}`;
    const [here, there] = [endPlanOf(this.#random), endPlanOf(this.#random)];
    const seeds = { out: 2 * number, in: 2 * number + 1 };
    const fault = (what: string): void => this.#fault(what);
    const { clock } = this;
    let far: StreamEnd | undefined;
    let near: StreamEnd | undefined;
    const accept = (stream: LinkStream): void => {
      if (far !== undefined) this.#fault(`stream ${number} is opened twice`);
      const flipped = { out: seeds.in, in: seeds.out + (this.#isBlind ? 1 : 0) };
      const name = `${number} far`;
      far = new StreamEnd({ stream, plan: there, name, clock, seeds: flipped, fault });
      this.#join(far, near);
    };
    const peer = this.#nodes.find(({ host }) => sameId(host, link));
    const isKnown = this.#random.below(15) > 0;
    const cancel = isKnown ? peer?.host?.handle(protocol, accept) : undefined;
    if (cancel !== undefined && this.#random.below(10) === 0) {
      clock.schedule(clock.now() + this.#random.below(200), cancel);
    }
    const priority = this.#one(["urgent", "normal", "bulk"] as const) ?? "normal";
    const opened = this.#watch(
      "open",
      link.openStream(protocol, { priority, signal: abortingSignal(this.#random, this.clock) }),
    );
    void opened.then((stream) => {
      if (stream === undefined) return;
      near = new StreamEnd({ stream, plan: here, name: `${number} near`, clock, seeds, fault });
      this.#join(near, far);
    });
  }

  #join(end: StreamEnd, other: StreamEnd | undefined): void {
    this.#ends.push(end);
    end.peer = other;
    if (other !== undefined) other.peer = end;
  }

  #touch(): void {
    const end = this.#one(this.#ends.filter(({ isClosed }) => !isClosed));
    const dice = this.#random.below(4);
    if (dice === 0) end?.destroy();
    else if (dice === 1) end?.end();
    else this.#linkOf()?.link.sendDatagram("d", new Uint8Array(100));
  }

  #closeLink(): void {
    const graceful = this.#random.below(2) === 0;
    const link = this.#linkOf()?.link;
    if (link !== undefined) void this.#watch("close", link.close({ graceful }));
  }

  #upgrade(): void {
    const found = this.#linkOf();
    const host = found?.node.host;
    if (found === undefined || host === undefined) return;
    const { link } = found;
    const peer = this.#nodes.find((other) => sameId(other.host, link));
    const signal = abortingSignal(this.#random, this.clock);
    const relay = host.links().find((other) => other.isOpen && !sameId(peer?.host, other));
    if (relay !== undefined && this.#random.below(2) === 0) {
      void this.#watch("open relay", relay.openStream("relay", { signal })).then((stream) => {
        if (stream === undefined) return;
        const connection = new StreamPath(stream);
        const path = { connection, isRelayed: true, via: relay.peer, signal };
        void this.#watch("upgrade", host.upgrade(link, path));
      });
    } else if (peer?.host) {
      const addresses = this.#addressesOf(peer.host, peer);
      void this.#watch("upgrade", host.upgrade(link, { addresses, signal }));
    }
  }

  #trouble(): void {
    const node = this.#one(this.#nodes);
    if (node === undefined) return;
    const random = this.#random;
    const ms = random.below(2) === 0 ? random.below(3_000) : random.below(60_000);
    const later = (run: () => void): void => void this.clock.schedule(this.clock.now() + ms, run);
    switch (random.below(7)) {
      case 0:
        this.network.partition([node.vhost]);
        later(() => this.network.heal());
        break;
      case 1:
        if (node.host !== undefined) node.cut();
        break;
      case 2:
        this.#sleep(node, later);
        break;
      case 3:
        this.#kill(node, later);
        break;
      case 4:
        this.#nat?.rebind(`203.0.113.${2 + (this.#moves++ % 200)}`);
        break;
      case 5:
        this.#move(node);
        break;
      default: {
        const { profile } = node.vhost.line;
        node.vhost.line.profile = { ...CLEAN_LINE, ...profile, loss: 0.5, delayMs: 300 };
        later(() => {
          node.vhost.line.profile = { ...CLEAN_LINE, ...this.plan.line };
        });
      }
    }
  }

  #move(node: ChurnNode): void {
    if (node === this.#nodes[0] && this.#nat !== undefined) return;
    this.network.move(node.vhost, { addresses: [`198.51.100.${1 + (this.#moves++ % 200)}`] });
  }

  #sleep(node: ChurnNode, later: (run: () => void) => void): void {
    if (node.clock.isAsleep || node.host === undefined) return;
    node.clock.isAsleep = true;
    node.vhost.isOnline = false;
    later(() => this.#wake(node));
  }

  #wake(node: ChurnNode): void {
    if (!node.clock.isAsleep) return;
    node.clock.wake();
    if (node.host !== undefined) node.vhost.isOnline = true;
  }

  #kill(node: ChurnNode, later: (run: () => void) => void): void {
    if (node.host === undefined || node.clock.isAsleep) return;
    node.kill();
    later(() => void this.#revive(node));
  }

  async #revive(node: ChurnNode): Promise<void> {
    await Promise.all(node.closed);
    if (node.host !== undefined) return;
    node.vhost.closeAll();
    node.vhost.isOnline = true;
    await this.#start(node);
  }

  /** All is well from now on: what is new has to work. */
  async #heal(): Promise<void> {
    await this.#pass(61_000);
    this.network.heal();
    if (this.#nat !== undefined) this.#nat.line.profile = CLEAN_LINE;
    for (const node of this.#nodes) {
      this.#wake(node);
      node.vhost.line.profile = CLEAN_LINE;
      if (node.host === undefined) this.#fault("a node is not back");
    }
    await this.#pass(AGES_MS / 2);
    for (const end of this.#ends) end.noteProgress();
    await this.#pass(AGES_MS / 2);
    for (const end of this.#ends) end.judgeProgress();
    for (const end of this.#ends) end.destroy();
    await this.#pass(AGES_MS);
    for (const node of this.#nodes) {
      const counts = node.host?.links().map(({ streamCount }) => streamCount) ?? [];
      // The stream of a relayed path may stay with its link.
      const isRelaying = this.#nodes.some(({ host }) => host?.links().some((l) => l.isRelayed));
      if (!isRelaying && counts.some((count) => count > 0)) this.#fault(`streams left: ${counts}`);
    }
    for (const end of this.#ends) {
      if (!end.isClosed) this.#fault(`${end.name} is not closed`);
      if (end.pending > 0) this.#fault(`${end.name} has ${end.pending} writes`);
    }
    for (const to of this.#nodes.slice(1)) await this.#fresh(this.#nodes[0], to);
  }

  /** A stream of a link that is there or made carries what it is given, both ways. */
  async #fresh(from: ChurnNode | undefined, to: ChurnNode): Promise<void> {
    if (!from?.host || !to.host) return;
    const [host] = to.vhost.addresses;
    const addresses = to.host.addresses.map((one) => ({ ...one, host: host ?? one.host }));
    let received = 0;
    let isOver = false;
    const target = { id: to.host.id, addresses };
    const work = async (): Promise<void> => {
      const link = await from.host?.dial(target);
      const stream = await link?.openStream("fresh");
      stream?.on("error", (error) => this.#fault(`fresh: ${error}`));
      stream?.on("close", () => {
        isOver = true;
      });
      stream?.on("data", (bytes: Uint8Array) => {
        received += bytes.length;
      });
      stream?.end(new Pattern(1).bytes(0, FRESH_BYTES));
    };
    void this.#watch("fresh", work());
    await this.#pass(60_000);
    if (received !== FRESH_BYTES || !isOver) this.#fault(`fresh: ${received} came, ${isOver}`);
  }

  async #end(): Promise<void> {
    for (const { host } of this.#nodes) {
      const graceful = this.#random.below(2) === 0;
      if (host !== undefined) void this.#watch("close host", host.close({ graceful }));
    }
    await this.#pass(AGES_MS);
    for (const { host, handshakes, sources } of this.#nodes) {
      if ((host?.links().length ?? 0) > 0) this.#fault("links are left");
      if (handshakes > 0) this.#fault(`${handshakes} handshakes are left`);
      if (sources > 0) this.#fault(`${sources} sources are counted for nothing`);
    }
    const { open } = this.#promises;
    if (open.length > 0) this.#fault(`not settled: ${open}`);
    if (this.clock.pending > 0) this.#fault(`${this.clock.pending} timers are left`);
  }
}

function sameId(host: LinkHost | undefined, link: Link): boolean {
  return host !== undefined && Buffer.compare(host.id, link.peer) === 0;
}
