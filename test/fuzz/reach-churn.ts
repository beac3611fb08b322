import { isCulvertError, SeededRandom } from "../../src/base/index.ts";
import { Directory, isSameNode, NodeDescriptor } from "../../src/identity/index.ts";
import type { Link, LinkHost, LinkPath } from "../../src/link/index.ts";
import { PUNCH_LIMITS } from "../../src/link/punch/limits.ts";
import { CLEAN_LINE, type VirtualHost, type VirtualNat } from "../../src/testing/index.ts";
import { AGES_MS, Churn } from "./churn.ts";
import { CROWDED_MS, Crowd } from "./reach-churn-crowd.ts";
import { faultsOf } from "./reach-churn-judge.ts";
import { type Life, ReachChurnNode } from "./reach-churn-node.ts";
import { planOf, type ReachChurnPlan } from "./reach-churn-plan.ts";
import { RudeNode, VICTIM_PORTS } from "./reach-churn-rude.ts";

const GEOMETRY = { cellBytes: 1_900, onionBytes: 4_096, onionHopsMax: 5 };
/** A closed life waits for nothing after this: the longest pause before a path is replaced. */
const CLOSED_MS = 9_000;
/** A punch is over after this: an offer without an answer, then probes without an echo. */
const PUNCHED_MS = 11_000;
const PUNCH_AGAIN_MS_MAX = 600_000;
/** So many probes of one punch go to one address. */
const PROBES_MAX = 25;

/** A defect that a life is given, which it has to see. */
export type ReachCanary =
  | "wrong-byte"
  | "wrong-victim"
  | "left-timer"
  | "no-peace"
  | "no-way"
  | "wrong-relay"
  | "no-offers"
  | "no-room"
  | "no-half";

/**
 * Nodes behind NATs that reach each other through relays and punch, with a rude one among them,
 * from their start to their end.
 */
export class ReachChurn extends Churn {
  readonly plan: ReachChurnPlan;
  /** How often a link between two that are behind NATs became direct: somebody has punched. */
  punched = 0;
  readonly #canary: ReachCanary | undefined;
  readonly #relay: ReachChurnNode;
  readonly #nodes: ReachChurnNode[] = [];
  readonly #nats: VirtualNat[] = [];
  readonly #rude: RudeNode;
  readonly #victim: VirtualHost;
  /** In the networks of nodes: the rude one names them, too. */
  readonly #neighbours: VirtualHost[] = [];
  readonly #directory: Directory;
  #hits = 0;
  #machines = 0;

  constructor(seed: number, canary?: ReachCanary) {
    const random = new SeededRandom(seed);
    const plan = planOf(random);
    super({ seed, random, line: plan.line, isBlind: canary === "wrong-byte" });
    this.#canary = canary;
    this.plan = plan;
    const { clock } = this;
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
        const addresses = [`192.168.${inner}.1`];
        this.#neighbours.push(this.network.addHost({ addresses, behind }));
      }
    }
    this.#victim = this.network.addHost({ addresses: ["198.51.100.250"] });
    const nodes = [this.#relay, ...this.#nodes];
    this.#rude = new RudeNode(rude, { clock, random, victim: this.#victim, nodes });
  }

  /** Whether there are two that only a punch gives a direct path. */
  get isPunchable(): boolean {
    const isPair = (from: ReachChurnNode, to: ReachChurnNode): boolean =>
      from !== to && areHidden(from, to) && this.#canMeet(from, to);
    return this.#nodes.some((from) => this.#nodes.some((to) => isPair(from, to)));
  }

  protected get hosts(): readonly LinkHost[] {
    return [this.#relay, ...this.#nodes].flatMap(({ life }) => life?.host ?? []);
  }

  async run(): Promise<readonly string[]> {
    for (const node of [this.#relay, ...this.#nodes]) await this.#start(node);
    await this.#rude.start();
    this.#describe(this.#rude.node);
    this.#watchVictim();
    await this.pass(5_000);
    for (let turn = 0; turn < this.plan.turns; turn++) {
      this.#act();
      await this.pass(this.pauseMs());
      this.#judge();
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
    const random = this.random.fork(this.#machines++);
    const { clock } = this;
    const lookup = this.#directory;
    const isBehindNat = behind !== undefined;
    return new ReachChurnNode({ random, vhost, clock, lookup, isBehindNat, isRelay, hasUdp });
  }

  async #start(node: ReachChurnNode): Promise<void> {
    const { host } = await node.start();
    host.handle("fresh", (stream) => void stream.on("error", () => {}).pipe(stream));
    this.#watchPunches(node, host);
    this.#describe(node);
    this.#keepPlaces(node);
  }

  #watchPunches(from: ReachChurnNode, host: LinkHost): void {
    host.onLink((link) => {
      const to = this.#nodes.find(({ id }) => isSameNode(id, link.peer));
      if (to === undefined || !areHidden(from, to)) return;
      const look = (path: LinkPath | undefined): void => {
        if (path?.isRelayed === false) this.punched += 1;
      };
      look(link.path);
      link.onPath(look);
    });
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
    const intruding = (): void => this.fault("a datagram to somebody inside");
    for (const port of VICTIM_PORTS) {
      this.#victim.bind(port).listen({ datagram });
      for (const one of this.#neighbours) one.bind(port).listen({ datagram: intruding });
    }
  }

  #act(): void {
    const dice = this.random.below(20);
    for (let left = this.random.below(6); left > 0; left--) this.#rude.act();
    if (dice < 5) this.#dial();
    else if (dice === 5) this.#punch(this.one(this.#nodes));
    else if (dice < 13) this.#open();
    else if (dice < 17) this.#trouble();
    else if (dice === 17) void this.#linkOf()?.close({ graceful: this.random.below(2) === 0 });
    else this.touch();
  }

  #dial(): void {
    const all = [...this.#nodes, this.#rude.node, this.#relay];
    const from = this.one(this.#nodes);
    const to = this.one(all.filter((node) => node !== from));
    if (from?.life === undefined || to?.life === undefined) return;
    const relays = [this.#relay.id, this.#rude.node.id];
    if (this.random.below(2) === 0) relays.reverse();
    const target = { ...to.targetVia(relays), signal: this.signal() };
    void this.watch("dial", from.life.reach.dial(target)).then((link) => {
      if (link === undefined) return;
      if (!isSameNode(link.peer, to.id)) this.fault("a link to somebody else");
    });
  }

  #punch(from: ReachChurnNode | undefined): void {
    const [to, via] = [this.one(this.#nodes), this.one([this.#relay, this.#rude.node])];
    if (from?.life === undefined || to === undefined || via === undefined) return;
    const signal = this.signal();
    let isOver = false;
    const punched = from.life.reach.punching.punch(to.id, via.id, signal);
    void this.watch("punch", punched).then(() => {
      isOver = true;
    });
    this.clock.schedule(this.clock.now() + PUNCHED_MS, () => {
      if (!isOver) this.fault("a punch has no end");
    });
  }

  #linkOf(): Link | undefined {
    return this.one(this.#nodes.flatMap(({ life }) => life?.host.links() ?? []));
  }

  #open(): void {
    const link = this.#linkOf();
    const peer = this.#nodes.find(({ id }) => link !== undefined && isSameNode(id, link.peer));
    if (link === undefined || peer?.life === undefined) this.#dial();
    else this.openStream(link, peer.life.host);
  }

  #trouble(): void {
    const node = this.one([...this.#nodes, ...this.#nodes, this.#relay]);
    if (node === undefined) return;
    const ms = this.troubleMs();
    const { vhost } = node.init;
    switch (this.random.below(5)) {
      case 0:
        this.network.partition([vhost]);
        this.later(ms, () => this.network.heal());
        break;
      case 1:
        this.one(this.#nats)?.rebind(this.newHost("203.0.113", 10));
        break;
      case 2:
        this.worsen(vhost, ms);
        break;
      case 3:
        this.one(this.#nodes)?.life?.reach.leave(this.#relay.id);
        this.later(ms, () => {
          for (const one of this.#nodes) this.#keepPlaces(one);
        });
        break;
      default:
        if (this.random.below(2) === 0) vhost.isOnline = false;
        this.#close(node);
        this.later(ms, () => void this.#revive(node));
    }
  }

  #close(node: ReachChurnNode): void {
    const isReachFirst = this.random.below(2) === 0;
    const graceful = this.random.below(3) === 0;
    const { life } = node;
    if (this.random.below(3) === 0) this.#punch(node);
    node.end({ isReachFirst, graceful });
    const ended = node.ended.at(-1);
    if (life === undefined || ended === undefined) return;
    void this.watch("close", ended.closed).then(() => this.#expectNothing(life));
  }

  /** A closed life waits for nothing, but for what was begun before and has an end. */
  #expectNothing(life: Life): void {
    if (this.#canary === "left-timer") life.clock.schedule(this.clock.now() + AGES_MS, () => {});
    this.clock.schedule(this.clock.now() + CLOSED_MS, () => {
      if (life.clock.pending > 0) this.fault(`${life.clock.pending} timers of a closed life`);
      this.expectClosed(life.host);
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
    await this.pass(61_000);
    this.#judgeVictim();
    this.#rude.node.end({ isReachFirst: true, graceful: false });
    this.network.heal();
    for (const nat of this.#nats) nat.line.profile = CLEAN_LINE;
    for (const node of [this.#relay, ...this.#nodes]) {
      node.init.vhost.line.profile = CLEAN_LINE;
      if (node.life === undefined) this.fault("a node is not back");
      // The relay may have been away when it was to be asked again.
      this.#keepPlaces(node);
    }
    if (this.#canary === "no-peace") {
      this.later(0.6 * AGES_MS, () => this.network.partition([this.#relay.init.vhost]));
    }
    // Longer than the longest pause of a holder whose relay was away, and of one who punches.
    await this.judgePeace(2 * PUNCH_AGAIN_MS_MAX);
    for (const from of this.#nodes) {
      const isPlaced = from.life?.reach.vouchers.some(({ relay }) =>
        isSameNode(relay, this.#relay.id),
      );
      if (isPlaced !== true) this.fault("a node has no place at the relay");
      for (const to of this.#nodes) if (from !== to) await this.#fresh(from, to);
    }
    await this.#crowd();
  }

  /** Whoever brings many offers has a part of the places, and leaves room for others. */
  async #crowd(): Promise<void> {
    const [from, to] = this.#nodes.filter(({ init }) => init.hasUdp);
    if (from?.life === undefined || to?.life === undefined) return;
    const { clock, random } = this;
    const crowd = new Crowd(this.#add("198.18.0.66", {}), { clock, random });
    crowd.node.init.vhost.line.profile = CLEAN_LINE;
    await crowd.node.start();
    const target = crowd.node.targetVia([]);
    for (const { life } of [from, to]) {
      if (life !== undefined) void this.watch("dial", life.host.dial(target));
    }
    await this.pass(2_000);
    const { punching } = to.life.reach;
    const takenBefore = punching.statistics.offersTaken;
    crowd.press(to.id);
    // Where the crowd is, there is no room.
    const via = this.#canary === "no-room" ? crowd.node.id : this.#relay.id;
    const punched = from.life.reach.punching.punch(to.id, via).catch((error: unknown) => {
      const { reason } = (isCulvertError(error) && error.detail) || {};
      if (reason === "no-answer") this.fault("a crowd keeps another one from a punch");
    });
    void this.watch("punch", punched);
    await this.pass(CROWDED_MS - 100);
    const taken = punching.statistics.offersTaken - takenBefore;
    const others = this.#canary === "no-half" ? -1 : this.#nodes.length;
    const takenMax = PUNCH_LIMITS.sessionsMax / 2 + others;
    if (taken > takenMax) this.fault(`${taken} offers at once`);
    await this.pass(PUNCHED_MS);
    crowd.node.end({ isReachFirst: true, graceful: false });
  }

  /** They find each other through the relay, and then the direct path that there is. */
  async #fresh(from: ReachChurnNode, to: ReachChurnNode): Promise<void> {
    const reach = from.life?.reach;
    const target = to.targetVia([this.#relay.id]);
    if (reach !== undefined) await this.fresh(() => reach.dial(target));
    const isRelayed = from.life?.host.find(to.id)?.isRelayed ?? true;
    const isDirect = !isRelayed && this.#canary !== "no-way";
    if (this.#canMeet(from, to) && !isDirect) this.fault("two nodes have found no direct path");
  }

  #canMeet(from: ReachChurnNode, to: ReachChurnNode): boolean {
    const kinds = [from, to].map((node) => this.plan.kinds[this.#nodes.indexOf(node)]);
    const hidden = kinds.filter((kind) => kind === "symmetric" || kind === "port-restricted");
    const isHopeless = hidden.length === 2 && kinds.includes("symmetric");
    return !isHopeless && from.init.hasUdp && to.init.hasUdp;
  }

  /** What has to hold whatever the rude one does, and whatever else goes wrong. */
  #judge(): void {
    const relays = this.#canary === "wrong-relay" ? [] : [this.#relay, this.#rude.node];
    // All but the node itself, and the relay, which punches to nobody.
    const others = this.#canary === "no-offers" ? 0 : this.#nodes.length;
    for (const node of [this.#relay, ...this.#nodes]) {
      const { life } = node;
      if (life === undefined) continue;
      const now = this.clock.now();
      const around = { unixMs: this.clock.unixMs(), ageMs: now - life.since, others, relays };
      for (const fault of faultsOf(node, life, around)) this.fault(fault);
    }
  }

  /** Whoever was named by the rude one was sent little. */
  #judgeVictim(): void {
    const lives = [this.#relay, ...this.#nodes].flatMap(({ life, ended }) => {
      return [...ended.map((one) => one.life), ...(life === undefined ? [] : [life])];
    });
    const taken = lives.reduce((sum, { reach }) => sum + reach.punching.statistics.offersTaken, 0);
    const isWrong = this.#canary === "wrong-victim";
    const hitsMax = isWrong ? -1 : taken * PROBES_MAX + this.#rude.spoofed;
    if (this.#hits > hitsMax) this.fault(`${this.#hits} datagrams to somebody else`);
  }

  async #end(): Promise<void> {
    for (const node of this.#nodes) this.#close(node);
    await this.pass(AGES_MS);
    const { circuits } = this.#relay.life?.reach.relay?.statistics ?? {};
    if (circuits !== 0) this.fault(`${circuits} circuits are left`);
    this.#close(this.#relay);
    await this.pass(AGES_MS);
    this.expectNothing();
  }
}

/** Whether both are behind NATs: then neither has an address that the other could dial. */
function areHidden(from: ReachChurnNode, to: ReachChurnNode): boolean {
  return from.init.isBehindNat && to.init.isBehindNat;
}
