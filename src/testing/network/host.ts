import { assert, type Clock, CulvertError, type SeededRandom } from "../../base/index.ts";
import type { VirtualConnection } from "./connection.ts";
import type { Line } from "./line.ts";
import type { NetworkEndpoint, NetworkProtocol, Packet } from "./packet.ts";
import { VirtualPort } from "./port.ts";
import type { Segment } from "./segment.ts";

/** What a host needs of its network. */
export interface HostInit {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly number: number;
  readonly addresses: readonly string[];
  readonly line: Line;
  readonly nextConnection: () => number;
  readonly send: (packet: Packet) => void;
}

type Unsent = Omit<Packet, "origin">;

/** Where ports that nobody chose begin (RFC 6335). */
const EPHEMERAL_FIRST = 49_152;

/** A machine of the virtual network with its addresses and ports. */
export class VirtualHost {
  readonly number: number;
  readonly line: Line;
  readonly #init: HostInit;
  readonly #ports = new Map<string, VirtualPort>();
  #addresses: readonly string[];
  #nextPort = EPHEMERAL_FIRST;
  /** A host that is not online neither sends nor receives. */
  isOnline = true;

  constructor(init: HostInit) {
    this.#init = init;
    this.number = init.number;
    this.line = init.line;
    this.#addresses = init.addresses;
  }

  /** Its own addresses, in the network that it is in. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Gives it other addresses. Called by the network, which has to know. */
  readdress(addresses: readonly string[]): void {
    this.#addresses = addresses;
  }

  /**
   * Opens a UDP port: that one, or a free one.
   *
   * @throws CulvertError `CULVERT_BUSY` when the port is taken
   */
  bind(port: number = this.#freePort("udp")): VirtualPort {
    return this.#open("udp", port);
  }

  /**
   * Opens a TCP port for others to dial.
   *
   * @throws CulvertError `CULVERT_BUSY` when the port is taken
   */
  listen(accept: (connection: VirtualConnection) => void, port?: number): VirtualPort {
    const opened = this.#open("tcp", port ?? this.#freePort("tcp"));
    opened.listen({ connection: accept });
    return opened;
  }

  /** Dials by TCP, from a port of its own. */
  dial(to: NetworkEndpoint): VirtualConnection {
    return this.#open("tcp", this.#freePort("tcp"), { isForOne: true }).dial(to);
  }

  /** Sends a datagram that claims to come from somewhere else. */
  spoof(bytes: Uint8Array, claim: { from: NetworkEndpoint; to: NetworkEndpoint }): void {
    const { from: source, to: destination } = claim;
    this.#send({ protocol: "udp", source, destination, bytes, segment: undefined });
  }

  /** Closes every port, as the end of its process does; the peers learn it from resets. */
  closeAll(): void {
    for (const port of [...this.#ports.values()]) port.close();
  }

  /** A packet that has arrived. Called by the network; false when no such port is open. */
  handle(packet: Packet): boolean {
    const port = this.#ports.get(keyOf(packet.protocol, packet.destination.port));
    if (port !== undefined) {
      port.handle(packet.source, packet.bytes, packet.segment);
      return true;
    }
    const { protocol, source, destination } = packet;
    if (protocol === "tcp" && packet.segment !== undefined && packet.segment.kind !== "reset") {
      const { connection } = packet.segment;
      const segment: Segment = { kind: "reset", connection };
      const bytes = new Uint8Array(0);
      this.#send({ protocol, source: destination, destination: source, bytes, segment });
    }
    return false;
  }

  #open(protocol: NetworkProtocol, port: number, { isForOne } = { isForOne: false }): VirtualPort {
    assert(port >= 1 && port <= 65_535, "a port is 1 to 65,535");
    const key = keyOf(protocol, port);
    if (this.#ports.has(key)) throw new CulvertError("CULVERT_BUSY", `port ${port} is taken`);
    const opened = new VirtualPort({
      ...this.#init,
      protocol,
      port,
      send: (to, bytes, segment) => {
        const host = this.#addressFor(to.host);
        if (host === undefined) return;
        this.#send({ protocol, source: { host, port }, destination: to, bytes, segment });
      },
      forget: () => this.#ports.delete(key),
      isForOne,
    });
    this.#ports.set(key, opened);
    return opened;
  }

  #send(packet: Unsent): void {
    this.#init.send({ ...packet, origin: this.number });
  }

  /** Its own address of the family of `host`. */
  #addressFor(host: string): string | undefined {
    const isV6 = host.includes(":");
    return this.#addresses.find((address) => address.includes(":") === isV6);
  }

  #freePort(protocol: NetworkProtocol): number {
    for (let tried = EPHEMERAL_FIRST; tried <= 65_535; tried++) {
      const port = this.#nextPort;
      this.#nextPort = port >= 65_535 ? EPHEMERAL_FIRST : port + 1;
      if (!this.#ports.has(keyOf(protocol, port))) return port;
    }
    throw new CulvertError("CULVERT_BUSY", "every port is taken");
  }
}

function keyOf(protocol: NetworkProtocol, port: number): string {
  return `${protocol}|${port}`;
}
