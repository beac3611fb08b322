import { assert } from "../../base/index.ts";
import type { CommitQueue } from "../exchange/commit-queue.ts";
import { encodeFinalLength, FINAL_LENGTH_BYTES, MODE_BYTES } from "../frame/content.ts";
import type { FrameType } from "../frame/frame.ts";
import { ByteQueue } from "./byte-queue.ts";

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
  /** Bytes that were accepted and not framed: only a halt makes them durable. */
  readonly waitingBytes: number;
}

/**
 * What a halt leaves of the bytes that wait for a frame is journalled under this name, once, until
 * all of it is in frames: of those that are not yet, a head tells only how many they are.
 */
export const WAITING_NAME = "waiting";

const NOTHING = new Uint8Array(0);

/** What waits for a frame unless options say otherwise: so many frames' bytes, or so many. */
const WRITE_BUFFER_FRAMES = 16;
const WRITE_BUFFER_BYTES = 256 * 1024;

/** What a framer works with. */
export interface FramerInit {
  /** Bytes that one frame carries. */
  readonly payloadMax: number;
  /** The first payload byte of the first one. */
  readonly mode: number;
  /** Bytes that may wait before the writer has to; 0: as {@link WRITE_BUFFER_FRAMES} say. */
  readonly writeBufferBytes: number;
  readonly commits: Pick<CommitQueue, "remove">;
  /** The bytes that the saved state counts as waiting; they become the framer's. */
  readonly waiting?: Uint8Array | undefined;
}

/** Cuts the bytes of one direction into the payloads of numbered frames. */
export class Framer {
  readonly #queue = new ByteQueue();
  readonly #payloadMax: number;
  readonly #mode: number;
  readonly #commits: Pick<CommitQueue, "remove">;
  #framedBytes = 0;
  #droppedBytes = 0;
  #endAsked = false;
  #isEndFramed = false;
  /** How many of the bytes that wait, and whether the end, an earlier session left behind. */
  #inheritedBytes = 0;
  #isEndInherited = false;
  readonly #bufferMax: number;
  #wasFull = false;

  constructor(init: FramerInit, state?: FramerState) {
    const { payloadMax, writeBufferBytes, waiting = NOTHING } = init;
    this.#payloadMax = payloadMax;
    this.#mode = init.mode;
    this.#commits = init.commits;
    const usual = Math.min(WRITE_BUFFER_FRAMES * payloadMax, WRITE_BUFFER_BYTES);
    this.#bufferMax = writeBufferBytes === 0 ? usual : writeBufferBytes;
    if (state === undefined) return;
    assert(waiting.length === state.waitingBytes, "what waits comes with the state");
    this.#framedBytes = state.framedBytes;
    this.#endAsked = state.endAsked;
    this.#isEndFramed = state.isEndFramed;
    this.#queue.push(waiting);
    this.#inheritedBytes = waiting.length;
    this.#isEndInherited = state.endAsked;
  }

  /** Bytes that are in frames. */
  get framedBytes(): number {
    return this.#framedBytes;
  }

  /** All bytes that were accepted, whatever became of them. */
  get writtenBytes(): number {
    return this.#framedBytes + this.#queue.length + this.#droppedBytes;
  }

  /** Everything, the end included if it was asked for, is in frames. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#endAsked === this.#isEndFramed;
  }

  get isEndFramed(): boolean {
    return this.#isEndFramed;
  }

  /** Whether the writer should wait until `drain` says that there is room. */
  get isFull(): boolean {
    return this.#queue.length >= this.#bufferMax;
  }

  /** Takes bytes; they must not be changed before `own`. */
  write(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    if (this.isFull) this.#wasFull = true;
  }

  /** Copies what was written since the last time and is in no frame: its owner may change it. */
  own(): void {
    this.#queue.own();
  }

  /** True once after it was full, when half of that has left. */
  drain(): boolean {
    if (!this.#wasFull || 2 * this.#queue.length > this.#bufferMax) return false;
    this.#wasFull = false;
    return true;
  }

  end(): void {
    this.#endAsked = true;
  }

  /** Drops what is not framed. */
  clear(): void {
    this.#droppedBytes += this.#queue.length;
    this.#queue.clear();
    this.#pass(this.#inheritedBytes);
    this.#isEndInherited = false;
  }

  /** Whether there is a frame to make; with `mayBePartial`, also one that is not full. */
  hasFrame(index: number, mayBePartial: boolean): boolean {
    if (this.#isEndFramed) return false;
    const room = index === 0 ? this.#payloadMax - MODE_BYTES : this.#payloadMax;
    if (this.#queue.length >= room || this.#endAsked) return true;
    return this.#queue.length > 0 && mayBePartial;
  }

  /** The content of frame `index`, only when there is one; its payload is not to be changed. */
  take(index: number): FrameContent {
    if (index === 0) return { type: "start", payload: this.#fill(Uint8Array.of(this.#mode)) };
    const isLast = this.#queue.length + FINAL_LENGTH_BYTES <= this.#payloadMax;
    if (!this.#endAsked || !isLast) return { type: "data", payload: this.#fill(NOTHING) };
    const length = this.#framedBytes + this.#queue.length;
    this.#isEndFramed = true;
    return { type: "end", payload: this.#fill(encodeFinalLength(length)) };
  }

  /**
   * What a restart goes on from: the frames there are, and of what waits for one only what an
   * earlier session made durable, as its writer was told that it is.
   */
  saveFramed(): FramerState {
    const isEndFramed = this.#isEndFramed;
    return {
      framedBytes: this.#framedBytes,
      endAsked: isEndFramed || this.#isEndInherited,
      isEndFramed,
      waitingBytes: this.#inheritedBytes,
    };
  }

  /** Everything, for a writer that was halted; `waiting` has the bytes. */
  save(): FramerState {
    return {
      framedBytes: this.#framedBytes,
      endAsked: this.#endAsked,
      isEndFramed: this.#isEndFramed,
      waitingBytes: this.#queue.length,
    };
  }

  /** A copy of what waits for a frame, by its journal name, if anything does. */
  waiting(): Map<string, Uint8Array> {
    return new Map(this.#queue.length === 0 ? [] : [[WAITING_NAME, this.#queue.copy()]]);
  }

  #fill(prefix: Uint8Array): Uint8Array {
    const length = Math.min(this.#payloadMax - prefix.length, this.#queue.length);
    this.#framedBytes += length;
    this.#pass(length);
    if (prefix.length === 0) return this.#queue.take(length);
    const payload = new Uint8Array(prefix.length + length);
    payload.set(prefix);
    this.#queue.takeInto(payload.subarray(prefix.length));
    return payload;
  }

  /** So many bytes wait no more; what a halt left of them is forgotten with the last one. */
  #pass(bytes: number): void {
    if (this.#inheritedBytes === 0) return;
    this.#inheritedBytes = Math.max(0, this.#inheritedBytes - bytes);
    if (this.#inheritedBytes === 0) this.#commits.remove(WAITING_NAME);
  }
}
