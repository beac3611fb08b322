import { INDEX_MAX } from "../frame/frame.ts";

/** How many different indexes a question can say. */
const WIRE_INDEXES = INDEX_MAX + 1;

/**
 * How the frames of a multicast chain are numbered. Inside, the first frame that a party knows is
 * 0; in a reader's question, the low 48 bits of the chain's own index stand. That one begins at
 * random, so a late reader cannot tell how many frames there were before.
 */
export class Numbering {
  readonly #first: number;

  /** `chainIndex` is the chain's index at the inner number `at`. */
  constructor(chainIndex: bigint, at: number) {
    this.#first = Number((chainIndex - BigInt(at)) & BigInt(INDEX_MAX));
  }

  /** How a question names the frame with an inner number. */
  toWire(number: number): number {
    return (this.#first + number) % WIRE_INDEXES;
  }

  /** The inner number of a frame on the wire; a very large one for a frame before the first. */
  fromWire(index: number): number {
    return (index - this.#first + WIRE_INDEXES) % WIRE_INDEXES;
  }
}
