import { CulvertError } from "../base/index.ts";
import { UnreadBytes } from "./unread-bytes.ts";

/** Length of the number that says how long the frame after it is. */
const PREFIX_BYTES = 4;

/**
 * Cuts a byte stream into frames: u32 length, then that many bytes. Memory stays within twice what
 * is unread, whatever the sizes of the chunks; a length above the limit is refused before any of
 * the frame is stored.
 */
export class FrameBuffer {
  #frameBytesMax: number;
  readonly #unread = new UnreadBytes();
  /** Length of the frame whose prefix was read. */
  #awaited: number | undefined;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes that are here and were not taken yet. */
  get length(): number {
    return this.#unread.length + (this.#awaited === undefined ? 0 : PREFIX_BYTES);
  }

  /** The longest frame accepted from now on. */
  set frameBytesMax(bytes: number) {
    this.#frameBytesMax = bytes;
  }

  /** Adds a chunk, which must not be changed until its frames were taken. */
  push(chunk: Uint8Array): void {
    this.#unread.push(chunk);
  }

  /**
   * The next whole frame, without its length: a view, which is never written to again but may keep
   * more memory than its own. `undefined` when it is not all here.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when it is empty or too long
   */
  take(): Uint8Array | undefined {
    this.#awaited ??= this.#prefix();
    if (this.#awaited === undefined || this.#unread.length < this.#awaited) return undefined;
    const frame = this.#unread.take(this.#awaited);
    this.#awaited = undefined;
    return frame;
  }

  /** Everything that is left, when no more frames are expected: a view. */
  rest(): Uint8Array {
    return this.#unread.take(this.#unread.length);
  }

  #prefix(): number | undefined {
    if (this.#unread.length < PREFIX_BYTES) return undefined;
    const length = this.#unread.takeU32();
    if (length === 0 || length > this.#frameBytesMax) {
      const detail = { field: "frame length", length, limit: this.#frameBytesMax };
      throw new CulvertError("CULVERT_PROTOCOL", "a frame is empty or too long", { detail });
    }
    return length;
  }
}

/** Puts the length before a frame, into the four bytes that were left free for it. */
export function sealFrame(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length - PREFIX_BYTES);
  return bytes;
}
