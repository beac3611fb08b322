/// <reference path="../../types/udx-native.d.ts" />
import type UDX from "udx-native";

/** How long what is unsent may take to leave: what is urgent waits behind it. */
const AHEAD_MS = 20;
/** Below this the event loop could not keep a fast path busy. */
const AHEAD_BYTES_MIN = 48 * 1_024;
const AHEAD_BYTES_MAX = 512 * 1_024;
/** The same where acknowledgements have far to come: they come in bursts, and so does room. */
const FAR_AHEAD_BYTES_MAX = 2 * 2 ** 20;
const FAR_MS = 20;
/** While much is unsent it is looked at so often. */
const LOOK_MS = 5;
/** So much on its way may be more than somebody wants to have there: he is told of less. */
const IN_FLIGHT_BYTES_MUCH = 16_384;
/** So much is written between two acknowledgements that the count of what was sent is set by. */
const MARK_BYTES = 256 * 1_024;
/** Over about so many packets the share of repeated ones is told. */
const SHARE_PACKETS = 200;
/** Bytes before the payload of a packet, which udx counts as sent. */
const HEADER_BYTES = 20;

/**
 * What udx has been given and has not sent yet. It takes what it gets and sends what its congestion
 * window lets out; on a slow path the rest would be a tenth of a second that nothing urgent can
 * overtake. How much was sent follows from its counters of packets; how much of the rest is too
 * much, from the rate that it takes the path for.
 */
export class UdxBacklog {
  readonly #stream: UDX.UdxStream;
  readonly #changed: () => void;
  #written = 0;
  #sent = 0;
  /** The counters of udx as they were when they were looked at last. */
  #bytes = 0;
  #packets = 0;
  #repeats = 0;
  /** Who waits for an acknowledgement of what was written up to `end`, in order. */
  #unacked: { readonly end: number; readonly done: () => void }[] = [];
  #repeatedShare = 0;
  #marked = 0;
  #isMarked = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param changed called now and then while there is less unsent than before */
  constructor(stream: UDX.UdxStream, changed: () => void) {
    this.#stream = stream;
    this.#changed = changed;
  }

  /** Bytes that were written and not sent, to a few packets. */
  get unsentBytes(): number {
    return Math.round(this.#written - this.#noteSent());
  }

  /** Which share of the last some hundred packets were repeated ones. */
  get repeatedShare(): number {
    return this.#repeatedShare;
  }

  /** What leaves in {@link AHEAD_MS} at the rate that udx takes the path for. */
  get unsentBytesMax(): number {
    const { bbrBandwidth, rtt } = this.#stream;
    const bytes = Math.round((bbrBandwidth / 1_000) * AHEAD_MS);
    const most = rtt < FAR_MS ? AHEAD_BYTES_MAX : FAR_AHEAD_BYTES_MAX;
    return Math.min(Math.max(bytes, AHEAD_BYTES_MIN), most);
  }

  /**
   * So many bytes more were written.
   *
   * @param done called once they are acknowledged: udx reads them until then
   */
  written(bytes: number, done?: () => void): void {
    this.#written += bytes;
    if (done !== undefined) this.#unacked.push({ end: this.#written, done });
    if (this.#written - this.#marked >= MARK_BYTES) this.#mark();
    if (this.#timer !== undefined || !this.#isMuch) return;
    this.#look();
  }

  /** Looks no more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  get #isMuch(): boolean {
    return this.#stream.inflight >= IN_FLIGHT_BYTES_MUCH || this.#isBehind;
  }

  get #isBehind(): boolean {
    return this.unsentBytes > this.unsentBytesMax / 2;
  }

  #look(): void {
    this.#timer = setTimeout(() => {
      this.#mark();
      this.#changed();
      if (this.#isMuch) this.#look();
      else this.#timer = undefined;
    }, LOOK_MS).unref();
  }

  /** Payload sent for the first time: what was repeated had packets like those around it. */
  #noteSent(): number {
    const { bytesTransmitted, packetsTransmitted, retransmits } = this.#stream;
    const packets = packetsTransmitted - this.#packets;
    if (packets === 0) return this.#sent;
    const payload = bytesTransmitted - this.#bytes - HEADER_BYTES * packets;
    const repeated = Math.min((retransmits - this.#repeats) & 0xffff, packets);
    this.#bytes = bytesTransmitted;
    this.#packets = packetsTransmitted;
    this.#repeats = retransmits;
    const weight = Math.min(packets / SHARE_PACKETS, 1);
    this.#repeatedShare += (repeated / packets - this.#repeatedShare) * weight;
    this.#sent = Math.min(this.#sent + payload * (1 - repeated / packets), this.#written);
    return this.#sent;
  }

  /** Has what was written so far told of once it is acknowledged: so much was sent for certain. */
  #mark(): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    const marked = this.#written;
    this.#marked = marked;
    void this.#stream.flush().then((isWhole) => {
      this.#isMarked = false;
      if (!isWhole) return;
      this.#sent = Math.max(this.#sent, marked);
      this.#acknowledged(marked);
      if (this.#timer !== undefined) this.#changed();
    });
  }

  #acknowledged(marked: number): void {
    const next = this.#unacked.findIndex(({ end }) => end > marked);
    const acked = this.#unacked.splice(0, next < 0 ? this.#unacked.length : next);
    for (const { done } of acked) done();
  }
}
