import {
  type Clock,
  CulvertError,
  isCulvertError,
  type Log,
  onAbort,
  requireObject,
  requireOneOf,
  SILENT,
  throwIfAborted,
} from "../base/index.ts";
import { addressScope, type NetworkGeometry, NodeIdentity } from "../identity/index.ts";
import { MapClient, type MapRecord, type RecordCarrier } from "../mapservice/index.ts";
import {
  DescriptorRoutes,
  OnionCarrier,
  type OnionCarrierOptions,
  ROUTE_DEFAULTS,
  resolveOnionCarrierOptions,
} from "../onion/index.ts";
import { GentleStart } from "./carriers/gentle-start.ts";
import { SharedCarrier } from "./carriers/shared-carrier.ts";
import { SpareCarriers } from "./carriers/spare-carriers.ts";
import { Closers } from "./closers.ts";
import { meetOthers } from "./dht/joining.ts";
import { type ClockSide, clockSideOf, withNetworks } from "./health/clock-side.ts";
import { openClientLinks } from "./links/client-links.ts";
import { type Machine, THIS_MACHINE } from "./machine.ts";
import { contactsOf, type NamedNode } from "./named-nodes.ts";
import { exitChecks, type KnownNodes } from "./onion/exit-checks.ts";
import { keptGuards } from "./onion/guards-file.ts";
import { isSameGeometry } from "./onion/onion-geometry.ts";
import { tunnelsOverLinks } from "./onion/tunnels-over-links.ts";
import { Overlay } from "./overlay.ts";
import { MapPeers } from "./storage/map-links.ts";
import { ReplicatedMap } from "./storage/replicated-map.ts";

/** How a client of the network is opened. */
export interface ClientOptions {
  /** Nodes to begin with; of a text, as `ID@udp://HOST:PORT`. */
  readonly bootstrap: readonly NamedNode[];
  /** `onion` hides from the nodes who asks; `direct` does not, and is for networks of one's own. */
  readonly via: "onion" | "direct";
  /** Where the preferred first hops are remembered; in memory only without it. */
  readonly directory?: string;
  readonly onion?: Partial<OnionCarrierOptions>;
  /**
   * Whether the circuits of the next stream are built before it is opened, some eight of them in
   * ten minutes, for an hour at the most: its first byte waits for none. True if absent; false
   * spares a client of one stream what it never uses.
   */
  readonly keepsSpare?: boolean;
  /**
   * Told, once in an hour, that a stream has to wait: every exit that can be used has seen as much
   * of it as its budget allows. A larger network, or a larger budget, makes it faster.
   */
  readonly onBudgetSpent?: () => void;
  readonly log?: Log;
  /** This one, unless told otherwise. */
  readonly machine?: Machine;
  /** Gives up while it is opened. */
  readonly signal?: AbortSignal | undefined;
}

/** A client of the network that is connected; `await using` closes it at the end of its scope. */
export interface NetworkClient extends AsyncDisposable {
  readonly geometry: NetworkGeometry;
  /**
   * A Map for one stream: no exit sees more of it than its budget, whatever other streams do.
   *
   * @throws CulvertError `CULVERT_CLOSED` when the client is
   */
  transport(): MapClient;
  /** How many nodes are known. */
  readonly nodesKnown: number;
  close(): Promise<void>;
}

/** How long a network may take to show enough nodes for a route. */
const ROUTE_WAIT_MS = 10_000;

/**
 * Joins a network as a client: nobody asks it anything, and it is a new one each time.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when none of the nodes answers, or when they are too
 *   few for a route, or their onions too short for one (its detail then has `relays`, and `nodes`
 *   or `hopsMax`), or when this machine's clock is hours off theirs (`clock: "off"`);
 *   `CULVERT_WRONG_PEER` when others answer in their place, `CULVERT_GEOMETRY_CHANGED` when they
 *   are of two networks, `CULVERT_FILE` when the guards of an earlier run cannot be read,
 *   `CULVERT_USAGE` for a text that names no node
 * @throws RangeError for options of `onion` that bound nothing
 * @throws TypeError for what are no options, or no nodes
 * @throws Error `AbortError`
 */
export async function openClient(options: ClientOptions): Promise<NetworkClient> {
  requireObject("options", options);
  const { signal, via } = options;
  requireOneOf("via", via, ["onion", "direct"]);
  resolveOnionCarrierOptions(options.onion);
  const closers = new Closers();
  throwIfAborted(signal);
  // What is dialled or asked then fails at once.
  const forget = onAbort(signal, () => void closers.run().catch(() => undefined));
  try {
    const client = await assemble(options, closers);
    throwIfAborted(signal);
    return client;
  } catch (error) {
    await closers.run();
    throwIfAborted(signal);
    throw error;
  } finally {
    forget();
  }
}

async function assemble(options: ClientOptions, closers: Closers): Promise<NetworkClient> {
  const { machine = THIS_MACHINE, log = SILENT } = options;
  const { clock, random } = machine;
  const identity = new NodeIdentity(random.bytes(32));
  const nodes = contactsOf(options.bootstrap);
  const isLocal = nodes.every(({ address }) => addressScope(address.host) === "private");
  const host = await openClientLinks(machine, { identity, nodes });
  closers.add(() => host.close());
  // What was closed before there was a host knows nothing of it.
  throwIfAborted(options.signal);
  const overlay = new Overlay({ host, identity, clock, random }, { addresses: () => [], isLocal });
  closers.add(() => overlay.close());
  await overlay.join(nodes);
  meetOthers(nodes, { overlay, closers, machine });
  const geometry = geometryOf(overlay, options);
  const sideNow = clockSideFrom(overlay, clock);
  const side = sideNow();
  if (options.via === "direct") {
    // Who is ahead takes each receipt for one that ends too soon.
    const isClockOff = (): boolean => sideNow() !== undefined;
    if (side !== undefined) log("warn", "clock-off", { message: clockOff(side).message });
    const peers = new MapPeers((id) => overlay.links.to(id), { clock, random, log });
    closers.add(() => peers.close());
    const carrier = new ReplicatedMap(
      { dht: overlay.dht, peers, clock, random, isClockOff },
      { payloadSize: geometry.cellBytes },
    );
    closers.add(() => carrier.close());
    return connected({ overlay, geometry, closers, carrier: () => carrier });
  }
  if (side !== undefined) throw clockOff(side);
  requireRoom(geometry);
  const { tunnels: service } = tunnelsOverLinks({
    self: identity.id,
    overlay,
    geometry,
    machine,
    closers,
    linkTo: (id) => overlay.links.to(id),
    isRelay: false,
  });
  const { written, ...kept } = await keptGuards(options.directory, log, overlay);
  closers.add(written);
  const routes = new DescriptorRoutes(
    { discovery: overlay, lookup: overlay, clock, random, self: identity.id, ...kept },
    { isDiverse: !isLocal, waitMs: ROUTE_WAIT_MS },
  );
  const { signal } = options;
  await requireRoute(routes, { overlay, clock, signal });
  // On one machine all exits have one owner, who sees everything in any case.
  const budget = isLocal ? { framesPerExit: Number.POSITIVE_INFINITY } : {};
  const onion = { ...budget, ...options.onion };
  const { onBudgetSpent: onSpent } = options;
  const parts = { service, routes, ...(onSpent && { onSpent }) };
  const checks = exitChecks(knownNodes(overlay.dht), steadyFrom(clock));
  const make = (): OnionCarrier => {
    const carrier = new OnionCarrier({ ...parts, checks }, onion);
    // A client may live for many streams, and knows not which of them are over.
    closers.addWeakly(carrier);
    return carrier;
  };
  const isKept = options.keepsSpare ?? true;
  const carriers = new SpareCarriers(make, { clock, isKept });
  closers.add(() => carriers.close());
  const carrier = (): RecordCarrier =>
    new GentleStart(overOnions(carriers.take(), geometry), clock);
  return connected({ overlay, geometry, closers, clock, carrier });
}

/** Who keeps a record, as far as a client can tell without asking anybody. */
function knownNodes(dht: Overlay["dht"]): KnownNodes {
  return {
    get count() {
      return dht.contacts.length;
    },
    near: (address, count) =>
      dht.knowsAll ? dht.closestKnown(address, count).map(({ id }) => id) : undefined,
  };
}

/** A shorter route would show an exit, or one relay beside it, who asks. */
function requireRoom({ onionHopsMax: hopsMax }: NetworkGeometry): void {
  const detail = { relays: ROUTE_DEFAULTS.relays, hopsMax };
  if (hopsMax >= detail.relays) return;
  const room = `onions of this network have room for ${hopsMax}`;
  const message = `a route takes ${detail.relays} relays, and ${room}`;
  throw new CulvertError("CULVERT_UNREACHABLE", message, { detail });
}

/** Says at once what a stream would wait for in vain: a network that has too few nodes. */
async function requireRoute(
  routes: DescriptorRoutes,
  parts: {
    readonly overlay: Overlay;
    readonly clock: Clock;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { overlay, clock, signal } = parts;
  try {
    await routes.route({ signal });
  } catch (cause) {
    if (!isCulvertError(cause, "CULVERT_UNREACHABLE")) throw cause;
    const side = clockSideFrom(overlay, clock)();
    if (side !== undefined) throw clockOff(side, cause);
    const detail = { nodes: overlay.dht.contacts.length, relays: ROUTE_DEFAULTS.relays };
    const message = `a route takes ${detail.relays} relays, and the network shows ${detail.nodes}`;
    throw new CulvertError("CULVERT_UNREACHABLE", message, { cause, detail });
  }
}

/** The records of one stream through circuits: exits are believed what they can prove. */
function overOnions(onion: OnionCarrier, { cellBytes }: NetworkGeometry): RecordCarrier {
  return {
    payloadSize: cellBytes,
    isVerified: true,
    put: async (record, how) => {
      const { ttlSeconds } = await onion.put(record, how);
      return { ttlSeconds };
    },
    get: async (address, how): Promise<MapRecord> => await onion.get(address, how),
  };
}

function geometryOf(
  { directory }: Overlay,
  { bootstrap }: Pick<ClientOptions, "bootstrap">,
): NetworkGeometry {
  const [first, ...others] = directory.all().map(({ claims }) => claims.geometry);
  // What a node has just said of itself holds for an hour and a half at least.
  if (first === undefined && bootstrap.length > 0) throw clockOff("ahead of");
  if (first === undefined) {
    throw new CulvertError("CULVERT_UNREACHABLE", "no node of the network is known");
  }
  const isOther = others.some((geometry) => !isSameGeometry(geometry, first));
  if (isOther) {
    throw new CulvertError("CULVERT_GEOMETRY_CHANGED", "these nodes are of different networks");
  }
  return first;
}

/**
 * Where those whose descriptors are at hand when this is called have this clock at any time after:
 * one that is set while a stream runs is believed at once, though by then they all look expired.
 */
function clockSideFrom({ directory, dht }: Overlay, clock: Clock): () => ClockSide | undefined {
  const [met, metAt] = [withNetworks(directory.all(), dht.contacts), clock.now()];
  return () => clockSideOf(met, clock.unixMs() - (clock.now() - metAt));
}

/**
 * The time by a clock that was right when this was called, and may be set ahead after: each receipt
 * would end too soon. For a machine that has slept it is earlier than it is, and a receipt may end
 * so much sooner.
 */
function steadyFrom(clock: Clock): Pick<Clock, "unixMs"> {
  const startUnixMs = clock.unixMs() - clock.now();
  return { unixMs: () => Math.min(clock.unixMs(), startUnixMs + clock.now()) };
}

/** Nobody could be believed: what a user may take for a network that is down is his own clock. */
function clockOff(side: ClockSide, cause?: unknown): CulvertError {
  const message = `the clock of this machine is hours ${side} those of the nodes`;
  return new CulvertError("CULVERT_UNREACHABLE", message, { cause, detail: { clock: "off" } });
}

function connected(parts: {
  readonly overlay: Overlay;
  readonly geometry: NetworkGeometry;
  readonly closers: Closers;
  readonly carrier: () => RecordCarrier;
  /** Where exits are asked, any of which may say nothing; keepers are asked several at once. */
  readonly clock?: Clock;
}): NetworkClient {
  const { overlay, geometry, closers, clock } = parts;
  return {
    geometry,
    transport: () => {
      // Its circuits would be built, and built again, for ever.
      if (closers.isRun) throw new CulvertError("CULVERT_CLOSED");
      return new MapClient(new SharedCarrier(parts.carrier(), clock));
    },
    get nodesKnown() {
      return overlay.dht.contacts.length;
    },
    ...closers.handle(),
  };
}
