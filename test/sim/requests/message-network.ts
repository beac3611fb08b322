import { assert, type Clock, type SeededRandom } from "../../../src/base/index.ts";

/** How badly messages fare; shares are from 0 to 1. */
export interface MessageFaults {
  readonly loss: number;
  readonly duplicate: number;
  /** Messages that come once more, much later. */
  readonly replay: number;
  /** One way, drawn evenly: with a wide range messages overtake each other. */
  readonly delayMs: readonly [number, number];
}

/** How much later than its first copy a replayed message may come. */
const REPLAY_MS = 120_000;

/** Who takes messages in. */
export interface MessageNode {
  receive(from: number, bytes: Uint8Array): void;
}

/** Carries messages between numbered nodes, with seeded faults, on any clock. */
export class MessageNetwork {
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #faults: MessageFaults;
  readonly #nodes: MessageNode[] = [];
  #sent = 0;

  constructor(init: { clock: Clock; random: SeededRandom; faults: MessageFaults }) {
    this.#clock = init.clock;
    this.#random = init.random;
    this.#faults = init.faults;
  }

  /** Messages that were given to it. */
  get sent(): number {
    return this.#sent;
  }

  /** The number of a new node. */
  add(node: MessageNode): number {
    this.#nodes.push(node);
    return this.#nodes.length - 1;
  }

  send(from: number, to: number, bytes: Uint8Array): void {
    const { loss, duplicate, replay } = this.#faults;
    assert(this.#nodes[to] !== undefined, "messages go to nodes");
    this.#sent += 1;
    const random = this.#random;
    const [isLost, isDouble] = [random.unit() < loss, random.unit() < duplicate];
    if (random.unit() < replay) this.#deliver(from, to, bytes, REPLAY_MS * random.unit());
    if (isDouble) this.#deliver(from, to, bytes, 0);
    if (!isLost) this.#deliver(from, to, bytes, 0);
  }

  #deliver(from: number, to: number, bytes: Uint8Array, extraMs: number): void {
    const [least, most] = this.#faults.delayMs;
    const delayMs = least + (most - least) * this.#random.unit() + extraMs;
    const copy = bytes.slice();
    this.#clock.schedule(this.#clock.now() + delayMs, () => this.#nodes[to]?.receive(from, copy));
  }
}
