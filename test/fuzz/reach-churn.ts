import { SeededRandom } from "../../src/base/index.ts";
import { Directory, isSameNode, NodeDescriptor } from "../../src/identity/index.ts";
import type { Link, LinkStream } from "../../src/link/index.ts";
import { PUNCH_LIMITS } from "../../src/link/index.ts";
import {
  CLEAN_LINE,
  Pattern,
  VirtualClock,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
} from "../../src/testing/index.ts";
import { abortingSignal } from "./aborting-signal.ts";
import { endPlanOf, StreamEnd } from "./link-churn-stream.ts";
import { type Life, ReachChurnNode } from "./reach-churn-node.ts";
import { planOf, type ReachChurnPlan } from "./reach-churn-plan.ts";
import { RudeNode, VICTIM_PORTS } from "./reach-churn-rude.ts";
import { WatchedPromises } from "./watched-promises.ts";

const GEOMETRY = { cellBytes: 1_900, onionBytes: 4_096, onionHopsMax: 5 };
const FRESH_BYTES = 300_000;
/** Longer than every time of a link, of a punch and of a place at a relay. */
const AGES_MS = 200_000;
/** A closed life waits for nothing after this: the longest pause before a path is replaced. */
const CLOSED_MS = 9_000;
/** A punch is over after this: an offer without an answer, then probes without an echo. */
const PUNCHED_MS = 11_000;

/** A defect that a life is given, which it has to see. */
export type ReachCanary = "wrong-byte" | "wrong-victim" | "left-timer";

/**
 * Nodes behind NATs that reach each other through relays and punch, with a rude one among them,
 * from their start to their end.
 */
export class ReachChurn {
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly faults: string[] = [];
  readonly plan: ReachChurnPlan;
  /** Links that were direct after they had been relayed: else nothing was punched. */
  punched = 0;
  readonly #random: SeededRandom;
  readonly #canary: ReachCanary | undefined;
  readonly #relay: ReachChurnNode;
  readonly #nodes: ReachChurnNode[] = [];
  readonly #nats: VirtualNat[] = [];
  readonly #rude: RudeNode;
  readonly #victim: VirtualHost;
  readonly #directory: Directory;
  readonly #ends: StreamEnd[] = [];
  readonly #promises = new WatchedPromises((what) => this.#fault(what));
  #hits = 0;
  #machines = 0;
  #streams = 0;
  #moves = 0;

  constructor(seed: number, canary?: ReachCanary) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#canary = canary;
    this.plan = planOf(random);
    const { clock } = this;
    this.network = new VirtualNetwork({ clock, seed, line: this.plan.line });
    this.#directory = new Directory({ unixMs: () => clock.unixMs() });
    this.#relay = this.#add("192.0.2.1", { isRelay: true });
    const rude = this.#add("192.0.2.66", {});
    for (const [at, kind] of this.plan.kinds.entries()) {
      if (kind === "open") this.#nodes.push(this.#add(`198.51.100.${1 + at}`, {}));
      else {
        const behind = this.network.addNat({ outer: `203.0.113.${1 + at}`, kind });
        this.#nats.push(behind);
        const hasUdp = random.below(6) > 0;
        const inner = random.below(2) === 0 ? 1 : 1 + at;
        this.#nodes.push(this.#add(`192.168.${inner}.2`, { behind, hasUdp }));
      }
    }
    this.#victim = this.network.addHost({ addresses: ["198.51.100.250"] });
    const nodes = [this.#relay, ...this.#nodes];
    this.#rude = new RudeNode(rude, { clock, random, victim: this.#victim, nodes });
  }

  async run(): Promise<readonly string[]> {
    for (const node of [this.#relay, ...this.#nodes]) await this.#start(node);
    await this.#rude.start();
    this.#describe(this.#rude.node);
    this.#watchVictim();
    await this.#pass(5_000);
    for (let turn = 0; turn < this.plan.turns; turn++) {
      this.#act();
      await this.#pass(this.#pauseMs());
    }
    await this.#heal();
    await this.#end();
    return this.faults;
  }

  #add(
    address: string,
    how: { isRelay?: boolean; hasUdp?: boolean; behind?: VirtualNat },
  ): ReachChurnNode {
    const { isRelay = false, hasUdp = true, behind } = how;
    const vhost = this.network.addHost({ addresses: [address], ...(behind && { behind }) });
    const random = this.#random.fork(this.#machines++);
    const { clock } = this;
    const lookup = this.#directory;
    const isBehindNat = behind !== undefined;
    return new ReachChurnNode({ random, vhost, clock, lookup, isBehindNat, isRelay, hasUdp });
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
    if (dice === 0) return this.#random.below(60_000);
    return dice < 6 ? this.#random.below(5_000) : this.#random.below(200);
  }

  #one<T>(values: readonly T[]): T | undefined {
    return values[this.#random.below(values.length)];
  }

  #watch<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    return this.#promises.watch(name, promise);
  }

  async #start(node: ReachChurnNode): Promise<void> {
    const { host } = await node.start();
    host.handle("fresh", (stream) => void stream.on("error", () => {}).pipe(stream));
    this.#describe(node);
    this.#keepPlaces(node);
  }

  #describe(node: ReachChurnNode): void {
    if (node.init.isBehindNat) return;
    const { addresses } = node.targetVia([]);
    const unixS = Math.floor(this.clock.unixMs() / 1_000);
    const roles = node.init.isRelay ? (["link-relay"] as const) : [];
    const claims = { sequence: unixS, expiresAtUnixS: unixS + 86_400, roles, geometry: GEOMETRY };
    this.#directory.add(
      NodeDescriptor.sign(node.identity, { ...claims, addresses, relays: [], onionKeys: [] }),
    );
  }

  #keepPlaces(node: ReachChurnNode): void {
    if (node === this.#relay) return;
    for (const relay of [this.#relay, this.#rude.node]) {
      const { id, addresses } = relay.targetVia([]);
      if (addresses.length > 0) node.life?.reach.keepPlace({ id, addresses });
    }
  }

  /** Counts what comes to one that nobody has anything to say to. */
  #watchVictim(): void {
    const datagram = (): void => {
      this.#hits += 1;
    };
    for (const port of VICTIM_PORTS) this.#victim.bind(port).listen({ datagram });
  }

  #act(): void {
    const dice = this.#random.below(20);
    for (let left = this.#random.below(6); left > 0; left--) this.#rude.act();
    if (dice < 5) this.#dial();
    else if (dice === 5) this.#punch(this.#one(this.#nodes));
    else if (dice < 13) this.#openStream();
    else if (dice < 17) this.#trouble();
    else if (dice === 17) void this.#linkOf()?.close({ graceful: this.#random.below(2) === 0 });
    else this.#touch();
  }

  #dial(): void {
    const all = [...this.#nodes, this.#rude.node, this.#relay];
    const from = this.#one(this.#nodes);
    const to = this.#one(all.filter((node) => node !== from));
    if (from?.life === undefined || to?.life === undefined) return;
    const relays = [this.#relay.id, this.#rude.node.id];
    if (this.#random.below(2) === 0) relays.reverse();
    const target = { ...to.targetVia(relays), signal: abortingSignal(this.#random, this.clock) };
    void this.#watch("dial", from.life.reach.dial(target)).then((link) => {
      if (link === undefined) return;
      if (!isSameNode(link.peer, to.id)) this.#fault("a link to somebody else");
      let wasRelayed = link.isRelayed;
      link.onPath((path) => {
        if (path === undefined) return;
        if (wasRelayed && !path.isRelayed) this.punched += 1;
        wasRelayed = path.isRelayed;
      });
    });
  }

  #punch(from: ReachChurnNode | undefined): void {
    const [to, via] = [this.#one(this.#nodes), this.#one([this.#relay, this.#rude.node])];
    if (from?.life === undefined || to === undefined || via === undefined) return;
    const signal = abortingSignal(this.#random, this.clock);
    let isOver = false;
    const punched = from.life.reach.punching.punch(to.id, via.id, signal);
    void this.#watch("punch", punched).then(() => {
      isOver = true;
    });
    this.clock.schedule(this.clock.now() + PUNCHED_MS, () => {
      if (!isOver) this.#fault("a punch has no end");
    });
  }

  #linkOf(): Link | undefined {
    return this.#one(this.#nodes.flatMap(({ life }) => life?.host.links() ?? []));
  }

  #openStream(): void {
    const link = this.#linkOf();
    const peer = this.#nodes.find(({ id }) => link !== undefined && isSameNode(id, link.peer));
    if (link === undefined || peer?.life === undefined) {
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
    peer.life.host.handle(protocol, (stream: LinkStream) => {
      if (far !== undefined) this.#fault(`stream ${number} is opened twice`);
      const isWrong = this.#canary === "wrong-byte";
      const flipped = { out: seeds.in, in: seeds.out + (isWrong ? 1 : 0) };
      far = new StreamEnd({
        stream,
        plan: there,
        name: `${number} far`,
        clock,
        seeds: flipped,
        fault,
      });
      this.#join(far, near);
    });
    const signal = abortingSignal(this.#random, clock);
    void this.#watch("open", link.openStream(protocol, { signal })).then((stream) => {
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
    this.#random.below(2) === 0 ? end?.destroy() : end?.end();
  }

  #trouble(): void {
    const { clock } = this;
    const node = this.#one([...this.#nodes, ...this.#nodes, this.#relay]);
    if (node === undefined) return;
    const ms = this.#random.below(2) === 0 ? this.#random.below(3_000) : this.#random.below(60_000);
    const later = (run: () => void): void => void clock.schedule(clock.now() + ms, run);
    const { vhost } = node.init;
    switch (this.#random.below(5)) {
      case 0:
        this.network.partition([vhost]);
        later(() => this.network.heal());
        break;
      case 1:
        this.#one(this.#nats)?.rebind(`203.0.113.${10 + (this.#moves++ % 200)}`);
        break;
      case 2:
        vhost.line.profile = { ...CLEAN_LINE, ...this.plan.line, loss: 0.4, delayMs: 200 };
        later(() => {
          vhost.line.profile = { ...CLEAN_LINE, ...this.plan.line };
        });
        break;
      case 3:
        this.#one(this.#nodes)?.life?.reach.leave(this.#relay.id);
        later(() => {
          for (const one of this.#nodes) this.#keepPlaces(one);
        });
        break;
      default:
        if (this.#random.below(2) === 0) vhost.isOnline = false;
        this.#close(node);
        later(() => void this.#revive(node));
    }
  }

  #close(node: ReachChurnNode): void {
    const isReachFirst = this.#random.below(2) === 0;
    const graceful = this.#random.below(3) === 0;
    const { life } = node;
    if (this.#random.below(3) === 0) this.#punch(node);
    node.end({ isReachFirst, graceful });
    const ended = node.ended.at(-1);
    if (life === undefined || ended === undefined) return;
    void this.#watch("close", ended.closed).then(() => this.#expectNothing(life));
  }

  /** A closed life waits for nothing, but for what was begun before and has an end. */
  #expectNothing(life: Life): void {
    if (this.#canary === "left-timer") life.clock.schedule(this.clock.now() + AGES_MS, () => {});
    this.clock.schedule(this.clock.now() + CLOSED_MS, () => {
      if (life.clock.pending > 0) this.#fault(`${life.clock.pending} timers of a closed life`);
      if (life.host.links().length > 0) this.#fault("links of a closed life");
    });
  }

  async #revive(node: ReachChurnNode): Promise<void> {
    await Promise.all(node.ended.map(({ closed }) => closed));
    if (node.life !== undefined || node.isStarting) return;
    const { vhost } = node.init;
    vhost.closeAll();
    vhost.isOnline = true;
    await this.#start(node);
  }

  /** All is well from now on, and nobody is rude: what is new has to work. */
  async #heal(): Promise<void> {
    await this.#pass(61_000);
    this.#judgeVictim();
    this.#rude.node.end({ isReachFirst: true, graceful: false });
    this.network.heal();
    for (const nat of this.#nats) nat.line.profile = CLEAN_LINE;
    for (const node of [this.#relay, ...this.#nodes]) {
      node.init.vhost.line.profile = CLEAN_LINE;
      if (node.life === undefined) this.#fault("a node is not back");
      // The relay may have been away when it was to be asked again.
      this.#keepPlaces(node);
    }
    await this.#pass(AGES_MS / 2);
    for (const end of this.#ends) end.noteProgress();
    await this.#pass(AGES_MS / 2);
    for (const end of this.#ends) end.judgeProgress();
    for (const end of this.#ends) end.destroy();
    // Longer than the longest pause of a holder whose relay was away.
    await this.#pass(300_000 + AGES_MS);
    for (const end of this.#ends) {
      if (!end.isClosed) this.#fault(`${end.name} is not closed`);
      if (end.pending > 0) this.#fault(`${end.name} has ${end.pending} writes`);
    }
    for (const from of this.#nodes) {
      for (const to of this.#nodes) if (from !== to) await this.#fresh(from, to);
    }
  }

  /** Whoever was named by the rude one was sent little. */
  #judgeVictim(): void {
    const seconds = this.clock.now() / 1_000;
    const { probesPerNetworkBurst, probesPerNetworkPerSecond } = PUNCH_LIMITS;
    const ofOne = probesPerNetworkBurst + probesPerNetworkPerSecond * seconds;
    const lives =
      this.#nodes.length + 1 + this.#nodes.reduce((sum, { ended }) => sum + ended.length, 0);
    const hitsMax = this.#canary === "wrong-victim" ? -1 : lives * ofOne + this.#rude.spoofed;
    if (this.#hits > hitsMax) this.#fault(`${this.#hits} datagrams to somebody else`);
  }

  /** A link that is there or made carries what it is given, both ways. */
  async #fresh(from: ReachChurnNode, to: ReachChurnNode): Promise<void> {
    let received = 0;
    let isOver = false;
    const work = async (): Promise<void> => {
      const link = await from.life?.reach.dial(to.targetVia([this.#relay.id]));
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
    for (const node of this.#nodes) this.#close(node);
    await this.#pass(AGES_MS);
    const { circuits } = this.#relay.life?.reach.relay?.statistics ?? {};
    if (circuits !== 0) this.#fault(`${circuits} circuits are left`);
    this.#close(this.#relay);
    await this.#pass(AGES_MS);
    const { open } = this.#promises;
    if (open.length > 0) this.#fault(`not settled: ${open}`);
    if (this.clock.pending > 0) this.#fault(`${this.clock.pending} timers are left`);
  }
}
