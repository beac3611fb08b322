/// <reference path="../../types/udx-native.d.ts" />
import type UDX from "udx-native";

/** How long what is unsent may take to leave: what is urgent waits behind it. */
const AHEAD_MS = 20;
/** Below this the event loop could not keep a fast path busy. */
const AHEAD_BYTES_MIN = 48 * 1_024;
const AHEAD_BYTES_MAX = 512 * 1_024;
/** While much is unsent it is looked at so often, and the rate is measured over so long. */
const LOOK_MS = 5;
const RATE_MS = 40;
/** So much is written between two acknowledgements that the count of what was sent is set by. */
const MARK_BYTES = 256 * 1_024;
/** Bytes before the payload of a packet, which udx counts as sent. */
const HEADER_BYTES = 20;

/**
 * What udx has been given and has not sent yet. It takes what it gets and sends what its congestion
 * window lets out; on a slow path the rest would be a tenth of a second that nothing urgent can
 * overtake. How much was sent follows from its counters of packets; how much of the rest is too
 * much, from the rate at which that grows.
 */
export class UdxBacklog {
  readonly #stream: UDX.UdxStream;
  readonly #changed: () => void;
  #written = 0;
  #marked = 0;
  /** What the counters leave out, as acknowledgements have shown. */
  #missed = 0;
  #repeated = 0;
  #repeatedCounter = 0;
  #timer: NodeJS.Timeout | undefined;
  #rateFrom = { at: 0, sent: 0 };
  #bytesPerMs = Number.POSITIVE_INFINITY;

  /** @param changed called now and then while there is less unsent than before */
  constructor(stream: UDX.UdxStream, changed: () => void) {
    this.#stream = stream;
    this.#changed = changed;
  }

  /** Bytes that were written and not sent, to a few packets. */
  get unsentBytes(): number {
    return Math.max(this.#written - this.#sent(), 0);
  }

  /** What leaves in {@link AHEAD_MS} at the rate of late. */
  get unsentBytesMax(): number {
    const bytes = Math.round(this.#bytesPerMs * AHEAD_MS);
    return Math.min(Math.max(bytes, AHEAD_BYTES_MIN), AHEAD_BYTES_MAX);
  }

  /** So many bytes more were written. */
  written(bytes: number): void {
    this.#written += bytes;
    if (this.#written - this.#marked >= MARK_BYTES) this.#mark(this.#written);
    if (this.#timer !== undefined || !this.#isMuch) return;
    this.#rateFrom = { at: performance.now(), sent: this.#sent() };
    this.#look();
  }

  /** Looks no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  get #isMuch(): boolean {
    return this.unsentBytes > this.unsentBytesMax / 2;
  }

  #look(): void {
    this.#timer = setTimeout(() => {
      this.#measure();
      this.#changed();
      if (this.#isMuch) this.#look();
      else this.#timer = undefined;
    }, LOOK_MS).unref();
  }

  /** While much is unsent the writer does not pause: what was sent is what the path took. */
  #measure(): void {
    const [at, sent] = [performance.now(), this.#sent()];
    const ms = at - this.#rateFrom.at;
    if (ms < RATE_MS) return;
    this.#bytesPerMs = (sent - this.#rateFrom.sent) / ms;
    this.#rateFrom = { at, sent };
  }

  /** Payload that was sent for the first time: what was repeated had packets like the others. */
  #sent(): number {
    const { bytesTransmitted, packetsTransmitted: packets, retransmits } = this.#stream;
    this.#repeated += (retransmits - this.#repeatedCounter) & 0xffff;
    this.#repeatedCounter = retransmits;
    const payload = bytesTransmitted - HEADER_BYTES * packets;
    const first = packets === 0 ? 0 : payload * (1 - this.#repeated / packets);
    return Math.round(first) + this.#missed;
  }

  #mark(marked: number): void {
    this.#marked = marked;
    void this.#stream.flush().then((isWhole) => {
      if (isWhole) this.#missed += Math.max(marked - this.#sent(), 0);
    });
  }
}
