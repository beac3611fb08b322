import type { Ledger } from "./ledger.ts";

/** Frames are journalled under this name until they are acknowledged. */
export function frameName(index: number): string {
  return `d${index}`;
}

/**
 * The sealed frames that are not acknowledged. With a journal those that are stored are on disk
 * alone, and are read back if they have to be put again; without one all of them are in memory.
 */
export class FrameShelf {
  readonly #ledger: Ledger;
  readonly #durable: boolean;
  readonly #sealed = new Map<number, Uint8Array>();
  /** Stream offset after each frame that this session sealed. */
  readonly #ends = new Map<number, number>();

  constructor(ledger: Ledger, durable: boolean) {
    this.#ledger = ledger;
    this.#durable = durable;
  }

  /** Sealed frames in memory. */
  get size(): number {
    return this.#sealed.size;
  }

  keep(index: number, sealed: Uint8Array, endOffset: number): void {
    this.#sealed.set(index, sealed);
    this.#ends.set(index, endOffset);
  }

  /** The frame, or `undefined` when it is on disk. Borrowed. */
  get(index: number): Uint8Array | undefined {
    return this.#sealed.get(index);
  }

  /** The stream offset after a frame, if this session sealed it. */
  endOffset(index: number): number | undefined {
    return this.#ends.get(index);
  }

  /** The Map has it: memory need not. */
  stored(index: number): void {
    if (this.#durable) this.#sealed.delete(index);
  }

  /** It is acknowledged: nobody needs it any more. */
  drop(index: number): void {
    this.#sealed.delete(index);
    this.#ends.delete(index);
    this.#ledger.remove(frameName(index));
  }

  /** What is in memory, by journal name. Borrowed. */
  byName(): Map<string, Uint8Array> {
    const byName = new Map<string, Uint8Array>();
    for (const [index, sealed] of this.#sealed) byName.set(frameName(index), sealed);
    return byName;
  }
}
