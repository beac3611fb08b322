import { CulvertError, isCulvertError, plainBytes } from "../../base/index.ts";
import { FrameBuffer } from "../../codec/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import {
  CALL_FRAME,
  CALL_FRAME_OVERHEAD,
  type CallFrame,
  encodeCallFrame,
  readCallFrame,
} from "./call-frame.ts";
import type { StreamCallLimits } from "./stream-limits.ts";

interface Waiter {
  resolve(frame: CallFrame | undefined): void;
  reject(error: Error): void;
}

/**
 * Frames over one byte stream, both ways, with the stream's own back-pressure: a slow reader stops
 * the stream, and a full stream makes `send` wait. One frame is awaited at a time.
 */
export class FrameStream {
  readonly #stream: ByteDuplex;
  readonly #limits: StreamCallLimits;
  readonly #frames: FrameBuffer;
  #waiter: Waiter | undefined;
  #drains: { resolve(): void; reject(error: Error): void }[] = [];
  #isEnded = false;
  #hasEnded = false;
  #failure: Error | undefined;
  /** Why nobody here is to wait any more, while the other side may still be told. */
  #interruption: Error | undefined;
  #isOver = false;
  #onOver: (() => void) | undefined;

  constructor(stream: ByteDuplex, limits: StreamCallLimits) {
    this.#stream = stream;
    this.#limits = limits;
    this.#frames = new FrameBuffer(limits.itemBytesMax + CALL_FRAME_OVERHEAD);
    stream.on("data", this.#data);
    stream.on("end", this.#end);
    stream.on("drain", this.#drain);
    stream.on("error", this.#error);
    stream.on("close", this.#close);
    if (stream.destroyed) this.#close();
  }

  /** Called once when the stream is gone; at once if it is. */
  set onOver(listener: () => void) {
    if (this.#isOver) listener();
    else this.#onOver = listener;
  }

  /**
   * The next frame, which belongs to the caller; `undefined` after the peer's proper end.
   *
   * @throws CulvertError `CULVERT_PEER_ABORTED`, `CULVERT_PROTOCOL`; or what it was destroyed with
   */
  async next(): Promise<CallFrame | undefined> {
    if (this.#interruption !== undefined) throw this.#interruption;
    if (this.#frames.length < this.#limits.queuedBytesHigh / 2) this.#stream.resume();
    const frame = this.#take();
    if (frame !== undefined) return frame;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isEnded) return undefined;
    return await new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#stream.resume();
    });
  }

  /** Sends a frame; resolves when there is room for another one, or when nobody is to wait. */
  async send(type: number, body: Uint8Array): Promise<void> {
    if (body.length > this.#limits.itemBytesMax + CALL_FRAME_OVERHEAD - 1) {
      throw new CulvertError("CULVERT_TOO_LARGE", "an item is larger than it may be");
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isOver || this.#hasEnded) throw gone();
    const hasRoom = this.#stream.write(encodeCallFrame(type, body));
    if (hasRoom || this.#interruption !== undefined) return;
    await new Promise<void>((resolve, reject) => this.#drains.push({ resolve, reject }));
  }

  /** Sends a last frame without waiting for room; nothing if nobody is there to hear it. */
  post(type: number, body: Uint8Array): void {
    if (this.#hasEnded || !this.#stream.writable) return;
    this.#stream.write(encodeCallFrame(type, body));
  }

  /** Ends this side. */
  end(): void {
    if (this.#hasEnded || this.#isOver) return;
    this.#hasEnded = true;
    this.#stream.end();
  }

  /** Whoever waits here fails with `error`, and nothing more is read; the stream stays. */
  interrupt(error: Error): void {
    this.#interruption ??= error;
    this.#rejectAll(error);
  }

  /** Ends both sides at once; whoever waits here fails with `error`. */
  destroy(error: Error): void {
    this.#fail(error);
    if (!this.#stream.destroyed) this.#stream.destroy();
  }

  /** Drops whatever still comes, so that the stream can end by itself. */
  ignoreRest(): void {
    this.#stream.off("data", this.#data);
    this.#stream.on("data", () => {});
    this.#stream.resume();
  }

  /**
   * Gives the stream back, with the bytes behind the last frame that was taken.
   *
   * @throws Error what it has failed with since that one
   */
  release(): ByteDuplex {
    const stream = this.#stream;
    if (this.#failure !== undefined || stream.destroyed) throw this.#failure ?? gone();
    stream.pause();
    stream.off("data", this.#data);
    stream.off("end", this.#end);
    stream.off("drain", this.#drain);
    stream.off("error", this.#error);
    stream.off("close", this.#close);
    // A peer that cuts it before its new owner listens must not end the process.
    stream.on("error", () => {});
    const rest = this.#frames.rest();
    if (rest.length > 0) stream.unshift(rest.slice());
    return stream;
  }

  readonly #data = (chunk: Uint8Array): void => {
    this.#frames.push(plainBytes(chunk));
    const waiter = this.#waiter;
    if (waiter === undefined) {
      if (this.#frames.length >= this.#limits.queuedBytesHigh) this.#stream.pause();
      return;
    }
    const frame = this.#take();
    if (frame === undefined) return;
    this.#waiter = undefined;
    waiter.resolve(frame);
  };

  readonly #end = (): void => {
    this.#isEnded = true;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (this.#frames.length === 0) waiter?.resolve(undefined);
    else waiter?.reject(this.#cutShort());
  };

  readonly #drain = (): void => {
    const drains = this.#drains;
    this.#drains = [];
    for (const { resolve } of drains) resolve();
  };

  readonly #error = (error: Error): void => {
    this.#fail(new CulvertError("CULVERT_PEER_ABORTED", undefined, { cause: error }));
  };

  readonly #close = (): void => {
    this.#isOver = true;
    if (!this.#isEnded || this.#drains.length > 0) this.#fail(gone());
    const onOver = this.#onOver;
    this.#onOver = undefined;
    onOver?.();
  };

  #take(): CallFrame | undefined {
    try {
      const bytes = this.#frames.take();
      const frame = bytes && readCallFrame(bytes.slice());
      // What follows may be for whoever the stream is given to: not even its end is looked at.
      if (frame !== undefined && isTurningPoint(frame)) this.#stream.pause();
      if (frame !== undefined) return frame;
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.destroy(error);
    }
    if (this.#isEnded && this.#frames.length > 0) this.#fail(this.#cutShort());
    return undefined;
  }

  #cutShort(): CulvertError {
    return new CulvertError("CULVERT_PROTOCOL", "a stream ended inside a frame");
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#rejectAll(this.#failure);
  }

  #rejectAll(error: Error): void {
    const [waiter, drains] = [this.#waiter, this.#drains];
    this.#waiter = undefined;
    this.#drains = [];
    waiter?.reject(error);
    for (const { reject } of drains) reject(error);
  }
}

/** Whether a raw call may begin behind a frame. */
function isTurningPoint({ type }: CallFrame): boolean {
  return type === CALL_FRAME.open || type === CALL_FRAME.accepted;
}

function gone(): CulvertError {
  return new CulvertError("CULVERT_PEER_ABORTED", "the other side gave the call up");
}
