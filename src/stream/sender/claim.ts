import { type Acknowledgement, arrivedEnd } from "../frame/frame.ts";

/**
 * Whether the places that this session seals frames for are its own. To a restored backup, or to a
 * second stream under one secret, they are not: they hold frames of a session that it knows nothing
 * of, and what the peer acknowledges there are those.
 *
 * The receipt for the first frame of this session is the proof; one for a later frame is none, as
 * the other session need not have come that far. Until then acknowledgements from that frame on are
 * not believed, and a resumed session seals no second frame: a peer must not find new frames behind
 * old ones. The one that says most is kept for the proof: it may have been the peer's last word.
 */
export class Claim {
  /** The index of the first frame that this session seals. */
  readonly first: number;
  readonly #isResumed: boolean;
  #isProven = false;
  #unbelieved: Acknowledgement | undefined;

  constructor(first: number, isResumed: boolean) {
    this.first = first;
    this.#isResumed = isResumed;
  }

  get isProven(): boolean {
    return this.#isProven;
  }

  /** Whether frame `index` may be sealed now. */
  allows(index: number): boolean {
    return this.#isProven || !this.#isResumed || index <= this.first;
  }

  /** Whether an acknowledgement of frames below `end` speaks only of frames known to be ours. */
  covers(end: number): boolean {
    return this.#isProven || end <= this.first;
  }

  /**
   * Keeps an acknowledgement that is not covered, unless it says less than the one that is kept.
   * They need not come in the order in which they were said.
   */
  keep(ack: Acknowledgement): void {
    const kept = this.#unbelieved;
    if (kept !== undefined && compare(ack, kept) < 0) return;
    this.#unbelieved = ack;
  }

  /**
   * The Map has given a receipt for frame `index`. Gives the acknowledgement that was kept, once,
   * if that is the proof.
   */
  stored(index: number): Acknowledgement | undefined {
    if (index === this.first) this.#isProven = true;
    const kept = this.#isProven ? this.#unbelieved : undefined;
    if (this.#isProven) this.#unbelieved = undefined;
    return kept;
  }
}

function compare(a: Acknowledgement, b: Acknowledgement): number {
  return a.next - b.next || arrivedEnd(a) - arrivedEnd(b);
}
