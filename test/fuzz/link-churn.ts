import { SeededRandom } from "../../src/base/index.ts";
import { isSameNode } from "../../src/identity/index.ts";
import type { Link, LinkHost, LinkStream } from "../../src/link/index.ts";
import { StreamPath } from "../../src/link/relay/stream-path.ts";
import { CLEAN_LINE, type VirtualNat } from "../../src/testing/index.ts";
import { AGES_MS, Churn } from "./churn.ts";
import { ChurnNode } from "./link-churn-node.ts";
import { type LinkChurnPlan, planOf } from "./link-churn-plan.ts";

const NODES = 3;

/** Three link hosts from their start to their end, with everything that may befall their links. */
export class LinkChurn extends Churn {
  readonly plan: LinkChurnPlan;
  readonly #nodes: ChurnNode[] = [];
  readonly #nat: VirtualNat | undefined;

  /** @param isBlind the canary: what comes is compared with what nobody has written */
  constructor(seed: number, { isBlind = false } = {}) {
    const random = new SeededRandom(seed);
    const plan = planOf(random);
    super({ seed, random, line: plan.line, isBlind });
    this.plan = plan;
    const { clock } = this;
    const { isBehindNat, limits } = plan;
    const kind = "port-restricted";
    if (isBehindNat) this.#nat = this.network.addNat({ outer: "203.0.113.1", kind });
    for (let at = 0; at < NODES; at++) {
      const behind = at === 0 ? this.#nat : undefined;
      const addresses = [behind ? "192.168.1.2" : `192.0.2.${at + 1}`];
      const vhost = this.network.addHost({ addresses, ...(behind && { behind }) });
      this.#nodes.push(new ChurnNode({ random: random.fork(at), vhost, clock, limits }));
    }
  }

  protected get hosts(): readonly LinkHost[] {
    return this.#nodes.flatMap(({ host }) => host ?? []);
  }

  async run(): Promise<readonly string[]> {
    for (const node of this.#nodes) await this.#start(node);
    for (let turn = 0; turn < this.plan.turns; turn++) {
      this.#act();
      const isHasty = this.plan.isHasty && this.random.below(12) < 11;
      await this.pass(isHasty ? this.random.below(300) : this.pauseMs());
    }
    await this.#heal();
    await this.#end();
    return this.faults;
  }

  async #start(node: ChurnNode): Promise<void> {
    const host = await node.start();
    host.handle("relay", (stream) => void this.#relay(host, stream));
    host.handle("relayed", (stream) => {
      const { peer: via } = stream.link;
      const options = { isInitiator: false, isRelayed: true, via };
      void this.watch("attach", host.attach(new StreamPath(stream), options));
    });
    host.handle("fresh", (stream) => void stream.on("error", () => {}).pipe(stream));
  }

  /** Joins the stream with one to the third node. */
  async #relay(host: LinkHost, stream: LinkStream): Promise<void> {
    stream.on("error", () => {});
    const { peer } = stream.link;
    const to = host.links().find((link) => link.isOpen && !isSameNode(link.peer, peer));
    const onward = to && (await this.watch("relay", to.openStream("relayed")));
    if (onward === undefined) {
      stream.destroy();
      return;
    }
    onward.on("error", () => {});
    stream.pipe(onward).pipe(stream);
    stream.on("close", () => onward.destroy());
    onward.on("close", () => stream.destroy());
  }

  #act(): void {
    const dice = this.random.below(22);
    if (dice < 5) this.#dial();
    else if (dice < 13) this.#open();
    else if (dice < 16) this.#trouble();
    else if (dice === 16) this.#closeLink();
    else if (dice === 17) this.touch();
    else if (dice === 18) this.#linkOf()?.link.sendDatagram("d", new Uint8Array(100));
    else this.#upgrade();
  }

  #addressesOf(host: LinkHost, node: ChurnNode): LinkHost["addresses"] {
    const carriers = this.one([["udp"], ["tcp"], ["udp", "tcp"]]) ?? [];
    return addressesOf(host, node).filter(({ carrier }) => carriers.includes(carrier));
  }

  #dial(): void {
    const from = this.one(this.#nodes);
    const to = this.one(this.#nodes.filter((node) => node !== from));
    const isMutual = this.random.below(4) === 0;
    for (const [a, b] of isMutual ? [[from, to] as const, [to, from] as const] : [[from, to]]) {
      if (!a?.host || !b?.host || a.clock.isAsleep) continue;
      const addresses = this.#addressesOf(b.host, b);
      const publicKey = this.random.below(2) === 0 ? b.identity.publicKey : undefined;
      const target = { id: b.host.id, addresses, signal: this.signal() };
      void this.watch("dial", a.host.dial({ ...target, ...(publicKey && { publicKey }) }));
    }
  }

  #linkOf(): { node: ChurnNode; link: Link } | undefined {
    const all = this.#nodes
      .filter(({ clock }) => !clock.isAsleep)
      .flatMap((node) => (node.host?.links() ?? []).map((link) => ({ node, link })));
    return this.one(all);
  }

  #peerOf(link: Link): ChurnNode | undefined {
    return this.#nodes.find(({ host }) => host !== undefined && isSameNode(host.id, link.peer));
  }

  #open(): void {
    const link = this.#linkOf()?.link;
    if (link === undefined) this.#dial();
    else this.openStream(link, this.#peerOf(link)?.host);
  }

  #closeLink(): void {
    const graceful = this.random.below(2) === 0;
    const link = this.#linkOf()?.link;
    if (link !== undefined) void this.watch("close", link.close({ graceful }));
  }

  #upgrade(): void {
    const found = this.#linkOf();
    const host = found?.node.host;
    if (found === undefined || host === undefined) return;
    const { link } = found;
    const peer = this.#peerOf(link);
    const signal = this.signal();
    const relay = host.links().find((other) => other.isOpen && !isSameNode(other.peer, link.peer));
    if (relay !== undefined && this.random.below(2) === 0) {
      void this.watch("open relay", relay.openStream("relay", { signal })).then((stream) => {
        if (stream === undefined) return;
        const connection = new StreamPath(stream);
        const path = { connection, isRelayed: true, via: relay.peer, signal };
        void this.watch("upgrade", host.upgrade(link, path));
      });
    } else if (peer?.host) {
      const addresses = this.#addressesOf(peer.host, peer);
      void this.watch("upgrade", host.upgrade(link, { addresses, signal }));
    }
  }

  #trouble(): void {
    const node = this.one(this.#nodes);
    if (node === undefined) return;
    const ms = this.troubleMs();
    switch (this.random.below(7)) {
      case 0:
        this.network.partition([node.vhost]);
        this.later(ms, () => this.network.heal());
        break;
      case 1:
        if (node.host !== undefined) node.cut();
        break;
      case 2:
        this.#sleep(node, ms);
        break;
      case 3:
        this.#kill(node, ms);
        break;
      case 4:
        this.#nat?.rebind(this.newHost("203.0.113", 2));
        break;
      case 5:
        if (node === this.#nodes[0] && this.#nat !== undefined) break;
        this.network.move(node.vhost, { addresses: [this.newHost("198.51.100", 1)] });
        break;
      default:
        this.worsen(node.vhost, ms);
    }
  }

  #sleep(node: ChurnNode, ms: number): void {
    if (node.clock.isAsleep || node.host === undefined) return;
    node.clock.isAsleep = true;
    node.vhost.isOnline = false;
    this.later(ms, () => this.#wake(node));
  }

  #wake(node: ChurnNode): void {
    if (!node.clock.isAsleep) return;
    node.clock.wake();
    if (node.host !== undefined) node.vhost.isOnline = true;
  }

  #kill(node: ChurnNode, ms: number): void {
    if (node.host === undefined || node.clock.isAsleep) return;
    node.kill();
    this.later(ms, () => void this.#revive(node));
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
    await this.pass(61_000);
    this.network.heal();
    if (this.#nat !== undefined) this.#nat.line.profile = CLEAN_LINE;
    for (const node of this.#nodes) {
      this.#wake(node);
      node.vhost.line.profile = CLEAN_LINE;
      if (node.host === undefined) this.fault("a node is not back");
    }
    await this.judgePeace(AGES_MS, this.plan.limits);
    // The stream of a relayed path may stay with its link.
    const links = this.hosts.flatMap((host) => host.links());
    const counts = links.map(({ streamCount }) => streamCount).filter((count) => count > 0);
    const isRelaying = links.some(({ isRelayed }) => isRelayed);
    if (!isRelaying && counts.length > 0) this.fault(`streams left: ${counts}`);
    for (const to of this.#nodes.slice(1)) await this.#fresh(this.#nodes[0], to);
  }

  async #fresh(from: ChurnNode | undefined, to: ChurnNode): Promise<void> {
    const { host } = to;
    const near = from?.host;
    if (near === undefined || host === undefined) return;
    await this.fresh(() => near.dial({ id: host.id, addresses: addressesOf(host, to) }));
  }

  async #end(): Promise<void> {
    for (const host of this.hosts) {
      void this.watch("close host", host.close({ graceful: this.random.below(2) === 0 }));
    }
    await this.pass(AGES_MS);
    for (const host of this.hosts) this.expectClosed(host);
    this.expectNothing();
  }
}

function addressesOf(host: LinkHost, { vhost }: ChurnNode): LinkHost["addresses"] {
  const [at] = vhost.addresses;
  return host.addresses.map((address) => ({ ...address, host: at ?? address.host }));
}
