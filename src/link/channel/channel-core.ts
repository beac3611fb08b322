import { type Core, CulvertError, type Instant, isCulvertError } from "../../base/index.ts";
import { AEAD_TAG_BYTES } from "../../crypto/index.ts";
import { DatagramOpener, DatagramSealer } from "./datagram-cipher.ts";
import { HANDSHAKE_BYTES_MAX, Handshake, type HandshakeOptions } from "./handshake.ts";
import { RecordBuffer } from "./record-buffer.ts";
import { RECORD_PAYLOAD_BYTES_MAX, RecordOpener, RecordSealer } from "./record-cipher.ts";

/** What happens to a channel. Bytes are handed over. */
export type ChannelInput =
  /** Once, before anything else: the initiator sends its first message. */
  | { readonly kind: "begin" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "datagram"; readonly bytes: Uint8Array }
  /** Only after `ready`; the payload is borrowed. */
  | { readonly kind: "send-datagram"; readonly payload: Uint8Array }
  /** Nothing more will be sent, and nothing be looked at. */
  | { readonly kind: "close" };

/** What a channel wants done. Bytes are handed over. */
export type ChannelEffect =
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  | { readonly kind: "write-datagram"; readonly bytes: Uint8Array }
  /** The handshake is over; `peerKey` is the peer's ed25519 key. */
  | { readonly kind: "ready"; readonly peerKey: Uint8Array }
  | { readonly kind: "message"; readonly payload: Uint8Array }
  | { readonly kind: "datagram"; readonly payload: Uint8Array }
  /** The last effect: the connection ends after what was written. */
  | { readonly kind: "close" }
  /** The last effect: the connection has to be cut. */
  | { readonly kind: "fail"; readonly error: CulvertError };

interface Ciphers {
  readonly sealer: RecordSealer;
  readonly opener: RecordOpener;
  readonly datagramSealer: DatagramSealer;
  readonly datagramOpener: DatagramOpener;
}

/**
 * An authenticated, encrypted channel of messages over an ordered byte connection that nobody
 * trusts: the handshake, then records. A record that was changed, repeated, left out or is too long
 * ends the channel; a datagram that does not open is counted and dropped. It has no timers: its
 * owner limits the time of the handshake.
 */
export class ChannelCore implements Core<ChannelInput, ChannelEffect> {
  readonly #isInitiator: boolean;
  /** Until the channel is ready: its secrets would tell what later keys are to keep. */
  #handshake: Handshake | undefined;
  readonly #records = new RecordBuffer(HANDSHAKE_BYTES_MAX);
  readonly #effects: ChannelEffect[] = [];
  #ciphers: Ciphers | undefined;
  #isOver = false;
  #droppedDatagrams = 0;

  constructor(options: HandshakeOptions) {
    this.#isInitiator = options.isInitiator;
    this.#handshake = new Handshake(options);
  }

  /** Datagrams that were forged, repeated, too late or too early. */
  get droppedDatagrams(): number {
    return this.#droppedDatagrams;
  }

  /**
   * Takes bytes, handed over, if nothing follows from them: most packets are a piece of a record.
   *
   * @returns false when they have to be given as an input
   */
  absorb(bytes: Uint8Array): boolean {
    return !this.#isOver && this.#records.absorb(bytes);
  }

  /**
   * The next record, of a payload that is borrowed, to be written at once: the owner counts what
   * it has written, and what waited among inputs would not be counted.
   *
   * @param record memory of its size
   * @returns `undefined` before the channel is ready, and after its end
   */
  seal(payload: Uint8Array, record?: Uint8Array): Uint8Array | undefined {
    return this.#isOver ? undefined : this.#ciphers?.sealer.seal(payload, record);
  }

  /** Bytes until there is a record, as far as can be told; at least one. */
  get missingBytes(): number {
    return this.#records.missingBytes;
  }

  /** Whether a record has begun to come and is not whole yet. */
  get isAmidRecord(): boolean {
    return this.#records.isAmid;
  }

  handle(input: ChannelInput, _now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "begin":
        if (!this.#isInitiator) break;
        this.#try(() => this.#writeHandshake(this.#handshake?.begin()));
        break;
      case "bytes":
        this.#try(() => this.#receive(input.bytes));
        break;
      case "datagram":
        this.#receiveDatagram(input.bytes);
        break;
      case "send-datagram":
        if (this.#ciphers === undefined) break;
        this.#effects.push({
          kind: "write-datagram",
          bytes: this.#ciphers.datagramSealer.seal(input.payload),
        });
        break;
      case "close":
        this.#isOver = true;
        this.#effects.push({ kind: "close" });
        break;
    }
  }

  timeout(_now: Instant): void {}

  poll(): ChannelEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Number.POSITIVE_INFINITY;
  }

  #receive(bytes: Uint8Array): void {
    this.#records.push(bytes);
    for (let box = this.#records.take(); box !== undefined; box = this.#records.take()) {
      if (this.#ciphers === undefined) this.#shake(box);
      else this.#open(this.#ciphers, box);
    }
  }

  #shake(message: Uint8Array): void {
    this.#writeHandshake(this.#handshake?.receive(message));
    const result = this.#handshake?.result;
    if (result === undefined) return;
    this.#handshake = undefined;
    const { send, receive } = result.keys;
    this.#ciphers = {
      sealer: new RecordSealer(send),
      opener: new RecordOpener(receive),
      datagramSealer: new DatagramSealer(send),
      datagramOpener: new DatagramOpener(receive),
    };
    for (const key of [send, receive]) key.fill(0);
    this.#records.boxBytesMax = RECORD_PAYLOAD_BYTES_MAX + AEAD_TAG_BYTES;
    this.#effects.push({ kind: "ready", peerKey: result.peerKey });
  }

  #open({ opener }: Ciphers, box: Uint8Array): void {
    const payload = opener.open(box);
    if (payload === undefined) throw new CulvertError("CULVERT_DECRYPT_FAILED");
    this.#effects.push({ kind: "message", payload });
  }

  #receiveDatagram(bytes: Uint8Array): void {
    const payload = this.#ciphers?.datagramOpener.open(bytes);
    if (payload === undefined) this.#droppedDatagrams += 1;
    else this.#effects.push({ kind: "datagram", payload });
  }

  #writeHandshake(message: Uint8Array | undefined): void {
    if (message === undefined) return;
    const bytes = new Uint8Array(2 + message.length);
    new DataView(bytes.buffer).setUint16(0, message.length);
    bytes.set(message, 2);
    this.#effects.push({ kind: "write", bytes });
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#fail(error);
    }
  }

  #fail(error: CulvertError): void {
    this.#isOver = true;
    this.#effects.push({ kind: "fail", error });
  }
}
