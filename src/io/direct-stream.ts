/// <reference path="../../types/udx-native.d.ts" />
import type UDX from "udx-native";
import UdxStream from "udx-native/lib/stream.js";
import { CulvertError } from "../base/index.ts";
import { rawMemory } from "./memory.ts";

/**
 * Memory that packets are put into, one behind the other: the room that udx wants for the longest
 * one, then as much as has come, up to what a fast stream fills in a moment. Most links carry
 * little, and a node keeps many.
 */
const FIRST_MEMORY_BYTES = 4_096;
const MEMORY_BYTES_MAX = 67_584;
/** Kept while nobody reads. udx has no way to make the sender wait: one that goes on is cut off. */
const HELD_BYTES_MAX = 4_194_304;

/**
 * A udx stream that hands each packet on as it comes. The queue of a streamx Readable, with a
 * microtask and an event for each packet, costs more than all that is done with most of them. So
 * the methods are replaced by which udx's native code fills that queue.
 */
export class DirectStream extends UdxStream {
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #receive: (bytes: Uint8Array) => void = () => {};
  #isHeld = true;
  #isEndHeld = false;

  /** A stream of `udx` that hears what is sent to `id`. */
  constructor(udx: UDX, id: number) {
    super(udx, id);
    // The end is told by the queue, in which nothing else is.
    this.resume();
  }

  /** Hands on what came, and what comes from now on; the bytes are the receiver's. */
  start(receive: (bytes: Uint8Array) => void): void {
    this.#receive = receive;
    this.setReading(true);
  }

  /** Hands on what comes, or keeps it until it is told to. */
  setReading(isReading: boolean): void {
    this.#isHeld = !isReading;
    while (!this.#isHeld) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      this.#heldBytes -= bytes.length;
      this.#receive(bytes);
    }
    if (!this.#isHeld && this.#isEndHeld) this.#end();
  }

  override _ondata(bytes: number): Uint8Array {
    this.#take(this._consumeData(bytes));
    return this._buffer ?? this._reallocData();
  }

  override _onend(bytes: number): void {
    if (bytes > 0) this.#take(this._consumeData(bytes));
    if (this.#isHeld) this.#isEndHeld = true;
    else this.#end();
  }

  /** Called by udx also before this constructor has run. */
  override _reallocData(): Uint8Array {
    const bytes = this._buffer === null ? FIRST_MEMORY_BYTES : this._buffer.buffer.byteLength * 2;
    const memory = new Uint8Array(rawMemory(Math.min(bytes, MEMORY_BYTES_MAX)));
    this._buffer = memory;
    return memory;
  }

  #end(): void {
    this.#isEndHeld = false;
    this.push(null);
  }

  #take(bytes: Uint8Array): void {
    if (!this.#isHeld) {
      this.#receive(bytes);
      return;
    }
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= HELD_BYTES_MAX) this.#held.push(bytes);
    else this.destroy(new CulvertError("CULVERT_TOO_LARGE", "more came than is kept unread"));
  }
}
