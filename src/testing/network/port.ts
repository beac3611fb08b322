import { assert, type Clock, type SeededRandom } from "../../base/index.ts";
import { VirtualConnection } from "./connection.ts";
import type { NetworkEndpoint, NetworkProtocol } from "./packet.ts";
import type { Segment } from "./segment.ts";

/** What a port needs of its host. */
export interface PortInit {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly protocol: NetworkProtocol;
  readonly port: number;
  readonly nextConnection: () => number;
  readonly send: (to: NetworkEndpoint, bytes: Uint8Array, segment: Segment | undefined) => void;
  readonly forget: () => void;
  /** Whether it was opened for one connection, and ends with it. */
  readonly isForOne: boolean;
}

/** The numbers of a stream over UDP at its two ends, and where the other end is. */
export interface StreamEnds {
  readonly localId: number;
  readonly remoteId: number;
  readonly to: NetworkEndpoint;
}

/** Takes what nobody asked for on a port. */
export interface PortEvents {
  /** A datagram came; the bytes are the receiver's. */
  datagram?(bytes: Uint8Array, from: NetworkEndpoint): void;
  /** Somebody dialled by TCP; without this nobody can. */
  connection?(connection: VirtualConnection): void;
}

/**
 * A port of a host: one UDP socket with its datagrams and the connections that share it, or one TCP
 * port with what was accepted, or dialled, on it.
 */
export class VirtualPort {
  readonly protocol: NetworkProtocol;
  readonly port: number;
  readonly #init: PortInit;
  readonly #connections = new Map<number, VirtualConnection>();
  #events: PortEvents = {};
  #isEnding: boolean;
  #isClosed = false;

  constructor(init: PortInit) {
    this.#init = init;
    this.protocol = init.protocol;
    this.port = init.port;
    this.#isEnding = init.isForOne;
  }

  /** Connections that are open, opening, or linger after their end. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Tells `events` from now on. */
  listen(events: PortEvents): void {
    this.#events = events;
  }

  /** Sends a datagram, which is copied; nobody tells whether it arrives. */
  send(bytes: Uint8Array, to: NetworkEndpoint): void {
    if (!this.#isClosed && this.protocol === "udp") this.#init.send(to, bytes.slice(), undefined);
  }

  /** Dials from this TCP port; the connection's `closed` tells when that fails. */
  dial(to: NetworkEndpoint): VirtualConnection {
    const id = this.#init.nextConnection();
    return this.#connect({ localId: id, remoteId: id, to }, "dialler");
  }

  /** One end of a stream over this UDP port; the other end has to do the same. */
  connect(stream: StreamEnds): VirtualConnection {
    assert(!this.#connections.has(stream.localId), "a stream's own number is free");
    return this.#connect(stream, "agreed");
  }

  /** Takes no more connections; the port is free when those that there are have ended. */
  stopListening(): void {
    this.#events = {};
    this.#isEnding = true;
    this.#freeIfEnded();
  }

  /** Cuts every connection and frees the port. */
  close(): void {
    if (this.#isClosed) return;
    for (const connection of this.#connections.values()) connection.close(true);
    this.#isClosed = true;
    this.#init.forget();
  }

  /** A packet that has arrived. Called by the host. */
  handle(from: NetworkEndpoint, bytes: Uint8Array, segment: Segment | undefined): void {
    if (segment === undefined) {
      this.#events.datagram?.(bytes, from);
      return;
    }
    const id = segment.connection;
    const known = this.#connections.get(id);
    if (known !== undefined) known.handle(from, segment, bytes);
    else if (segment.kind === "open" && this.#events.connection !== undefined) {
      this.#events.connection(this.#connect({ localId: id, remoteId: id, to: from }, "listener"));
    } else if (segment.kind !== "reset" && this.protocol === "tcp") this.#refuse(from, id);
  }

  #freeIfEnded(): void {
    if (this.#isEnding && this.#connections.size === 0) this.close();
  }

  /** Says that there is no such connection here. */
  #refuse(to: NetworkEndpoint, connection: number): void {
    this.#init.send(to, new Uint8Array(0), { kind: "reset", connection });
  }

  #connect(
    { localId, remoteId, to: remote }: StreamEnds,
    role: "dialler" | "listener" | "agreed",
  ): VirtualConnection {
    const { clock, random, protocol, send } = this.#init;
    const connection = new VirtualConnection({
      clock,
      random,
      protocol,
      remote,
      remoteId,
      role,
      send: (to, segment, bytes) => {
        if (!this.#isClosed) send(to, bytes, segment);
      },
      forget: () => {
        this.#connections.delete(localId);
        this.#freeIfEnded();
      },
    });
    this.#connections.set(localId, connection);
    return connection;
  }
}
