import {
  type Cancel,
  type Clock,
  Driver,
  isCulvertError,
  LruMap,
  onAbort,
  type Random,
  requireBytes,
  throwIfAborted,
  toHex,
} from "../../base/index.ts";
import type { NodeAddress } from "../../identity/index.ts";
import type { ProbePort } from "../contract.ts";
import { requireDestination } from "../given.ts";
import { ListenerSet } from "../listener-set.ts";
import type { HostPort, PathConnection, UdpSocket } from "./carrier.ts";
import { UdpDialCore, type UdpDialEffect, type UdpDialInput } from "./udp-dial-core.ts";
import {
  CookieJar,
  DATAGRAM_KIND,
  encodeOpening,
  OPENING_NONCE_BYTES,
  type OpeningDatagram,
  readOpening,
  streamIdOf,
} from "./udp-opening.ts";
import { type StreamWatch, WatchedStream } from "./watched-stream.ts";

/** What a UDP carrier is made from. The socket is handed over. */
export interface UdpCarrierParts {
  readonly socket: UdpSocket;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether one more connection from this address may be opened. */
  readonly admits: (from: HostPort) => boolean;
  /** Somebody has opened a connection to this node. */
  readonly onConnection: (connection: PathConnection) => void;
}

/**
 * Streams that are over whose numbers are not taken again. Packets of each are counted from nought:
 * a late one of theirs would be one of the next; and an opening is good for ten seconds.
 */
const SPENT_STREAMS_MAX = 4_096;
/** Longest probe: it fits any path's packets. */
const PROBE_BYTES_MAX = 1_200;

/** A node's one UDP socket: connections that come and go, and probes. */
export class UdpCarrier implements ProbePort {
  readonly #parts: UdpCarrierParts;
  readonly #jar: CookieJar;
  readonly #dials = new Map<string, Driver<UdpDialInput, UdpDialEffect>>();
  readonly #streamIds = new Set<number>();
  readonly #spentIds = new LruMap<number, true>(SPENT_STREAMS_MAX);
  readonly #probeListeners = new ListenerSet<[Uint8Array, HostPort]>();
  #droppedDatagrams = 0;
  #isClosed = false;

  constructor(parts: UdpCarrierParts) {
    this.#parts = parts;
    this.#jar = new CookieJar(parts.random.bytes(32));
    parts.socket.start({ datagram: (bytes, from) => this.#receive(bytes, from) });
  }

  get address(): NodeAddress {
    return this.#parts.socket.address;
  }

  /** Datagrams that were nobody's: malformed, forged, late, or more than was admitted. */
  get droppedDatagrams(): number {
    return this.#droppedDatagrams;
  }

  send(bytes: Uint8Array, to: HostPort): void {
    requireBytes("a probe", bytes);
    requireDestination("to", to);
    if (bytes.length > PROBE_BYTES_MAX) throw new RangeError("a probe has up to 1,200 bytes");
    const datagram = new Uint8Array(1 + bytes.length);
    datagram[0] = DATAGRAM_KIND.probe;
    datagram.set(bytes, 1);
    this.#parts.socket.send(datagram, to);
  }

  onProbe(listener: (bytes: Uint8Array, from: HostPort) => void): Cancel {
    return this.#probeListeners.add(listener);
  }

  /**
   * Opens a connection. It is there before the listener is known to have made its end: what is
   * written waits.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when nobody answers; an `AbortError`
   */
  dial(to: HostPort, options: { readonly signal: AbortSignal }): Promise<PathConnection> {
    const { socket, clock, random } = this.#parts;
    return new Promise((resolve, reject) => {
      throwIfAborted(options.signal);
      const nonce = random.bytes(OPENING_NONCE_BYTES);
      const localId = this.#newStreamId();
      const core = new UdpDialCore({ streamId: localId, nonce });
      let isConnected = false;
      const over = (): void => {
        forget();
        driver.stop();
        this.#dials.delete(toHex(nonce));
        if (!isConnected) this.#streamIds.delete(localId);
      };
      const driver = new Driver(core, clock, (effect: UdpDialEffect) => {
        if (effect.kind === "send") socket.send(effect.bytes, to);
        else if (effect.kind === "connect") {
          isConnected = true;
          const stream = socket.connect({ localId, remoteId: effect.remoteId, to });
          resolve(this.#watched(stream, localId, { heard: over, closed: over }));
        } else {
          over();
          reject(effect.error);
        }
      });
      const forget = onAbort(options.signal, (error) => {
        over();
        reject(error);
      });
      driver.setBackground(true);
      this.#dials.set(toHex(nonce), driver);
      driver.handle({ kind: "begin" });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const dial of this.#dials.values()) dial.stop();
    this.#dials.clear();
    this.#probeListeners.clear();
    await this.#parts.socket.close();
  }

  #receive(bytes: Uint8Array, from: HostPort): void {
    // While its streams end a socket still hears, and throws when it is to make another one.
    if (this.#isClosed) return;
    if (bytes[0] === DATAGRAM_KIND.probe) {
      this.#probeListeners.tell(bytes.subarray(1), from);
      return;
    }
    try {
      this.#receiveOpening(readOpening(bytes), from);
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#droppedDatagrams += 1;
    }
  }

  #receiveOpening(datagram: OpeningDatagram, from: HostPort): void {
    const { socket, clock, admits, onConnection } = this.#parts;
    if (datagram.kind === "hello") {
      const cookie = this.#jar.bake(datagram, from, clock.now());
      socket.send(encodeOpening({ kind: "retry", nonce: datagram.nonce, cookie }), from);
      return;
    }
    if (datagram.kind === "retry") {
      this.#dials.get(toHex(datagram.nonce))?.handle(datagram);
      return;
    }
    const { cookie, streamId: remoteId } = datagram;
    const localId = streamIdOf(cookie);
    // A confirm that comes again finds the stream that it has made, or that there was one.
    if (this.#isTaken(localId)) return;
    if (!this.#jar.isGood(cookie, datagram, from, clock.now()) || !admits(from)) {
      this.#droppedDatagrams += 1;
      return;
    }
    this.#streamIds.add(localId);
    const stream = socket.connect({ localId, remoteId, to: from });
    onConnection(this.#watched(stream, localId, { heard: () => {}, closed: () => {} }));
  }

  #newStreamId(): number {
    for (;;) {
      const [a = 0, b = 0, c = 0, d = 0] = this.#parts.random.bytes(4);
      const id = ((a * 256 + b) * 256 + c) * 256 + d;
      if (this.#isTaken(id)) continue;
      this.#streamIds.add(id);
      return id;
    }
  }

  #isTaken(id: number): boolean {
    return this.#streamIds.has(id) || this.#spentIds.peek(id) === true;
  }

  #watched(stream: PathConnection, localId: number, told: StreamWatch): PathConnection {
    const ended = (): void => {
      this.#streamIds.delete(localId);
      this.#spentIds.set(localId, true);
      told.closed();
    };
    return new WatchedStream(stream, { ...told, ended });
  }
}
