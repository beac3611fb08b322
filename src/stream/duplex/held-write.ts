import type { Writable } from "node:stream";
import { type Callback, HeldCallback } from "./held-callback.ts";

/** Who takes the bytes of a Writable. */
interface Taker {
  /** Copies what is in no frame of what was written: until now it was borrowed. */
  own(): void;
  readonly progress: { readonly writtenBytes: number };
}

/**
 * The write of which Node's side was not told yet that it is done, as the core has no room: until
 * then what is written behind it waits on Node's side.
 */
export class HeldWrite {
  readonly #stream: Writable;
  readonly #core: Taker;
  readonly #held = new HeldCallback();
  #bytes = 0;

  constructor(stream: Writable, core: Taker) {
    this.#stream = stream;
    this.#core = core;
  }

  /** All that was written, in all sessions; Node may have some of it still. */
  get writtenBytes(): number {
    // Node counts the chunk that is held as waiting, which the core has.
    return this.#core.progress.writtenBytes + this.#stream.writableLength - this.#bytes;
  }

  hold(callback: Callback, bytes: number): void {
    this.#held.hold(callback);
    this.#bytes = bytes;
  }

  /** Gives the chunk back to its owner, if one is held; Node may have the next one written. */
  release(error?: Error): void {
    this.#core.own();
    this.#bytes = 0;
    this.#held.release(error);
  }

  /**
   * Has the core take over all that Node has buffered, so that nothing that was written is lost.
   * What is written on being called back is not waited for: whoever always writes again would have
   * no end.
   */
  takeOver(): void {
    while (this.#stream.writableCorked > 0) this.#stream.uncork();
    const all = this.writtenBytes;
    for (let isOver = false; this.#held.isHeld && !isOver; this.release()) {
      isOver = this.#core.progress.writtenBytes >= all;
    }
  }
}
