import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { CoreLinkHost } from "../../src/link/host/core-link-host.ts";
import {
  type Link,
  type LinkHost,
  type LinkLimits,
  type LinkStream,
  openLinkHost,
  type TcpNetwork,
} from "../../src/link/index.ts";
import {
  type LineProfile,
  Pattern,
  VirtualClock,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../src/testing/index.ts";

const PORT = 7_000;

/** A link host on a virtual machine. */
export interface LinkNode {
  readonly vhost: VirtualHost;
  readonly host: LinkHost;
  /** Handshakes under way there, of both sides. */
  readonly handshakes: () => number;
}

/** Hosts of links on a virtual network, where whoever knows an address can dial it. */
export class LinkWorld {
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly #nodes: LinkNode[] = [];
  readonly #seed: number;

  constructor(options: { readonly seed?: number; readonly line?: Partial<LineProfile> } = {}) {
    const { seed = 1, line } = options;
    this.#seed = seed;
    const { clock } = this;
    this.network = new VirtualNetwork({ clock, seed, line: { delayMs: 20, ...line } });
  }

  async add(
    address: string,
    options: {
      readonly behind?: VirtualNat;
      readonly limits?: Partial<LinkLimits>;
      /** Told of what is unsent after each write over TCP that was dialled here. */
      readonly watch?: (unsentBytes: number) => void;
    } = {},
  ): Promise<LinkNode> {
    const { behind, limits, watch } = options;
    const vhost = this.network.addHost({ addresses: [address], ...(behind && { behind }) });
    const random = new SeededRandom(this.#seed * 1_000 + this.#nodes.length);
    const at = { host: "0.0.0.0", port: PORT };
    const host = await openLinkHost({
      identity: new NodeIdentity(random.bytes(32)),
      network: "test",
      udp: at,
      tcp: at,
      ...(limits && { limits }),
      components: {
        clock: this.clock,
        random,
        udp: virtualUdp(vhost),
        tcp: watched(virtualTcp(vhost), watch),
      },
    });
    const node = {
      vhost,
      host,
      handshakes: () => (host instanceof CoreLinkHost ? host.handshakes : Number.NaN),
    };
    this.#nodes.push(node);
    return node;
  }

  /** A link over one carrier. */
  async dial(from: LinkNode, to: LinkNode, carrier: "udp" | "tcp" = "udp"): Promise<Link> {
    const addresses = to.host.addresses.filter((address) => address.carrier === carrier);
    return await this.run(from.host.dial({ id: to.host.id, addresses }));
  }

  /** Lets time pass until `promise` settles. */
  run<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    return this.clock.runPromise(promise, limitMs);
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }

  async close(): Promise<void> {
    await this.run(Promise.all(this.#nodes.map(({ host }) => host.close())));
  }
}

function watched(tcp: TcpNetwork, watch: (unsentBytes: number) => void = () => {}): TcpNetwork {
  return {
    listen: (options) => tcp.listen(options),
    async dial(to, options) {
      const connection = await tcp.dial(to, options);
      return new Proxy(connection, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== "function") return value;
          return (...given: unknown[]) => {
            const result: unknown = Reflect.apply(value, target, given);
            if (name === "write") watch(target.unsentBytes);
            return result;
          };
        },
      });
    },
  };
}

/** How far a stream of known bytes has come at its reader. */
export class Arrivals {
  readonly #pattern: Pattern;
  received = 0;
  /** Where the first byte was that was not the next one. */
  mismatch: number | undefined;
  isEnded = false;

  constructor(stream: LinkStream, seed: number) {
    this.#pattern = new Pattern(seed);
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => {
      this.mismatch ??= this.#pattern.mismatch(this.received, bytes);
      this.received += bytes.length;
    });
    stream.on("end", () => {
      this.isEnded = true;
    });
  }
}

/** Writes known bytes, at `bytesPerSecond` of the clock, and ends. */
export function writeKnown(
  stream: LinkStream,
  options: { clock: VirtualClock; seed: number; bytes: number; bytesPerSecond: number },
): void {
  const { clock, seed, bytes, bytesPerSecond } = options;
  const pattern = new Pattern(seed);
  const pieceBytes = 10_000;
  const write = (at: number): void => {
    if (at >= bytes) {
      stream.end();
      return;
    }
    const length = Math.min(pieceBytes, bytes - at);
    stream.write(pattern.bytes(at, length));
    clock.schedule(clock.now() + (length * 1_000) / bytesPerSecond, () => write(at + length));
  };
  write(0);
}
