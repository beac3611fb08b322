import type { Clock, SeededRandom } from "../../src/base/index.ts";
import {
  type Discovery,
  type Lookup,
  NodeDescriptor,
  type NodeId,
  NodeIdentity,
  nodeIdText,
} from "../../src/identity/index.ts";
import type { ChannelEvents, OnionChannel, OnionLinks } from "../../src/onion/links.ts";
import { type TunnelOptions, TunnelService } from "../../src/onion/tunnel-service.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { LyingRelay } from "./churn-liar.ts";
import { fastSuite, GEOMETRY, UNIX_MS } from "./fixtures.ts";

/** What a node does to what it sends, and how often. */
export interface Misdeeds {
  readonly drops: number;
  readonly repeats: number;
  readonly flips: number;
  readonly babbles: number;
  readonly hangsUp: number;
  /** By so much later all of it leaves. */
  readonly holdMs: number;
  /** It never reads: nothing that is sent to it is on its way ever. */
  readonly stalls: boolean;
  /** It answers to builds as it likes, and speaks out of turn under its own layer. */
  readonly lies: boolean;
}

export const HONEST: Misdeeds = Object.freeze({
  drops: 0,
  repeats: 0,
  flips: 0,
  babbles: 0,
  hangsUp: 0,
  holdMs: 0,
  stalls: false,
  lies: false,
});

/** What a net is made of. */
export interface ChurnPlan {
  readonly nodes: number;
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** One-time units that get lost. */
  readonly loss: number;
  /** Clocks are off by so much at the most. */
  readonly skewMs: number;
  /** How long a dial to nobody takes, and how long a broken link is not noticed, at the most. */
  readonly dialMs: number;
  readonly silenceMs: number;
  readonly descriptorMs: number;
  readonly hostile: number;
  readonly limits: TunnelOptions;
}

type Served = Pick<TunnelService, "receive" | "accept" | "onionKeys" | "close">;

/** A node over all its lives. */
export class ChurnNode {
  readonly index: number;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  misdeeds: Misdeeds = HONEST;
  /** It may be an exit of the bad kind, too. */
  isHostile = false;
  /** Nobody may accuse it of what it alone can have done. */
  isTrusted = true;
  service: TunnelService | undefined;
  liar: LyingRelay | undefined;
  descriptor: NodeDescriptor | undefined;
  sequence = 0;
  readonly pipes: Set<Pipe> = new Set<Pipe>();

  constructor(index: number, identity: NodeIdentity, clock: Clock) {
    this.index = index;
    this.identity = identity;
    this.clock = clock;
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get isUp(): boolean {
    return this.service !== undefined;
  }

  /** Whoever takes what comes. */
  get taker(): Served | undefined {
    return this.liar ?? this.service;
  }
}

/** Nodes, lines, clocks and descriptors that all have their faults, on a virtual clock. */
export class ChurnNet {
  readonly clock = new VirtualClock({ startUnixMs: UNIX_MS });
  readonly nodes: ChurnNode[] = [];
  readonly plan: ChurnPlan;
  readonly random: SeededRandom;
  readonly suite = fastSuite();
  /** Told of each channel that is opened: who by, and to whom. */
  onOpen: (from: ChurnNode, to: NodeId) => void = () => {};
  onStart: (node: ChurnNode) => void = () => {};
  areLinesBad = true;
  readonly #byId = new Map<string, ChurnNode>();

  constructor(plan: ChurnPlan, random: SeededRandom) {
    this.plan = plan;
    this.random = random;
    for (let i = 0; i < plan.nodes; i++) {
      const offsetMs = Math.round((2 * random.unit() - 1) * plan.skewMs);
      const node = new ChurnNode(
        i,
        new NodeIdentity(random.bytes(32)),
        skewed(this.clock, offsetMs),
      );
      this.nodes.push(node);
      this.#byId.set(nodeIdText(node.id), node);
    }
  }

  find(id: NodeId): ChurnNode | undefined {
    return this.#byId.get(nodeIdText(id));
  }

  node(index: number): ChurnNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  start(node: ChurnNode): void {
    const { clock, id: self } = node;
    const random = this.random.fork(1_000 * (node.index + 1) + node.sequence);
    const parts = { links: this.#linksOf(node), clock, random, self, suite: this.suite };
    const { limits } = this.plan;
    node.service = new TunnelService(parts, { ...limits, geometry: GEOMETRY });
    if (node.misdeeds.lies) node.liar = new LyingRelay({ ...parts, geometry: GEOMETRY });
    node.service.setHandlers({ keysChanged: () => this.publish(node) });
    this.publish(node);
    this.onStart(node);
  }

  /** Others notice that it is gone one after the other. */
  stop(node: ChurnNode): void {
    node.service?.close();
    node.service = undefined;
    node.liar = undefined;
    for (const pipe of [...node.pipes]) pipe.break();
  }

  publish(node: ChurnNode): void {
    const { taker } = node;
    if (taker === undefined) return;
    node.sequence += 1;
    const unixMs = node.clock.unixMs();
    node.descriptor = NodeDescriptor.sign(node.identity, {
      sequence: node.sequence,
      expiresAtUnixS: Math.floor((unixMs + this.plan.descriptorMs) / 1_000),
      roles: ["onion-relay", "onion-exit"],
      geometry: { cellBytes: 800, onionBytes: GEOMETRY.payloadBytes, onionHopsMax: 5 },
      addresses: [{ carrier: "tcp", host: `10.0.${node.index}.1`, port: 7_000 }],
      relays: [],
      onionKeys: taker.onionKeys(),
    });
  }

  /** What a node can find out of others; that takes its time, and may fail. */
  knowledgeOf(asker: ChurnNode): Discovery & Lookup {
    const { random } = this;
    const later = async <T>(give: () => T): Promise<T> => {
      await this.pause(random.unit() * 2_000);
      if (this.areLinesBad && random.below(8) === 0) throw new Error("nobody answers");
      return give();
    };
    const isKnown = (one: NodeDescriptor | undefined): one is NodeDescriptor =>
      one !== undefined && !one.isExpired(asker.clock.unixMs());
    return {
      discover: (count) =>
        later(() => {
          const known = this.nodes.map(({ descriptor }) => descriptor).filter(isKnown);
          const kept = known.filter(() => !this.areLinesBad || random.below(4) > 0);
          return kept.slice(0, count);
        }),
      lookup: (id) =>
        later(() => {
          const descriptor = this.find(id)?.descriptor;
          return isKnown(descriptor) ? descriptor : undefined;
        }),
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.schedule(this.clock.now() + ms, resolve);
    });
  }

  delayMs(): number {
    return this.plan.latencyMs + (this.areLinesBad ? this.random.unit() * this.plan.jitterMs : 0);
  }

  /** A unit as its sender makes it. */
  spoilt(from: ChurnNode, unit: Uint8Array): Uint8Array[] {
    const { misdeeds } = from;
    const { random } = this;
    if (misdeeds === HONEST) return [unit];
    if (random.unit() < misdeeds.drops) return [];
    if (random.unit() < misdeeds.babbles) return [random.bytes(unit.length)];
    if (random.unit() < misdeeds.flips) {
      const at = random.below(unit.length);
      unit[at] = (unit[at] ?? 0) ^ (1 << random.below(8));
    }
    return random.unit() < misdeeds.repeats ? [unit, unit.slice()] : [unit];
  }

  #linksOf(from: ChurnNode): OnionLinks {
    return {
      send: async (to, unit) => {
        const node = this.find(to);
        if (node === undefined || !node.isUp) {
          await this.pause(this.random.unit() * this.plan.dialMs);
          throw new Error("not reached");
        }
        if (this.areLinesBad && this.random.unit() < this.plan.loss) return;
        for (const bytes of this.spoilt(from, unit)) {
          const at = this.clock.now() + this.delayMs() + from.misdeeds.holdMs;
          this.clock.schedule(at, () => node.taker?.receive(from.id, bytes));
        }
      },
      open: (to, events) => {
        this.onOpen(from, to);
        return new Pipe(this, { from, to: this.find(to) }, events).near;
      },
    };
  }
}

interface PipeEnds {
  readonly from: ChurnNode;
  readonly to: ChurnNode | undefined;
}

/** One channel: ordered both ways, until somebody closes it or an end dies. */
class Pipe {
  readonly near: OnionChannel;
  readonly #net: ChurnNet;
  readonly #ends: PipeEnds;
  readonly #nearEvents: ChannelEvents;
  #farEvents: ChannelEvents | undefined;
  readonly #isShut = { near: false, far: false };
  readonly #lastAt = { near: 0, far: 0 };
  #isBroken = false;

  constructor(net: ChurnNet, ends: PipeEnds, events: ChannelEvents) {
    this.#net = net;
    this.#ends = ends;
    this.#nearEvents = events;
    this.near = this.#end("near");
    const { from, to } = ends;
    if (to === undefined || !to.isUp) {
      this.#after("far", net.random.unit() * net.plan.dialMs, () => this.#close("near"));
      return;
    }
    for (const node of [from, to]) node.pipes.add(this);
    this.#after("near", 0, () => {
      if (this.#isBroken || !to.isUp) return;
      this.#farEvents = to.taker?.accept(from.id, this.#end("far"));
    });
  }

  /** An end lost its power. */
  break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#leave();
    for (const side of ["near", "far"] as const) {
      const ms = this.#net.random.unit() * this.#net.plan.silenceMs;
      this.#after(side, ms, () => this.#close(side));
    }
  }

  #leave(): void {
    for (const node of [this.#ends.from, this.#ends.to]) node?.pipes.delete(this);
  }

  #end(side: "near" | "far"): OnionChannel {
    const other = side === "near" ? "far" : "near";
    const [self, peer] =
      side === "near" ? [this.#ends.from, this.#ends.to] : [this.#ends.to, this.#ends.from];
    return {
      send: (unit) => {
        if (this.#isShut[side] || this.#isBroken || self === undefined) return;
        if (self.misdeeds.hangsUp > 0 && this.#net.random.unit() < self.misdeeds.hangsUp) {
          this.break();
          return;
        }
        const units = this.#net.spoilt(self, unit);
        if (peer?.misdeeds.stalls === true) return;
        this.#after(side, self.misdeeds.holdMs, () => {
          this.#eventsOf(side)?.sent(1);
          if (this.#isBroken) return;
          for (const bytes of units) this.#eventsOf(other)?.unit(bytes);
        });
      },
      close: () => {
        if (this.#isShut[side]) return;
        this.#isShut[side] = true;
        this.#after(side, 0, () => {
          this.#close(other);
          this.#leave();
        });
      },
    };
  }

  #close(side: "near" | "far"): void {
    const events = this.#eventsOf(side);
    this.#isShut[side] = true;
    events?.closed();
  }

  #eventsOf(side: "near" | "far"): ChannelEvents | undefined {
    if (this.#isShut[side]) return undefined;
    return side === "near" ? this.#nearEvents : this.#farEvents;
  }

  /** What comes from one side comes in order. */
  #after(side: "near" | "far", ms: number, run: () => void): void {
    const { clock } = this.#net;
    const at = Math.max(clock.now() + this.#net.delayMs() + ms, this.#lastAt[side]);
    this.#lastAt[side] = at;
    clock.schedule(at, run);
  }
}

/** A clock that shows another time of day. */
function skewed(clock: VirtualClock, offsetMs: number): Clock {
  return {
    now: () => clock.now(),
    unixMs: () => clock.unixMs() + offsetMs,
    schedule: (at, run) => clock.schedule(at, run),
  };
}
