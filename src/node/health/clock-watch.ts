import {
  type Cancel,
  type Clock,
  Counts,
  draw,
  type Instant,
  type Log,
  type Random,
} from "../../base/index.ts";
import type { Contact } from "../../dht/index.ts";
import type { NodeDescriptor } from "../../identity/index.ts";
import { type ClockSide, clockSideOf } from "./clock-side.ts";

/** Nodes that are asked what they say of themselves, at each look. */
const ASKED_MAX = 8;
/** Between two looks. */
const LOOK_MS = 1_800_000;
/** The same while the table is empty, or the clock is off. */
const SOON_MS = 60_000;

/** What a node has said of itself, and the allocation of the network where it is heard. */
type Met = readonly [NodeDescriptor, number];

/** What a watch over the own clock is built from. */
export interface ClockWatchComponents {
  /** All nodes that are known. */
  readonly nodes: () => readonly Contact[];
  /** What a node says of itself now; rejects, or says nothing, when it cannot be asked. */
  readonly describe: (node: Contact, signal: AbortSignal) => Promise<NodeDescriptor | undefined>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Finds out whether it is this node whose clock is hours off: most of those that it meets have
 * onion keys for other times. It asks a few at random, so that who dials it has no say, of as many
 * networks as it can, each of which has one voice: ids of one network cost nothing.
 */
export class ClockWatch {
  readonly #components: ClockWatchComponents;
  readonly #closing = new AbortController();
  #met: readonly Met[] = [];
  #metAt: Instant = 0;
  #told: ClockSide | undefined;
  #cancel: Cancel = () => {};

  constructor(components: ClockWatchComponents) {
    this.#components = components;
  }

  /** Whether it is; what is too old or too young by this clock then says nothing of others. */
  get isOff(): boolean {
    return this.#side() !== undefined;
  }

  /** To be called once this node has joined. */
  start(): void {
    void this.#look();
  }

  close(): void {
    this.#cancel();
    this.#closing.abort();
  }

  /** A clock that was set since they were asked is believed at once. */
  #side(): ClockSide | undefined {
    const { clock } = this.#components;
    return clockSideOf(this.#met, clock.unixMs() - (clock.now() - this.#metAt));
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#components;
    const { signal } = this.#closing;
    const met = await Promise.all(this.#drawn().map((node) => this.#ask(node)));
    if (signal.aborted) return;
    const known = met.filter((one) => one !== undefined);
    if (known.length > 0) [this.#met, this.#metAt] = [known, clock.now()];
    const side = this.#side();
    if (side !== this.#told) {
      if (side === undefined) log("info", "clock-right");
      else log("warn", "clock-off", { message: `this clock is hours ${side} those of most nodes` });
      this.#told = side;
    }
    const isSoon = known.length === 0 || side !== undefined;
    const at = clock.now() + (isSoon ? SOON_MS : LOOK_MS);
    this.#cancel = clock.schedule(at, () => void this.#look(), { background: true });
  }

  #drawn(): readonly Contact[] {
    const { nodes, random } = this.#components;
    const provable = nodes().filter(({ isProvable }) => isProvable);
    const seen = new Counts<number>();
    const turns = draw(provable, provable.length, random).map((node) => {
      const turn = seen.of(node.allocation);
      seen.add(node.allocation);
      return { node, turn };
    });
    // Stable: the first of each network, then the second ones.
    turns.sort((a, b) => a.turn - b.turn);
    return turns.slice(0, ASKED_MAX).map(({ node }) => node);
  }

  async #ask(node: Contact): Promise<Met | undefined> {
    try {
      const descriptor = await this.#components.describe(node, this.#closing.signal);
      return descriptor && [descriptor, node.allocation];
    } catch {
      // It is gone, or too busy: others are there.
      return undefined;
    }
  }
}
