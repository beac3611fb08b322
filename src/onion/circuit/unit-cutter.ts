/** A chunk that has one part in so many of its memory is cut into copies. */
const DENSE = 2;

/**
 * Cuts the bytes of a channel into units: the first one that the opener sends is as long as a
 * packet, all others are as long as a cell. Holds less than one unit.
 */
export class UnitCutter {
  readonly #cellBytes: number;
  /** Of the unit that is due. */
  #unitBytes: number;
  /** Its beginning, when the last chunk ended within it. */
  #begun: Uint8Array | undefined;
  #filled = 0;

  constructor(options: { readonly firstBytes: number; readonly cellBytes: number }) {
    this.#cellBytes = options.cellBytes;
    this.#unitBytes = options.firstBytes;
  }

  /** Takes a chunk, which is handed over; the units that are whole with it. */
  push(chunk: Uint8Array): Uint8Array[] {
    const units: Uint8Array[] = [];
    // A view keeps all of the memory behind it: only who fills most of that may be one.
    const isDense = DENSE * chunk.length >= chunk.buffer.byteLength;
    let at = 0;
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + this.#unitBytes - this.#filled);
      at += part.length;
      const isView = isDense && part.length === this.#unitBytes;
      const unit = isView ? part : this.#gather(part);
      if (unit === undefined) break;
      units.push(unit);
      this.#unitBytes = this.#cellBytes;
    }
    return units;
  }

  /** Adds a part to the unit that has begun; the unit, if that makes it whole. */
  #gather(part: Uint8Array): Uint8Array | undefined {
    const unit = this.#begun ?? new Uint8Array(this.#unitBytes);
    unit.set(part, this.#filled);
    this.#filled += part.length;
    const isWhole = this.#filled === unit.length;
    this.#begun = isWhole ? undefined : unit;
    if (isWhole) this.#filled = 0;
    return isWhole ? unit : undefined;
  }
}
