import type { CommitQueue } from "../exchange/commit-queue.ts";
import type { BegunInput } from "../exchange/protocol.ts";
import type { BegunState } from "../state.ts";

/** The bytes of one acknowledgement are journalled under this name until all of them are used. */
export function begunName(number: number): string {
  return `b${number}`;
}

const NOTHING: BegunInput = { length: 0, bytes: new Uint8Array(0) };

/**
 * Bytes that the application has read and cannot use before more of them come. They are taken, so
 * that their writer can go on; and journalled with the head that says so, so that another session
 * is given them again.
 */
export class BegunBytes {
  readonly #commits: Pick<CommitQueue, "keep" | "remove">;
  /** By their number, in order. What is in the journal is here too: the application has it. */
  readonly #pieces = new Map<number, Uint8Array>();
  #next: number;
  #length = 0;

  /** `bytes`: what the journal has of what an earlier session has begun, in its pieces. */
  constructor(
    commits: Pick<CommitQueue, "keep" | "remove">,
    state?: BegunState,
    pieces: readonly Uint8Array[] = [],
  ) {
    this.#commits = commits;
    this.#next = state?.first ?? 0;
    for (const piece of pieces) this.#add(piece);
  }

  /**
   * The application has taken `freshBytes` more bytes than ever before, or fewer than an earlier
   * session had, and cannot use the last of them yet. What was kept belongs to these, or is used.
   */
  take(freshBytes: number, begun: BegunInput | undefined): void {
    const { length, bytes } = begun ?? NOTHING;
    if (freshBytes >= length) this.#drop();
    const piece = bytes.subarray(bytes.length - Math.min(Math.max(freshBytes, 0), bytes.length));
    if (piece.length > 0) this.#commits.keep(begunName(this.#next), this.#add(piece));
  }

  /** By their journal names. Borrowed. */
  byName(): Map<string, Uint8Array> {
    return new Map([...this.#pieces].map(([number, piece]) => [begunName(number), piece]));
  }

  save(): BegunState | undefined {
    if (this.#length === 0) return undefined;
    return { length: this.#length, first: this.#next - this.#pieces.size, next: this.#next };
  }

  #add(piece: Uint8Array): Uint8Array {
    this.#pieces.set(this.#next, piece);
    this.#next += 1;
    this.#length += piece.length;
    return piece;
  }

  #drop(): void {
    if (this.#pieces.size === 0) return;
    for (const number of this.#pieces.keys()) this.#commits.remove(begunName(number));
    this.#pieces.clear();
    this.#length = 0;
  }
}
