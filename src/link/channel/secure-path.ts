import {
  type Clock,
  type CulvertError,
  Driver,
  shortMemory,
  unreachable,
} from "../../base/index.ts";
import type { PathConnection } from "../carrier/carrier.ts";
import { DelayWindow } from "../carrier/delay-window.ts";
import { encodeControl } from "../mux/link-records.ts";
import { ChannelCore, type ChannelEffect, type ChannelInput } from "./channel-core.ts";
import { COPIED_LOSS_MIN } from "./early-copies.ts";
import type { HandshakeOptions } from "./handshake.ts";
import { RECORD_OVERHEAD_BYTES } from "./record-cipher.ts";
import { giveBlock, takeBlock } from "./record-memory.ts";

/** What a secure path tells. None of these may throw. */
export interface SecurePathEvents {
  /** The handshake is over: messages may be sent. */
  ready?(peerKey: Uint8Array): void;
  message(payload: Uint8Array): void;
  /** Bytes came, and the last record among them is not whole yet. */
  partial?(): void;
  datagram(payload: Uint8Array): void;
  /** There is room for more. */
  drained(): void;
  /** The path is over; nothing follows. */
  closed(error: Error | undefined): void;
}

/** A byte connection made into a channel of sealed messages to a peer that has proved its key. */
export class SecurePath {
  readonly #connection: PathConnection;
  readonly #core: ChannelCore;
  readonly #driver: Driver<ChannelInput, ChannelEffect>;
  readonly #clock: Clock;
  readonly #window = new DelayWindow();
  #events: SecurePathEvents;
  #failure: CulvertError | undefined;
  #isClosed = false;
  #isReceiving = false;

  /** The connection is handed over. */
  constructor(
    connection: PathConnection,
    { clock, events, ...options }: HandshakeOptions & SecurePathParts,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#events = events;
    this.#core = new ChannelCore(options);
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
  }

  get connection(): PathConnection {
    return this.#connection;
  }

  /** Starts to read, and begins the handshake. */
  begin(): void {
    this.#driver.handle({ kind: "begin" });
    this.#connection.start({
      receive: (bytes) => this.#receive(bytes),
      missingBytes: () => this.#core.missingBytes,
      datagram: (bytes) => this.#driver.handle({ kind: "datagram", bytes }),
      drained: () => this.#events.drained(),
      closed: (error) => this.#ended(error),
    });
  }

  #receive(bytes: Uint8Array): void {
    // What waits its turn in the driver came first.
    const isAbsorbed = !this.#isReceiving && this.#core.absorb(bytes);
    if (!isAbsorbed) {
      const isOutermost = !this.#isReceiving;
      this.#isReceiving = true;
      this.#driver.handle({ kind: "bytes", bytes });
      if (isOutermost) this.#isReceiving = false;
    }
    if (this.#core.isAmidRecord && !this.#isClosed) this.#events.partial?.();
  }

  /** Tells somebody else from now on. */
  handOver(events: SecurePathEvents): void {
    this.#events = events;
  }

  /** What may be sent: `bytesMax` may be unsent where the connection does not know better. */
  roomBytes(bytesMax: number): number {
    const { unsentBytes, unsentBytesMax = bytesMax, progress } = this.#connection;
    const room = unsentBytesMax - unsentBytes;
    if (progress === undefined) return room;
    return Math.min(room, this.#window.room(progress, unsentBytes, this.#clock.now()));
  }

  /** Whether so much is unsent that what may be lost should be: one datagram overtakes nothing. */
  isBackedUp(bytesMax: number): boolean {
    const { unsentBytes, unsentBytesMax = bytesMax } = this.#connection;
    return unsentBytes >= unsentBytesMax;
  }

  /** Whether datagrams travel beside the bytes. */
  get hasDatagrams(): boolean {
    return this.#connection.sendDatagram !== undefined;
  }

  /** Seals and sends; the payload is borrowed. */
  send(payload: Uint8Array): void {
    if (this.#isClosed) return;
    const bytes = payload.length + RECORD_OVERHEAD_BYTES;
    const block = takeBlock(bytes);
    if (block === undefined) {
      const record = this.#core.seal(payload, shortMemory(bytes));
      if (record !== undefined) this.#connection.write(record);
      return;
    }
    const record = this.#core.seal(payload, new Uint8Array(block, 0, bytes));
    if (record === undefined) giveBlock(block);
    else this.#connection.write(record, () => giveBlock(block));
  }

  /** Sends a copy of a numbered record beside the ordered ones, where packets get lost. */
  copy(number: number, payload: Uint8Array): void {
    const { progress } = this.#connection;
    if (progress === undefined || progress.repeatedShare < COPIED_LOSS_MIN) return;
    if (this.hasDatagrams) this.sendDatagram(encodeControl({ kind: "copy", number, payload }));
  }

  sendDatagram(payload: Uint8Array): void {
    this.#driver.handle({ kind: "send-datagram", payload });
  }

  /** Ends the path after what was sent; with `isAbrupt` at once. Nothing is told afterwards. */
  close(isAbrupt: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!isAbrupt) {
      // An input like the others: it comes after what was sent, also from within an event.
      this.#driver.handle({ kind: "close" });
      return;
    }
    this.#driver.stop();
    this.#connection.close(true);
  }

  #perform(effect: ChannelEffect): void {
    switch (effect.kind) {
      case "write":
        this.#connection.write(effect.bytes);
        break;
      case "write-datagram":
        this.#connection.sendDatagram?.(effect.bytes);
        break;
      case "ready":
        this.#events.ready?.(effect.peerKey);
        break;
      case "message":
        this.#events.message(effect.payload);
        break;
      case "datagram":
        this.#events.datagram(effect.payload);
        break;
      case "close":
        this.#driver.stop();
        this.#connection.close(false);
        break;
      case "fail":
        this.#failure = effect.error;
        this.#connection.close(true);
        this.#ended(effect.error);
        break;
      default:
        unreachable(effect);
    }
  }

  #ended(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#driver.stop();
    this.#events.closed(this.#failure ?? error);
  }
}

interface SecurePathParts {
  readonly clock: Clock;
  readonly events: SecurePathEvents;
}
