import {
  type NatBehaviour,
  type NatKind,
  type NetworkEndpoint,
  VirtualClock,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
  type VirtualPort,
} from "../../../src/testing/index.ts";

/** Where a datagram was seen to come from, and its first byte. */
export interface Seen {
  readonly from: NetworkEndpoint;
  readonly mark: number;
}

/** A port with a memory. */
export interface Watched {
  readonly port: VirtualPort;
  readonly seen: Seen[];
}

/** One NAT with two hosts behind it, and three hosts in the open, of which two share an address. */
export class NatPlace {
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly nat: VirtualNat;
  readonly inner: VirtualHost;
  readonly neighbour: VirtualHost;
  readonly server: VirtualHost;
  readonly stranger: VirtualHost;

  constructor(kind: NatKind, behaviour: Partial<NatBehaviour> = {}) {
    this.network = new VirtualNetwork({ clock: this.clock, seed: 1 });
    this.nat = this.network.addNat({ outer: "203.0.113.1", kind, behaviour });
    this.inner = this.network.addHost({ addresses: ["10.0.0.2"], behind: this.nat });
    this.neighbour = this.network.addHost({ addresses: ["10.0.0.3"], behind: this.nat });
    this.server = this.network.addHost({ addresses: ["198.51.100.1"] });
    this.stranger = this.network.addHost({ addresses: ["198.51.100.2"] });
  }

  watch(host: VirtualHost, port?: number): Watched {
    const opened = host.bind(port);
    const seen: Seen[] = [];
    opened.listen({ datagram: (bytes, from) => seen.push({ from, mark: bytes[0] ?? -1 }) });
    return { port: opened, seen };
  }

  /** Sends one datagram and lets it arrive. */
  send(from: Watched, to: NetworkEndpoint, mark: number): void {
    from.port.send(Uint8Array.of(mark), to);
    this.clock.advance(100);
  }

  at(host: VirtualHost, { port }: Watched): NetworkEndpoint {
    return { host: host.addresses[0] ?? "", port: port.port };
  }
}
