/** The longest payload of a record that is copied: the copy fits one packet of any path. */
export const COPIED_BYTES_MAX = 1_060;
/** What may be sent without an acknowledgement for a record to be copied: traffic that is thin. */
export const COPIED_AHEAD_BYTES_MAX = 131_072;
/** So many records later a copy is sent once more, if nothing has acknowledged it. */
export const COPIED_AGAIN_AFTER = 3;
/** From this share of packets on that had to be repeated, a path is worth the copies. */
export const COPIED_LOSS_MIN = 0.005;
/** Records whose copies are kept until those before them have come. */
const COPIES_MAX = 128;

/**
 * Copies of short records that came beside the ordered ones, before their turn. On a path that
 * loses packets a record waits for every one before it that has to be repeated, for a round trip
 * and more. A copy stands alone: both have to get lost for that.
 */
export class EarlyCopies {
  readonly #payloads = new Map<number, Uint8Array>();

  /** Keeps the copy of record `number`, borrowed, while `next` is the next one that is due. */
  put(number: number, payload: Uint8Array, next: number): void {
    if (number < next || number >= next + COPIES_MAX) return;
    this.#payloads.set(number, payload.slice()); // it lies among many other packets
  }

  /** Takes the copy of the record that is due; forgets those of the records before it. */
  take(next: number): Uint8Array | undefined {
    if (this.#payloads.size === 0) return undefined;
    for (const number of this.#payloads.keys()) if (number < next) this.#payloads.delete(number);
    const payload = this.#payloads.get(next);
    this.#payloads.delete(next);
    return payload;
  }
}
