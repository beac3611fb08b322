import {
  type Cancel,
  type Clock,
  CulvertError,
  type Instant,
  isCulvertError,
  type Log,
  unreachable,
} from "../../base/index.ts";
import { FrameBuffer } from "../../codec/index.ts";
import type { MapAnswer, RequestId } from "../service/protocol.ts";
import type { RecordService, Requester } from "../service/requester.ts";
import {
  type ClientMessage,
  clientFrameBytesMax,
  encodeNodeMessage,
  type GoodbyeReason,
  readClientMessage,
  WIRE_VERSION,
} from "./wire.ts";

/** A byte connection as a session sees it: a socket, or anything like one. */
export interface SessionPort {
  /** Sends bytes, which are handed over; after `close` it does nothing. */
  write(bytes: Uint8Array): void;
  /** Bytes that were written and are not on their way yet. */
  readonly unsentBytes: number;
  /** The same of all connections of this server. */
  unsentBytesOfAll(): number;
  /** Stops and restarts reading. */
  setReading(isReading: boolean): void;
  /** Ends the connection, after what was written; with `isAbrupt` at once. */
  close(isAbrupt: boolean): void;
}

/** Bounds of one connection. Sizes in bytes, times in milliseconds. */
export interface SessionLimits {
  /** Time for the hello, and for any frame from its first byte to its last. */
  readonly frameMs: number;
  /**
   * A connection is closed after this time without a byte either way; longer than any get waits.
   */
  readonly idleMs: number;
  /** Unsent bytes from which on no more requests are taken. */
  readonly unsentBytesHigh: number;
  /** Unsent bytes that end a connection: its reader is too slow. */
  readonly unsentBytesMax: number;
  /** Unsent bytes of all connections; beyond, one that has more than the fair number ends. */
  readonly unsentBytesOfAllMax: number;
  readonly unsentBytesFair: number;
  /** How often the times are looked at. */
  readonly watchMs: number;
}

/** Tuned for cells of up to 32 KiB and peers behind onion circuits; 128 MiB unsent at the worst. */
export const SESSION_LIMITS: SessionLimits = Object.freeze({
  frameMs: 30_000,
  idleMs: 600_000,
  unsentBytesHigh: 256 * 1_024,
  unsentBytesMax: 8 * 2 ** 20,
  unsentBytesOfAllMax: 64 * 2 ** 20,
  unsentBytesFair: 64 * 1_024,
  watchMs: 5_000,
});

/** Frames that are read in one go: requests queue up elsewhere, but cancels would not. */
const FRAMES_AT_ONCE = 512;

/** Connections that ended for these reasons, of all sessions that share the counters. */
export interface SessionStatistics {
  protocolErrors: number;
  slowReaders: number;
  timeouts: number;
  idle: number;
  refused: number;
  /** They made room for one of a source that had fewer. */
  displaced: number;
}

/** Nothing has ended yet. */
export function noSessionStatistics(): SessionStatistics {
  return { protocolErrors: 0, slowReaders: 0, timeouts: 0, idle: 0, refused: 0, displaced: 0 };
}

/** What a session is built from. */
export interface MapSessionComponents {
  readonly service: RecordService;
  readonly clock: Clock;
  readonly port: SessionPort;
  readonly statistics: SessionStatistics;
  /** Has another session make room for this one, which may not ask; whether one did. */
  readonly makeRoom?: (() => boolean) | undefined;
  readonly log?: Log | undefined;
}

/**
 * The node's side of one connection: bytes to requests, answers to bytes. Malformed input, a slow
 * reader and a client that goes to sleep within a frame end the connection and are counted; nothing
 * that a client sends makes it throw.
 */
export class MapSession {
  readonly #components: MapSessionComponents;
  readonly #limits: SessionLimits;
  readonly #source: string;
  readonly #frames: FrameBuffer;
  #requester: Requester | undefined;
  #isClosed = false;
  #cancelWatch: Cancel | undefined;
  /** When the unfinished frame, the hello or the pause of a slow reader began. */
  #pendingSince: Instant | undefined;
  #activeAt: Instant;

  constructor(
    components: MapSessionComponents,
    options: { readonly source: string; readonly limits: SessionLimits },
  ) {
    this.#components = components;
    this.#limits = options.limits;
    this.#source = options.source;
    this.#frames = new FrameBuffer(clientFrameBytesMax(components.service.greeting().payloadSize));
    this.#activeAt = components.clock.now();
    this.#pendingSince = this.#activeAt;
    this.#watchSoon();
  }

  /** It is over, or was told to go. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** It was let in, and may ask. */
  get isAsker(): boolean {
    return !this.#isClosed && this.#requester !== undefined;
  }

  /** When the last bytes went either way. */
  get activeAt(): Instant {
    return this.#activeAt;
  }

  /** Bytes from the client, handed over. */
  receive(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#frames.push(chunk);
    this.#activeAt = this.#components.clock.now();
    this.#serve();
  }

  /** Everything that was written is on its way. */
  drained(): void {
    if (!this.#isClosed) this.#serve();
  }

  /** The connection is gone, from the other side or by the node's own end. */
  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelWatch?.();
    this.#requester?.close();
  }

  /** Tells the client why, then ends the connection. */
  goodbye(reason: GoodbyeReason): void {
    if (this.#isClosed) return;
    this.#components.port.write(encodeNodeMessage({ kind: "goodbye", reason }));
    this.closed();
    this.#components.port.close(false);
  }

  /** Ends it for another one. */
  displace(): void {
    if (!this.#isClosed) this.#abandon("displaced");
    else this.#components.port.close(true);
  }

  #serve(): void {
    try {
      const isPaused = this.#takeFrames();
      if (this.#isClosed) return;
      this.#components.port.setReading(!isPaused);
      const isUnread = this.#components.port.unsentBytes > this.#limits.unsentBytesHigh;
      // A client that waits for the node's own queues has nothing to hurry with.
      const isPartial = !isPaused && this.#frames.length > 0;
      const isPending = this.#requester === undefined || isUnread || isPartial;
      // A client that trickles bytes does not restart the time of its frame.
      if (!isPending) this.#pendingSince = undefined;
      else this.#pendingSince ??= this.#components.clock.now();
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      this.#components.statistics.protocolErrors += 1;
      this.#components.log?.("debug", "map-protocol-error", error.detail);
      this.goodbye("protocol");
    }
  }

  /** Serves whole frames until there is none, or until the client has to wait: then true. */
  #takeFrames(): boolean {
    const { port } = this.#components;
    for (let taken = 0; !this.#isClosed; taken++) {
      if (taken >= FRAMES_AT_ONCE) return this.#breathe();
      if (this.#requester?.isCongested === true) return true;
      if (port.unsentBytes > this.#limits.unsentBytesHigh) return true;
      const frame = this.#frames.take();
      if (frame === undefined) return false;
      this.#pendingSince = undefined;
      this.#serveMessage(readClientMessage(frame));
    }
    return false;
  }

  /** Goes on with what is here after others had their turn. */
  #breathe(): true {
    const { clock } = this.#components;
    clock.schedule(clock.now(), () => this.drained(), { background: true });
    return true;
  }

  #serveMessage(message: ClientMessage): void {
    const requester = this.#requester;
    if (message.kind === "hello") {
      this.#greet(message);
      return;
    }
    if (requester === undefined) throw breach("hello", "has to come first");
    switch (message.kind) {
      case "put":
        requester.put(message.request, message.record, message.stamp);
        break;
      case "get":
        requester.get(message.request, message.address, message.waitMs);
        break;
      case "cancel":
        requester.cancel(message.request);
        break;
      default:
        unreachable(message);
    }
  }

  #greet(hello: ClientMessage & { readonly kind: "hello" }): void {
    if (this.#requester !== undefined) throw breach("hello", "comes once");
    if (hello.versionMin > WIRE_VERSION || hello.versionMax < WIRE_VERSION) {
      this.goodbye("version");
      return;
    }
    const { service, port, statistics, makeRoom } = this.#components;
    this.#requester = this.#open();
    if (this.#requester === undefined && makeRoom?.() === true) this.#requester = this.#open();
    if (this.#requester === undefined) {
      statistics.refused += 1;
      this.goodbye("busy");
      return;
    }
    const greeting = service.greeting();
    port.write(encodeNodeMessage({ kind: "hello", version: WIRE_VERSION, greeting }));
  }

  #open(): Requester | undefined {
    return this.#components.service.open(this.#source, {
      answer: (request, answer) => this.#answer(request, answer),
      ready: () => this.drained(),
      closed: () => this.goodbye("closing"),
    });
  }

  #answer(request: RequestId, answer: MapAnswer): void {
    if (this.#isClosed) return;
    const { port } = this.#components;
    port.write(encodeNodeMessage({ kind: "answer", request, answer }));
    this.#activeAt = this.#components.clock.now();
    if (this.#isTooSlow()) this.#abandon("slowReaders");
  }

  #isTooSlow(): boolean {
    const { port } = this.#components;
    const { unsentBytesMax, unsentBytesFair, unsentBytesOfAllMax } = this.#limits;
    if (port.unsentBytes <= unsentBytesFair) return false;
    return port.unsentBytes > unsentBytesMax || port.unsentBytesOfAll() > unsentBytesOfAllMax;
  }

  /** Ends the connection without a word: nobody is there to hear it. */
  #abandon(reason: keyof SessionStatistics): void {
    this.#components.statistics[reason] += 1;
    this.closed();
    this.#components.port.close(true);
  }

  #watchSoon(): void {
    const { clock } = this.#components;
    const at = clock.now() + this.#limits.watchMs;
    this.#cancelWatch = clock.schedule(at, () => this.#watch(), { background: true });
  }

  #watch(): void {
    const { clock, port } = this.#components;
    const now = clock.now();
    if (this.#pendingSince !== undefined && now - this.#pendingSince >= this.#limits.frameMs) {
      const isReaderSlow = port.unsentBytes > this.#limits.unsentBytesHigh;
      this.#abandon(isReaderSlow ? "slowReaders" : "timeouts");
    } else if (now - this.#activeAt >= this.#limits.idleMs) {
      this.#abandon("idle");
    } else {
      this.#watchSoon();
    }
  }
}

function breach(field: string, why: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", `${field}: ${why}`, { detail: { field } });
}
