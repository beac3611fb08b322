import { type Clock, SeededRandom } from "../../src/base/index.ts";
import { type NodeId, nodeIdOf, nodeIdText } from "../../src/identity/index.ts";
import type { ChannelEvents, OnionChannel, OnionLinks } from "../../src/onion/links.ts";
import type { OnionGeometry } from "../../src/onion/packet/geometry.ts";
import type { OnionSuite } from "../../src/onion/packet/suite.ts";
import type { OnionPeer, Route } from "../../src/onion/route/route.ts";
import { TunnelService } from "../../src/onion/tunnel-service.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import type { AcceptanceNet, NetOptions, Spoil } from "./acceptance-net.ts";
import { fastSuite, GEOMETRY, UNIX_MS } from "./fixtures.ts";

/** A unit on a link. */
export interface Passage {
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly kind: "unit" | "channel";
  readonly channel: number;
  readonly bytes: Uint8Array;
}

/** What becomes of a unit: itself, another one, several, or none. */
export type Intercept = (passage: Passage) => readonly Uint8Array[];

/** A node of the net. */
export interface VirtualNode {
  readonly index: number;
  readonly id: NodeId;
  service: TunnelService;
}

/** Within this time everything comes to its end. */
const SETTLING_MS = 60_000;

/**
 * Nodes that can all reach each other, with one latency for every link, on a virtual clock. What
 * passes is recorded, and may be intercepted.
 */
export class VirtualNet implements AcceptanceNet {
  readonly clock = new VirtualClock({ startUnixMs: UNIX_MS });
  readonly nodes: VirtualNode[] = [];
  readonly passages: Passage[] = [];
  readonly latencyMs: number;
  readonly geometry: OnionGeometry;
  intercept: Intercept = ({ bytes }) => [bytes];
  holdMs: (passage: Passage) => number = () => 0;
  /** False where captures would cost more than they are worth. */
  isRecording = true;
  readonly #options: NetOptions;
  readonly #suite: OnionSuite;
  readonly #random: SeededRandom;
  readonly #byId = new Map<string, VirtualNode>();
  readonly #dead = new Set<number>();
  readonly #ends = new Map<number, Set<() => void>>();
  #channels = 0;

  constructor(
    count: number,
    options: NetOptions & {
      readonly seed?: number;
      readonly latencyMs?: number;
      readonly suite?: OnionSuite;
    } = {},
  ) {
    this.geometry = options.geometry ?? GEOMETRY;
    this.latencyMs = options.latencyMs ?? 20;
    this.#options = options;
    this.#suite = options.suite ?? fastSuite();
    this.#random = new SeededRandom(options.seed ?? 1);
    for (let index = 0; index < count; index++) {
      const id = nodeIdOf(this.#random.bytes(32));
      const node = { index, id, service: this.#start(index, id) };
      this.nodes.push(node);
      this.#byId.set(nodeIdText(id), node);
    }
  }

  node(index: number): VirtualNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** The time as a node has it. */
  clockOf(index: number): Clock {
    const aheadMs = this.#options.aheadMs?.get(index);
    if (aheadMs === undefined) return this.clock;
    return {
      now: () => this.clock.now(),
      unixMs: () => this.clock.unixMs() + aheadMs,
      schedule: (at, run) => this.clock.schedule(at, run),
    };
  }

  service(index: number): TunnelService {
    return this.node(index).service;
  }

  /** Stops a node: its links break, and nobody reaches it. */
  kill(index: number): void {
    this.#dead.add(index);
    for (const end of [...(this.#ends.get(index) ?? [])]) end();
    this.service(index).close();
  }

  /** Starts a node anew, which remembers nothing. */
  restart(index: number): void {
    if (!this.#dead.has(index)) this.kill(index);
    this.#dead.delete(index);
    const node = this.node(index);
    node.service = this.#start(index, node.id);
  }

  peer(index: number, options: Partial<OnionPeer> = {}): OnionPeer {
    const { id, service } = this.node(index);
    const onionKeys = service.onionKeys();
    return { id, onionKeys, prefixes: [], isRelay: true, isExit: true, ...options };
  }

  /** The way through these nodes. */
  route(...indexes: readonly number[]): Route {
    const keys = indexes.map((index) => this.peer(index).onionKeys[0]);
    const hops = indexes.map((index, i) => {
      const onionKey = keys[i]?.publicKey ?? new Uint8Array(32);
      return { id: this.node(index).id, onionKey };
    });
    return { epoch: keys[0]?.epoch ?? 0, hops };
  }

  spoil({ units, holdMs }: Spoil): void {
    this.intercept = units ?? (({ bytes }) => [bytes]);
    this.holdMs = holdMs ?? (() => 0);
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runPromise(promise, SETTLING_MS);
  }

  async until(isSo: () => boolean): Promise<void> {
    await this.clock.runUntil(isSo, SETTLING_MS);
  }

  async rest(): Promise<void> {
    await this.clock.runUntil(this.clock.now() + 1_000);
  }

  /** When units have passed, by channel and direction. */
  passageTimes(): Map<string, number[]> {
    const times = new Map<string, number[]>();
    for (const { from, to, channel, at } of this.passages) {
      const way = `${from}>${to} ${channel}`;
      times.set(way, [...(times.get(way) ?? []), at]);
    }
    return times;
  }

  close(): void {
    for (const { service } of this.nodes) service.close();
  }

  #start(index: number, self: NodeId): TunnelService {
    const components = {
      links: this.#linksOf(index),
      clock: this.clockOf(index),
      random: this.#random.fork(index),
      self,
      suite: this.#suite,
    };
    const options = this.#options.others?.get(index) ?? this.#options;
    return new TunnelService(components, { ...options, geometry: this.geometry });
  }

  #linksOf(from: number): OnionLinks {
    return {
      send: (to, unit) => this.#sendUnit(from, this.#byId.get(nodeIdText(to)), unit),
      open: (to, events) => this.#openChannel(from, this.#byId.get(nodeIdText(to)), events),
    };
  }

  #isReachable(node: VirtualNode | undefined): node is VirtualNode {
    return node !== undefined && !this.#dead.has(node.index);
  }

  #later(run: () => void, holdMs = 0): void {
    this.clock.schedule(this.clock.now() + this.latencyMs + holdMs, run);
  }

  #pass(passage: Omit<Passage, "at">): { units: readonly Uint8Array[]; holdMs: number } {
    const whole = { ...passage, at: this.clock.now() };
    if (this.isRecording) this.passages.push({ ...whole, bytes: passage.bytes.slice() });
    return { holdMs: this.holdMs(whole), units: this.intercept(whole) };
  }

  #sendUnit(from: number, node: VirtualNode | undefined, unit: Uint8Array): Promise<void> {
    if (this.#dead.has(from)) return Promise.resolve();
    if (!this.#isReachable(node)) {
      return new Promise((_, reject) => {
        this.#later(() => reject(new Error("not reached")));
      });
    }
    const passage = { from, to: node.index, kind: "unit", channel: -1, bytes: unit } as const;
    const { units, holdMs } = this.#pass(passage);
    for (const bytes of units) {
      this.#later(() => {
        if (!this.#isReachable(node)) return;
        const source = this.#options.sources?.get(from);
        node.service.receive(this.node(from).id, bytes.slice(), source);
      }, holdMs);
    }
    return Promise.resolve();
  }

  #openChannel(from: number, node: VirtualNode | undefined, events: ChannelEvents): OnionChannel {
    const channel = this.#channels++;
    if (!this.#isReachable(node) || this.#dead.has(from)) {
      let isClosed = false;
      this.#later(() => {
        if (!isClosed) events.closed();
      });
      return {
        send: () => {},
        close: () => {
          isClosed = true;
        },
      };
    }
    const pair = { isOpen: true };
    let far: ChannelEvents | undefined;
    const end = (): void => {
      if (!pair.isOpen) return;
      pair.isOpen = false;
      for (const index of [from, node.index]) this.#ends.get(index)?.delete(end);
      this.#later(() => {
        if (!nearClosed) events.closed();
        if (!farClosed) far?.closed();
      });
    };
    let nearClosed = false;
    let farClosed = false;
    for (const index of [from, node.index]) {
      const ends = this.#ends.get(index) ?? new Set();
      ends.add(end);
      this.#ends.set(index, ends);
    }
    const way = { channel, kind: "channel" } as const;
    const near: OnionChannel = {
      send: (bytes) =>
        this.#carry({ ...way, from, to: node.index, bytes }, events, () =>
          farClosed || this.#dead.has(node.index) ? undefined : far,
        ),
      close: () => {
        nearClosed = true;
        this.#later(end);
      },
    };
    this.#later(() => {
      if (this.#dead.has(node.index)) return;
      const channel: OnionChannel = {
        send: (bytes) =>
          this.#carry({ ...way, from: node.index, to: from, bytes }, far, () =>
            nearClosed || this.#dead.has(from) ? undefined : events,
          ),
        close: () => {
          farClosed = true;
          this.#later(end);
        },
      };
      far = node.service.accept(this.node(from).id, channel, this.#options.sources?.get(from));
    });
    return near;
  }

  #carry(
    passage: Omit<Passage, "at">,
    sender: ChannelEvents | undefined,
    receiver: () => ChannelEvents | undefined,
  ): void {
    const { units, holdMs } = this.#pass(passage);
    this.#later(() => {
      sender?.sent(1);
      for (const unit of units) receiver()?.unit(unit.slice());
    }, holdMs);
  }
}
