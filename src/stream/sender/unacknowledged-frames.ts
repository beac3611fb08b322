import { assert, NumberMap } from "../../base/index.ts";
import type { CommitQueue } from "../exchange/commit-queue.ts";
import { FRAME_ID_BYTES } from "../frame/cell.ts";
import { payloadBytesMax } from "../frame/frame.ts";

/** A frame that carries fewer bytes than fit, and how many it lacks. */
export interface ShortFrame {
  readonly index: number;
  readonly lackingBytes: number;
}

/** What earlier sessions have put into frames: how many there are, and the bytes in them. */
interface EarlierFrames {
  readonly next: number;
  readonly framer: { readonly framedBytes: number };
  readonly short?: readonly ShortFrame[];
}

/**
 * Short frames that are remembered for the next session, the newest. Of few and full frames, or of
 * few messages, it then knows where each has ended; each head of a journal has them, so that many
 * small ones must not cost more than this.
 */
export const SHORT_FRAMES_MAX = 64;

/** Frames are journalled under this name until they are acknowledged. */
export function frameName(index: number): string {
  return `d${index}`;
}

/**
 * Small frames share a buffer, so many of them at the most: making one costs as much as sealing a
 * small frame. One that is left keeps the others in memory, so they are few.
 */
const FRAMES_PER_SLAB = 4;
const SLAB_BYTES_MAX = 16_384;

/**
 * Bytes of memory that frames have left and that the next ones are sealed in: with the frames that
 * are held no more than there were at once. Acknowledgements come in lots, some of them as large.
 */
const SPARE_BYTES_MAX = 4_194_304;

/**
 * Room for some frames. Bit j of `held` says that the j-th is in it, of `lent` that a put may still
 * read it.
 */
interface Slab {
  readonly bytes: Uint8Array;
  held: number;
  lent: number;
}

/**
 * The sealed frames that are not acknowledged. With a journal those that are stored are on disk
 * alone, and are read back if they have to be put again; without one all of them are in memory.
 */
export class UnacknowledgedFrames {
  readonly #commits: CommitQueue;
  readonly #durable: boolean;
  readonly #sealedBytes: number;
  readonly #payloadMax: number;
  readonly #earlierFrames: number;
  readonly #earlierBytes: number;
  readonly #earlierShort: readonly ShortFrame[];
  readonly #framesPerSlab: number;
  readonly #slabs = new NumberMap<Slab>();
  /** Fresh memory costs about what sealing does; none is kept for a stream that is at rest. */
  readonly #spare: Uint8Array[] = [];
  /** Stream offset after each frame that this session sealed. */
  readonly #ends = new NumberMap<number>();
  #lastEnd: number;
  readonly #short: ShortFrame[];
  #size = 0;

  constructor(
    commits: CommitQueue,
    options: { readonly durable: boolean; readonly cellBytes: number },
    earlier?: EarlierFrames,
  ) {
    const { durable, cellBytes } = options;
    this.#commits = commits;
    this.#durable = durable;
    this.#payloadMax = payloadBytesMax(cellBytes);
    this.#earlierFrames = earlier?.next ?? 0;
    this.#earlierBytes = earlier?.framer.framedBytes ?? 0;
    this.#earlierShort = earlier?.short ?? [];
    this.#lastEnd = this.#earlierBytes;
    this.#short = [...this.#earlierShort];
    this.#sealedBytes = FRAME_ID_BYTES + cellBytes;
    const fitting = Math.floor(SLAB_BYTES_MAX / this.#sealedBytes);
    this.#framesPerSlab = Math.min(Math.max(fitting, 1), FRAMES_PER_SLAB);
  }

  /** Sealed frames in memory. */
  get size(): number {
    return this.#size;
  }

  /**
   * Room for a frame to be sealed in, with whatever was there; from now on it is kept. Each index
   * once. It is lent to the frame's put, and its memory is used for no other before that was
   * `returned`.
   */
  place(index: number): Uint8Array {
    const number = Math.floor(index / this.#framesPerSlab);
    let slab = this.#slabs.get(number);
    if (slab === undefined) {
      slab = { bytes: this.#memory(), held: 0, lent: 0 };
      this.#slabs.set(number, slab);
    }
    const bit = this.#bit(index);
    assert((slab.held & bit) === 0, "a place is given once");
    slab.held |= bit;
    slab.lent |= bit;
    this.#size += 1;
    return this.#bytes(index, slab);
  }

  /** The newest of those that are not full, from the lowest on: for the next session. */
  get short(): readonly ShortFrame[] {
    return [...this.#short];
  }

  /** Notes the stream offset after a frame. Of each in turn. */
  noteEnd(index: number, offset: number): void {
    this.#ends.set(index, offset);
    const lackingBytes = this.#payloadMax - (offset - this.#lastEnd);
    this.#lastEnd = offset;
    // The first one is full with a byte less, and behind no other.
    if (lackingBytes === 0 || index === 0) return;
    this.#short.push({ index, lackingBytes });
    if (this.#short.length > SHORT_FRAMES_MAX) this.#short.shift();
  }

  /** The frame, to be put again, or `undefined` when it is on disk. Lent as by `place`. */
  get(index: number): Uint8Array | undefined {
    const slab = this.#slabs.get(Math.floor(index / this.#framesPerSlab));
    if (slab === undefined || (slab.held & this.#bit(index)) === 0) return undefined;
    slab.lent |= this.#bit(index);
    return this.#bytes(index, slab);
  }

  /**
   * The stream offset after a frame, or the least that it can be: of the frames of an earlier
   * session not all that are short may be known, but none behind it has more than fits.
   */
  endOffset(index: number): number {
    const end = this.#ends.get(index);
    if (end !== undefined || index >= this.#earlierFrames) return end ?? 0;
    let behind = (this.#earlierFrames - 1 - index) * this.#payloadMax;
    for (const short of this.#earlierShort) if (short.index > index) behind -= short.lackingBytes;
    return Math.max(this.#earlierBytes - behind, 0);
  }

  /** The only put that read it has ended. */
  returned(index: number): void {
    const slab = this.#slabs.get(Math.floor(index / this.#framesPerSlab));
    if (slab !== undefined) slab.lent &= ~this.#bit(index);
  }

  /** The Map has it: memory need not. */
  stored(index: number): void {
    if (this.#durable) this.#release(index);
  }

  /** It is acknowledged: nobody needs it any more. Tells its `endOffset` a last time. */
  drop(index: number): number {
    const end = this.endOffset(index);
    this.#release(index);
    this.#ends.delete(index);
    while ((this.#short[0]?.index ?? index + 1) <= index) this.#short.shift();
    this.#commits.remove(frameName(index));
    return end;
  }

  /** What is in memory, by journal name. Borrowed. */
  byName(): Map<string, Uint8Array> {
    const byName = new Map<string, Uint8Array>();
    for (const number of this.#slabs.keys()) {
      const slab = this.#slabs.get(number) as Slab;
      for (let j = 0; j < this.#framesPerSlab; j++) {
        const index = number * this.#framesPerSlab + j;
        if ((slab.held & this.#bit(index)) !== 0) {
          byName.set(frameName(index), this.#bytes(index, slab));
        }
      }
    }
    return byName;
  }

  #release(index: number): void {
    const number = Math.floor(index / this.#framesPerSlab);
    const slab = this.#slabs.get(number);
    const bit = this.#bit(index);
    if (slab === undefined || (slab.held & bit) === 0) return;
    slab.held &= ~bit;
    this.#size -= 1;
    if (slab.held !== 0) return;
    this.#slabs.delete(number);
    if (this.#size === 0) this.#spare.length = 0;
    else if (slab.lent === 0) this.#keep(slab.bytes);
  }

  #keep(bytes: Uint8Array): void {
    if ((this.#spare.length + 1) * bytes.length <= SPARE_BYTES_MAX) this.#spare.push(bytes);
  }

  #memory(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.#framesPerSlab * this.#sealedBytes);
  }

  #bit(index: number): number {
    return 1 << (index % this.#framesPerSlab);
  }

  #bytes(index: number, { bytes }: Slab): Uint8Array {
    const at = (index % this.#framesPerSlab) * this.#sealedBytes;
    return bytes.subarray(at, at + this.#sealedBytes);
  }
}
