import {
  type Cancel,
  CulvertError,
  isCulvertError,
  plainBytes,
  shortMemory,
} from "../../base/index.ts";
import { FrameBuffer, Writer } from "../../codec/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import { AT_ONCE_BYTES } from "./connections-core.ts";
import { MESSAGE_PROTOCOL, type PeerLink } from "./peer-link.ts";

/** What happens on a lane. */
export interface LaneEvents {
  /** A message came: a view, not to be kept, of memory that is never written to again. */
  received(bytes: Uint8Array): void;
  /** It takes no more for now, or again. */
  full(isFull: boolean): void;
  /** What was on its way may be lost. */
  disturbed(): void;
  /** The link is over. */
  closed(): void;
}

/**
 * Streams of the peer at once: the one in use, and the one before it on its way out. On each a
 * message may lie that is not whole yet.
 */
const INCOMING_MAX = 2;
/** Bytes of the length in front of a message. */
const PREFIX_BYTES = 4;

/**
 * The messages of one link: each direction is one stream, opened by whoever has something to say,
 * of u32 lengths and that many bytes.
 */
export class MessageLane {
  readonly link: PeerLink;
  readonly #events: LaneEvents;
  readonly #messageBytesMax: number;
  readonly #incoming = new Set<ByteDuplex>();
  readonly #cancels: Cancel[] = [];
  /** Messages of this tick: they leave in one write. */
  #outbox: Uint8Array[] = [];
  #outboxBytes = 0;
  #isFlushing = false;
  #out: ByteDuplex | "opening" | undefined;
  #isReading = true;
  #isFull = false;
  /** Nothing more is to be sent for now: the stream is given back once all of it is out. */
  #isResting = false;

  constructor(link: PeerLink, events: LaneEvents, messageBytesMax: number) {
    this.link = link;
    this.#events = events;
    this.#messageBytesMax = messageBytesMax;
    this.#cancels.push(link.handle(MESSAGE_PROTOCOL, (stream) => this.#take(stream)));
    this.#cancels.push(link.onClose(() => this.#events.closed()));
  }

  /** Whether it takes no more for now. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Sends a message, which is handed over. */
  send(bytes: Uint8Array): void {
    this.#isResting = false;
    this.#outbox.push(bytes);
    this.#outboxBytes += bytes.length;
    if (this.#outboxBytes >= AT_ONCE_BYTES && !this.#isFull) this.#setFull(true);
    if (this.#out === undefined) void this.#open();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // Not queueMicrotask: Node makes an asynchronous resource of each.
    void Promise.resolve().then(() => this.#flush());
  }

  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    for (const stream of this.#incoming) {
      if (isReading) stream.resume();
      else stream.pause();
    }
  }

  /** Gives its stream back until something is sent again; the one of the peer stays. */
  rest(): void {
    this.#isResting = true;
    this.#restIfDone();
  }

  /** Calls `cancel` when it is detached, too. */
  onDetach(cancel: Cancel): void {
    this.#cancels.push(cancel);
  }

  /** Stops listening; the link goes on, and what was sent still goes out over it. */
  detach(): void {
    for (const cancel of this.#cancels) cancel();
    for (const stream of this.#incoming) stream.destroy();
    this.#flush();
    this.rest();
  }

  #restIfDone(): void {
    if (!this.#isResting || typeof this.#out !== "object" || this.#outbox.length > 0) return;
    const stream = this.#out;
    this.#out = undefined;
    stream.end();
    // It says no more when it has room again.
    if (this.#isFull) this.#setFull(false);
  }

  async #open(): Promise<void> {
    this.#out = "opening";
    this.#setFull(true);
    try {
      const stream = await this.link.openStream(MESSAGE_PROTOCOL, { priority: "urgent" });
      if (stream.closed) throw new CulvertError("CULVERT_PEER_ABORTED");
      this.#out = stream;
      stream.on("drain", () => this.#setFull(false));
      stream.on("error", () => {});
      stream.on("close", () => this.#lostOut(stream));
      stream.resume();
      this.#setFull(false);
      this.#flush();
    } catch {
      // The link says by itself when it is over; until then the next message tries again.
      this.#out = undefined;
      this.#takeOutbox();
      this.#setFull(false);
      this.#events.disturbed();
    }
  }

  #setFull(isFull: boolean): void {
    this.#isFull = isFull;
    this.#events.full(isFull);
  }

  #lostOut(stream: ByteDuplex): void {
    if (this.#out === stream) {
      this.#out = undefined;
      this.#setFull(false);
    } else if (stream.writableFinished) return;
    this.#events.disturbed();
  }

  #flush(): void {
    this.#isFlushing = false;
    if (typeof this.#out !== "object") return;
    if (this.#outbox.length > 0) {
      const hasRoom = this.#out.write(framed(this.#takeOutbox()));
      if (hasRoom === this.#isFull) this.#setFull(!hasRoom);
    }
    this.#restIfDone();
  }

  #takeOutbox(): Uint8Array[] {
    const messages = this.#outbox;
    this.#outbox = [];
    this.#outboxBytes = 0;
    return messages;
  }

  #take(stream: ByteDuplex): void {
    if (this.#incoming.size >= INCOMING_MAX) {
      stream.destroy();
      return;
    }
    const frames = new FrameBuffer(this.#messageBytesMax);
    this.#incoming.add(stream);
    stream.on("error", () => {});
    stream.on("close", () => this.#incoming.delete(stream));
    stream.on("end", () => stream.end());
    stream.on("data", (chunk) => {
      frames.push(plainBytes(chunk));
      try {
        // A stream that is destroyed still gives what it had read before.
        while (!stream.destroyed) {
          const frame = frames.take();
          if (frame === undefined) break;
          this.#events.received(frame);
        }
      } catch (error) {
        if (!isCulvertError(error)) throw error;
        stream.destroy();
      }
    });
    if (!this.#isReading) stream.pause();
  }
}

/** The messages as frames, each behind its length. */
function framed(messages: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const message of messages) length += PREFIX_BYTES + message.length;
  const writer = Writer.into(shortMemory(length));
  for (const message of messages) writer.u32(message.length).bytes(message);
  return writer.finish();
}
