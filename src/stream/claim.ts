/**
 * Whether the places that this session seals frames for are its own. To a restored backup, or to a
 * second stream under one secret, they are not: they hold frames of a session that it knows nothing
 * of, and what the peer acknowledges there are those.
 *
 * The receipt for the first frame of this session is the proof; one for a later frame is none, as
 * the other session need not have come that far. Until then acknowledgements from that frame on are
 * not believed, and a resumed session seals no second frame: a peer must not find new frames behind
 * old ones.
 */
export class Claim {
  readonly #first: number;
  readonly #isResumed: boolean;
  #isProven = false;

  /** `first` is the index of the first frame that this session will seal. */
  constructor(first: number, isResumed: boolean) {
    this.#first = first;
    this.#isResumed = isResumed;
  }

  get isProven(): boolean {
    return this.#isProven;
  }

  /** Whether frame `index` may be sealed now. */
  allows(index: number): boolean {
    return this.#isProven || !this.#isResumed || index <= this.#first;
  }

  /** Whether an acknowledgement of frames below `end` speaks only of frames known to be ours. */
  covers(end: number): boolean {
    return this.#isProven || end <= this.#first;
  }

  /** The Map has given a receipt for frame `index`. */
  stored(index: number): void {
    if (index === this.#first) this.#isProven = true;
  }
}
