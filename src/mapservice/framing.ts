import { CulvertError, concatBytes } from "../base/index.ts";

/** Length of the number that says how long the frame after it is. */
const PREFIX_BYTES = 4;

/**
 * Cuts a byte stream into frames: u32 length, then that many bytes. Holds no more than one chunk
 * and one unfinished frame; a length above the limit is refused before any of it is stored.
 */
export class FrameBuffer {
  #frameBytesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes that are here and were not taken yet. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The longest frame accepted from now on. */
  set frameBytesMax(bytes: number) {
    this.#frameBytesMax = bytes;
  }

  /** Adds a chunk, which must not be changed until its frames were taken. */
  push(chunk: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : concatBytes(this.#bytes, chunk);
  }

  /**
   * The next whole frame, without its length: a view. `undefined` when it is not all here.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it is empty or too long
   */
  take(): Uint8Array | undefined {
    const bytes = this.#bytes;
    if (bytes.length < PREFIX_BYTES) return undefined;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (length === 0 || length > this.#frameBytesMax) {
      const detail = { field: "frame length", length, limit: this.#frameBytesMax };
      throw new CulvertError("CULVERT_PROTOCOL", "a frame is empty or too long", { detail });
    }
    const end = PREFIX_BYTES + length;
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.subarray(end);
    return bytes.subarray(PREFIX_BYTES, end);
  }
}

/** Puts the length before a frame, into the four bytes that were left free for it. */
export function sealFrame(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length - PREFIX_BYTES);
  return bytes;
}
