import {
  type Cancel,
  type Clock,
  CulvertError,
  equalBytes,
  type Random,
  utf8,
} from "../../base/index.ts";
import { NODE_ID_BYTES, type NodeDescriptor, type NodeId, nodeIdOf } from "../../identity/index.ts";
import {
  type AskGuard,
  buildWatched,
  type Circuit,
  DescriptorRoutes,
  type IncomingCircuit,
  peerOf,
  type RouteRequest,
  type TunnelService,
} from "../../onion/index.ts";
import {
  type SampledPeer,
  TUNNEL_DATA_BYTES_MAX,
  type TunnelEvents,
  type VoidphonePeerSampling,
  type VoidphoneTunnel,
  type VoidphoneTunnels,
} from "../../voidphone/index.ts";
import type { Overlay } from "../overlay.ts";

/** What VoidPhone's tunnels are built from. */
export interface CircuitTunnelsComponents {
  readonly overlay: Overlay;
  readonly tunnels: TunnelService;
  readonly clock: Clock;
  readonly random: Random;
  /** All nodes are on one machine, or behind one router: no two networks to choose from. */
  readonly isLocal: boolean;
  /** The first hops of the last run, and where to keep those of this one. */
  readonly guards?: readonly NodeId[];
  readonly onGuards?: (guards: readonly NodeId[]) => void;
  readonly askGuard?: AskGuard;
}

/** What makes a circuit a tunnel: the first message on it. */
const GREETING = utf8("voidphone");
/** What makes it one of cover, likewise. All others carry requests. */
const COVER = utf8("voidphone-cover");
/** Relays between the ends of a tunnel, neither of which is one of them. */
const RELAYS = 2;
/** Numbers of the modules that a peer is said to run. */
const ONION_MODULE = 560;

/** The DER form of an ed25519 public key (RFC 8410) before the key itself. */
const KEY_PREFIX = Uint8Array.of(
  0x30,
  0x2a,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x03,
  0x21,
  0,
);

/**
 * VoidPhone's tunnels as circuits: the host key of a node is its ed25519 key in DER, which random
 * peers come with, and by which its descriptor is found; the address is not needed then.
 */
export class CircuitTunnels implements VoidphoneTunnels, VoidphonePeerSampling {
  readonly #components: CircuitTunnelsComponents;
  readonly #routes: DescriptorRoutes;
  readonly #incoming = new Map<IncomingCircuit, IncomingTunnel>();
  readonly #covered = new WeakSet<IncomingCircuit>();
  readonly #listeners = new Set<Parameters<VoidphoneTunnels["accept"]>[0]>();

  constructor(components: CircuitTunnelsComponents) {
    const { overlay, tunnels, isLocal, ...parts } = components;
    this.#components = components;
    this.#routes = new DescriptorRoutes(
      { discovery: overlay, lookup: overlay, self: tunnels.self, ...parts },
      { isDiverse: !isLocal },
    );
    tunnels.setHandlers({
      data: (circuit, content) => this.#receive(circuit, content),
      gone: (circuit) => this.#gone(circuit),
    });
  }

  async build(
    { hostKey }: { readonly hostKey: Uint8Array },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<VoidphoneTunnel> {
    const descriptor = await this.#find(hostKey, signal);
    const circuit = await this.#circuit({
      relays: RELAYS,
      destination: peerOf(descriptor),
      signal,
    });
    circuit.sendData(GREETING);
    return new OutgoingTunnel(circuit);
  }

  /** The other end sends it back, so that it flows both ways as a call does. */
  async cover(coverBytes: number): Promise<void> {
    const circuit = await this.#circuit({ relays: RELAYS + 1 });
    circuit.sendData(COVER);
    circuit.sendData(new Uint8Array(coverBytes));
    const { clock } = this.#components;
    clock.schedule(clock.now() + COVER_LIFE_MS, () => circuit.close(), { background: true });
  }

  accept(listener: Parameters<VoidphoneTunnels["accept"]>[0]): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async sample({ signal }: { readonly signal: AbortSignal }): Promise<SampledPeer | undefined> {
    const [descriptor] = await this.#components.overlay.discover(1, { signal });
    const [address] = descriptor?.claims.addresses ?? [];
    if (descriptor === undefined || address === undefined) return undefined;
    const { host, port } = address;
    const hostKey = hostKeyOf(descriptor.publicKey);
    return { host, port, portMappings: [{ app: ONION_MODULE, port }], hostKey };
  }

  async #find(hostKey: Uint8Array, signal: AbortSignal): Promise<NodeDescriptor> {
    const key = publicKeyIn(hostKey);
    if (key === undefined) {
      throw new CulvertError("CULVERT_UNREACHABLE", "the host key is not that of a node of ours");
    }
    const id = nodeIdOf(key);
    const { overlay } = this.#components;
    const descriptor = overlay.directory.find(id) ?? (await overlay.dht.lookup(id, { signal }));
    if (descriptor !== undefined) return descriptor;
    throw new CulvertError("CULVERT_UNREACHABLE", "nobody knows a node with this key");
  }

  async #circuit(request: RouteRequest): Promise<Circuit> {
    const routes = this.#routes;
    const route = await routes.route(request);
    const parts = { service: this.#components.tunnels, routes, route };
    return await buildWatched(parts, { signal: request.signal });
  }

  #receive(circuit: IncomingCircuit, content: Uint8Array): void {
    const known = this.#incoming.get(circuit);
    if (known !== undefined) {
      known.receive(content);
      return;
    }
    if (this.#covered.has(circuit)) circuit.sendData(content);
    else if (equalBytes(content, COVER)) this.#covered.add(circuit);
    else if (equalBytes(content, GREETING)) this.#greeted(circuit);
  }

  #greeted(circuit: IncomingCircuit): void {
    if (this.#listeners.size === 0) {
      // Who has built it would send into the void for as long as the circuit lasts.
      circuit.refuse();
      return;
    }
    const tunnel = new IncomingTunnel(circuit, () => this.#incoming.delete(circuit));
    this.#incoming.set(circuit, tunnel);
    for (const listener of this.#listeners) listener(tunnel, circuit.source);
  }

  #gone(circuit: IncomingCircuit): void {
    const tunnel = this.#incoming.get(circuit);
    this.#incoming.delete(circuit);
    tunnel?.gone();
  }
}

/** How long a circuit of cover lasts: what was sent has arrived by then. */
const COVER_LIFE_MS = 10_000;

class OutgoingTunnel implements VoidphoneTunnel {
  /** Circuits carry a little more. */
  readonly dataBytesMax = TUNNEL_DATA_BYTES_MAX;
  readonly #circuit: Circuit;
  #isOver = false;

  constructor(circuit: Circuit) {
    this.#circuit = circuit;
  }

  start(events: TunnelEvents): void {
    this.#circuit.setDataHandler((content) => events.data(content));
    void this.#circuit.ended.then(() => {
      if (!this.#isOver) events.ended();
    });
  }

  send(data: Uint8Array): boolean {
    // What does not fit the queue is lost, as data of tunnels may be.
    this.#circuit.sendData(data);
    return !this.#circuit.isEnded;
  }

  destroy(): void {
    this.#isOver = true;
    this.#circuit.close();
  }
}

class IncomingTunnel implements VoidphoneTunnel {
  readonly dataBytesMax = TUNNEL_DATA_BYTES_MAX;
  readonly #circuit: IncomingCircuit;
  readonly #forget: () => void;
  #events: TunnelEvents | undefined;
  #isGone = false;

  constructor(circuit: IncomingCircuit, forget: () => void) {
    this.#circuit = circuit;
    this.#forget = forget;
  }

  start(events: TunnelEvents): void {
    this.#events = events;
  }

  send(data: Uint8Array): boolean {
    if (!this.#isGone) this.#circuit.sendData(data);
    return !this.#isGone;
  }

  destroy(): void {
    this.#events = undefined;
    this.#isGone = true;
    this.#forget();
    this.#circuit.refuse();
  }

  receive(data: Uint8Array): void {
    this.#events?.data(data);
  }

  gone(): void {
    this.#isGone = true;
    this.#events?.ended();
  }
}

/** What a node of ours shows as its host key. */
export function hostKeyOf(publicKey: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_PREFIX.length + publicKey.length);
  key.set(KEY_PREFIX);
  key.set(publicKey, KEY_PREFIX.length);
  return key;
}

function publicKeyIn(hostKey: Uint8Array): Uint8Array | undefined {
  if (hostKey.length !== KEY_PREFIX.length + NODE_ID_BYTES) return undefined;
  if (!equalBytes(hostKey.subarray(0, KEY_PREFIX.length), KEY_PREFIX)) return undefined;
  return hostKey.slice(KEY_PREFIX.length);
}
