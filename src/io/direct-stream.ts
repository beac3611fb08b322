/// <reference path="../../types/udx-native.d.ts" />
import type UDX from "udx-native";
import binding from "udx-native/binding.js";
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
/**
 * In this mode udx tells of what has come once fewer than two packets of today's size have room
 * behind it: the memory that it is given says how many bytes it waits for.
 */
const WHEN_FULL = 1;
/** Two packets of the least size that a path comes down to: with no more it tells of each. */
const TWO_PACKETS_BYTES = 2_400;
/** More is not waited for: who waits for a long record hears now and then that it comes. */
const WAITED_BYTES_MAX = 16_384;
/** As long as it comes so soon after what came before, twice as much is waited for. */
const FAST_MS = 5;
/** Kept while nobody reads. udx has no way to make the sender wait: one that goes on is cut off. */
const HELD_BYTES_MAX = 4_194_304;

/**
 * A udx stream that hands packets on as they come. The queue of a streamx Readable, with a
 * microtask and an event for each packet, costs more than all that is done with most of them. So
 * the methods are replaced by which udx's native code fills that queue. On a fast stream it is not
 * even called for packets with which its reader cannot do anything yet: a call of JavaScript for
 * each costs as much as to open the records in them.
 */
export class DirectStream extends UdxStream {
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #receive: (bytes: Uint8Array) => void = () => {};
  #missingBytes: () => number = () => 1;
  #toldAt = 0;
  #isHeld = true;
  #isEndHeld = false;

  /** A stream of `udx` that hears what is sent to `id`. */
  constructor(udx: UDX, id: number) {
    super(udx, id);
    binding.udx_napi_stream_set_mode(this._handle, WHEN_FULL);
    // The end is told by the queue, in which nothing else is.
    this.resume();
  }

  /**
   * Hands on what came, and what comes from now on; the bytes are the receiver's.
   *
   * @param missingBytes with fewer the receiver cannot do anything; asked when it has had some
   */
  start(receive: (bytes: Uint8Array) => void, missingBytes: () => number = () => 1): void {
    this.#receive = receive;
    this.#missingBytes = missingBytes;
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
    const memory = this._buffer ?? this._reallocData();
    this.#take(memory.subarray(0, bytes));
    const isFast = this.#isFast();
    const waited = isFast && !this.#isHeld ? Math.min(this.#missingBytes(), bytes * 2) : 1;
    return this.#room(memory.buffer, memory.byteOffset + bytes, waited);
  }

  override _onend(bytes: number): void {
    if (bytes > 0 && this._buffer !== null) this.#take(this._buffer.subarray(0, bytes));
    if (this.#isHeld) this.#isEndHeld = true;
    else this.#end();
  }

  /** Called by udx also before this constructor has run. */
  override _reallocData(): Uint8Array {
    const bytes = this._buffer === null ? FIRST_MEMORY_BYTES : this._buffer.buffer.byteLength * 2;
    const memory = rawMemory(Math.min(bytes, MEMORY_BYTES_MAX));
    this._buffer = new Uint8Array(memory, 0, TWO_PACKETS_BYTES);
    return this._buffer;
  }

  #isFast(): boolean {
    const now = performance.now();
    const isFast = now - this.#toldAt < FAST_MS;
    this.#toldAt = now;
    return isFast;
  }

  /** The memory for what comes next, of which `waited` bytes are waited for. */
  #room(memory: ArrayBufferLike, at: number, waited: number): Uint8Array {
    const left = memory.byteLength - at;
    if (left < TWO_PACKETS_BYTES) return this._reallocData();
    const bytes = TWO_PACKETS_BYTES - 1 + Math.min(waited, WAITED_BYTES_MAX);
    this._buffer = new Uint8Array(memory, at, Math.min(bytes, left));
    return this._buffer;
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
