import { ByteQueue } from "./byte-queue.ts";
import type { FrameType } from "./frame.ts";

/** What goes into the next frame. */
export interface FrameContent {
  readonly type: FrameType;
  readonly payload: Uint8Array;
}

/** What of a framer survives a restart. */
export interface FramerState {
  readonly framedBytes: number;
  readonly endAsked: boolean;
  readonly isEndFramed: boolean;
  /** Bytes that were accepted and not framed: only a halted stream saves them. */
  readonly buffered: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const FINAL_LENGTH_BYTES = 8;

/** Cuts the bytes of one direction into the payloads of numbered frames. */
export class Framer {
  readonly #queue = new ByteQueue();
  readonly #payloadMax: number;
  readonly #mode: number;
  #framedBytes = 0;
  #droppedBytes = 0;
  #endAsked = false;
  #isEndFramed = false;

  /** `payloadMax` is what one frame carries, `mode` the first payload byte of the first one. */
  constructor(payloadMax: number, mode: number, state?: FramerState) {
    this.#payloadMax = payloadMax;
    this.#mode = mode;
    if (state === undefined) return;
    this.#framedBytes = state.framedBytes;
    this.#endAsked = state.endAsked;
    this.#isEndFramed = state.isEndFramed;
    this.#queue.push(state.buffered);
  }

  /** Bytes that are in frames. */
  get framedBytes(): number {
    return this.#framedBytes;
  }

  /** All bytes that were accepted, whatever became of them. */
  get writtenBytes(): number {
    return this.#framedBytes + this.#queue.length + this.#droppedBytes;
  }

  /** Bytes that wait for a frame. */
  get bufferedBytes(): number {
    return this.#queue.length;
  }

  /** Everything, the end included if it was asked for, is in frames. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#endAsked === this.#isEndFramed;
  }

  get isEndFramed(): boolean {
    return this.#isEndFramed;
  }

  /** Takes bytes over; they must not be changed any more. */
  write(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  end(): void {
    this.#endAsked = true;
  }

  /** Drops what is not framed. */
  clear(): void {
    this.#droppedBytes += this.#queue.length;
    this.#queue.clear();
  }

  /** Whether there is a frame to make; with `mayBePartial`, also one that is not full. */
  hasFrame(index: number, mayBePartial: boolean): boolean {
    if (this.#isEndFramed) return false;
    const room = index === 0 ? this.#payloadMax - 1 : this.#payloadMax;
    if (this.#queue.length >= room || this.#endAsked) return true;
    return this.#queue.length > 0 && mayBePartial;
  }

  /** The content of frame `index`, only when there is one; its payload is not to be changed. */
  take(index: number): FrameContent {
    if (index === 0) return { type: "start", payload: this.#fill(Uint8Array.of(this.#mode)) };
    const isLast = this.#queue.length + FINAL_LENGTH_BYTES <= this.#payloadMax;
    if (!this.#endAsked || !isLast) return { type: "data", payload: this.#fill(NOTHING) };
    const length = new Uint8Array(FINAL_LENGTH_BYTES);
    const total = this.#framedBytes + this.#queue.length;
    new DataView(length.buffer).setBigUint64(0, BigInt(total));
    this.#isEndFramed = true;
    return { type: "end", payload: this.#fill(length) };
  }

  /** What a restart goes on from: the frames there are, without what waits for one. */
  saveFramed(): FramerState {
    const isEndFramed = this.#isEndFramed;
    return {
      framedBytes: this.#framedBytes,
      endAsked: isEndFramed,
      isEndFramed,
      buffered: NOTHING,
    };
  }

  /** Everything, for a writer that was halted. */
  save(): FramerState {
    return {
      framedBytes: this.#framedBytes,
      endAsked: this.#endAsked,
      isEndFramed: this.#isEndFramed,
      buffered: this.#queue.copy(),
    };
  }

  #fill(prefix: Uint8Array): Uint8Array {
    const room = this.#payloadMax - prefix.length;
    if (prefix.length === 0) {
      const bytes = this.#queue.take(room);
      this.#framedBytes += bytes.length;
      return bytes;
    }
    const payload = new Uint8Array(prefix.length + Math.min(room, this.#queue.length));
    payload.set(prefix);
    this.#framedBytes += this.#queue.takeInto(payload.subarray(prefix.length));
    return payload;
  }
}
