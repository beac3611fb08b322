import { type Cancel, type Log, SILENT } from "../base/index.ts";
import { Contact, type PlacementLimits } from "../dht/index.ts";
import { formatNodeContact, NodeIdentity, nodeIdText } from "../identity/index.ts";
import { defer } from "../io/defer.ts";
import { nativeSigner } from "../io/native-signer.ts";
import { loadOrCreateSecret } from "../io/secret-file.ts";
import {
  localCarrier,
  MapService,
  type MapSessions,
  type RecordStore,
} from "../mapservice/index.ts";
import { serveMap, type TunnelService } from "../onion/index.ts";
import type { GatewayName } from "../voidphone/index.ts";
import { Closers } from "./closers.ts";
import { addressesToJoin, joinNetwork } from "./dht/joining.ts";
import { keepPeers } from "./dht/kept-peers.ts";
import { StaticDirectory } from "./dht/static-directory.ts";
import { ClockWatch } from "./health/clock-watch.ts";
import { nodeMetrics, showMetrics } from "./health/node-numbers.ts";
import { type Machine, THIS_MACHINE } from "./machine.ts";
import { contactsOf, type NamedNode } from "./named-nodes.ts";
import { NETWORK_NAME } from "./network-name.ts";
import { type NodeConfig, requireConfig } from "./node-config.ts";
import { exitMapOver } from "./onion/exit-map.ts";
import { keptGuards } from "./onion/guards-file.ts";
import { tunnelsOverLinks } from "./onion/tunnels-over-links.ts";
import { Overlay } from "./overlay.ts";
import { DialBack } from "./reach/dial-back.ts";
import { OwnDescriptor } from "./reach/own-descriptor.ts";
import { OwnPlace, portsOf } from "./reach/own-place.ts";
import { Reachability } from "./reach/reachability.ts";
import { RelayPlaces } from "./reach/relay-places.ts";
import { SEQUENCE_FILE, SequenceFile } from "./reach/sequence-file.ts";
import { HandOver } from "./storage/hand-over.ts";
import { MapPeers, serveMapOverLinks } from "./storage/map-links.ts";
import { openStore } from "./storage/own-store.ts";
import { ReplicatedMap } from "./storage/replicated-map.ts";
import { markInFolder, StoreNews } from "./storage/store-news.ts";
import { keptCertificate } from "./voidphone/certificate-file.ts";
import { VoidphoneServers } from "./voidphone/voidphone-servers.ts";
import { CircuitTunnels } from "./voidphone/voidphone-tunnels.ts";
import { VoidphoneValues } from "./voidphone/voidphone-values.ts";

/** A storage and relay node that is up. */
export interface RunningNode extends AsyncDisposable {
  /** Its id in hexadecimal. */
  readonly name: string;
  /** How others name it when they join by it, one for each address at which they reach it now. */
  readonly contacts: readonly string[];
  /** How many nodes it knows after it has joined; 0 when it is alone. */
  readonly joined: Promise<number>;
  /** Where its metrics are shown, when it was asked to show them. */
  readonly metricsPort: number | undefined;
  /** Where it serves VoidPhone's protocols: `HOST:PORT` of each that it was asked to serve. */
  readonly voidphone: Readonly<Partial<Record<GatewayName, string>>>;
  /** Calls back when others reach it elsewhere than before, or through other relays. */
  onMove(listener: () => void): Cancel;
  /** What it has done and holds, in a few numbers. */
  summary(): Readonly<Record<string, number>>;
  /** Answers what was taken, says goodbye, closes the store. Closing twice waits for the first. */
  close(): Promise<void>;
}

/** What a node has besides its configuration. */
export interface NodeOptions {
  readonly log?: Log;
  /** This one, unless told otherwise. */
  readonly machine?: Machine;
  /** Of a node without a folder: who it is, 32 secret bytes, borrowed; somebody new if absent. */
  readonly seed?: Uint8Array;
  /** Where it keeps records, instead of where its configuration says; owned from now on. */
  readonly store?: RecordStore;
  /** How records are kept at the nodes closest to them. */
  readonly placement?: Partial<PlacementLimits>;
  /** Gives up a server for records that does not answer, while the node starts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a node: links, requests, the DHT, the Map, onions, as its configuration says.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen; `CULVERT_STATE_IN_USE`,
 *   `CULVERT_BAD_STATE`, `CULVERT_FILE` or `CULVERT_GEOMETRY_CHANGED` for its folder;
 *   `CULVERT_USAGE` for two addresses of one carrier, roles without `storage`, or a text of no node
 * @throws TypeError, RangeError for a configuration that is none
 * @throws Error `AbortError`
 */
export async function startNode(
  config: Omit<NodeConfig, "bootstrap"> & { readonly bootstrap: readonly NamedNode[] },
  options: NodeOptions = {},
): Promise<RunningNode> {
  const closers = new Closers();
  try {
    requireConfig(config);
    const bootstrap = contactsOf(config.bootstrap);
    return await assemble({ ...config, bootstrap }, options, closers);
  } catch (error) {
    await closers.run();
    throw error;
  }
}

/** What the parts of a node have in common. */
interface Ground {
  readonly config: NodeConfig;
  readonly nodes: StaticDirectory | undefined;
  readonly identity: NodeIdentity;
  readonly overlay: Overlay;
  readonly peers: MapPeers;
  readonly place: OwnPlace;
  readonly closers: Closers;
  readonly machine: Machine;
  readonly log: Log;
  readonly clockWatch: ClockWatch;
}

async function assemble(
  config: NodeConfig,
  options: NodeOptions,
  closers: Closers,
): Promise<RunningNode> {
  const { directory } = config;
  const { machine = THIS_MACHINE, log = SILENT } = options;
  const { clock, random } = machine;
  const ports = portsOf(config.listen);
  // The store first: holding it is holding the folder.
  const store = options.store ?? (await openStore(config, random, options.signal));
  let isServed = false; // from then on the Map closes it, in a time that is bounded
  closers.add(() => (isServed ? undefined : store.close()));
  const nodes = await nodesOf(config, machine, log);
  const seed =
    directory === undefined
      ? (options.seed ?? random.bytes(32))
      : await loadOrCreateSecret(`${directory}/node.key`);
  const identity = new NodeIdentity(seed);
  const host = await machine.openLinks({ identity, network: NETWORK_NAME, ...ports });
  closers.add(() => host.close({ graceful: true }));
  const place = new OwnPlace(config, host, machine, await addressesToJoin({ config, nodes }));
  closers.add(place.watch(clock));
  const dialBack = new DialBack(machine);
  closers.add(() => dialBack.close());
  const overlay = new Overlay(
    { host, identity, clock, random },
    {
      addresses: () => place.named(overlay.relays.length > 0),
      isLocal: place.isLocal,
      dialsPrivate: () => place.dialsPrivate,
      isRelay: place.roles.includes("link-relay"),
      dialBack,
      onNewStore: (id, mark) => handOver.heardNewStore(id, mark),
      geometry: config.geometry,
    },
  );
  closers.add(() => overlay.close());
  const peers = new MapPeers((id) => overlay.links.to(id), { clock, random, log });
  closers.add(() => peers.close());
  const shared = { config, nodes, identity, overlay, peers, place, closers, machine, log };
  const ground = { ...shared, clockWatch: watchClock(shared) };
  const handOver = keepPlaced(ground, store, options.placement);
  const map = new MapService({
    store: handOver.store,
    clock,
    signer: nativeSigner(seed),
    verifyAside: machine.verifyAside?.(),
    defer,
    log,
  });
  isServed = true;
  closers.add(() => map.close());
  closers.add(() => handOver.close()); // it reads the store, which the map closes
  const sessions = serveRecords(ground, map);
  const replicas = replicate(ground, map);
  const sequence = directory === undefined ? undefined : `${directory}/${SEQUENCE_FILE}`;
  const tunnels = serveOnions(ground, replicas, await SequenceFile.open(sequence, log));
  keepPeers(ground);
  const voidphone = await serveVoidphone(ground, { replicas, store: handOver.store, tunnels });
  const { clockWatch } = ground;
  const parts = { map, overlay, tunnels, handOver, voidphone, sessions, clockWatch };
  const metricsPort = await showMetrics(config.metrics, nodeMetrics(parts), closers);
  return runningNode(ground, { store, map, handOver, voidphone, metricsPort });
}

/** Tells the operator, and whoever judges others by it, when this machine's clock is off. */
function watchClock({ overlay, closers, machine, log }: Omit<Ground, "clockWatch">): ClockWatch {
  const watch = new ClockWatch({
    nodes: () => overlay.dht.contacts,
    describe: (node, signal) => overlay.describeKnown(node, signal),
    clock: machine.clock,
    random: machine.random,
    log,
  });
  closers.add(() => watch.close());
  return watch;
}

/** Hands this node's records over to those that are closer to them. */
function keepPlaced(
  { identity, overlay, peers, machine, log }: Ground,
  store: RecordStore,
  limits: Partial<PlacementLimits> = {},
): HandOver {
  const { dht } = overlay;
  const { clock, random } = machine;
  const self = identity.id;
  return new HandOver({ store, dht, peers, self, clock, random, log }, limits);
}

/** Has others give this node again what it kept, when that is lost. */
function newsOf(ground: Ground, store: RecordStore): StoreNews | undefined {
  if (store.mark === undefined) return undefined;
  const { config, identity, overlay, closers, machine, log } = ground;
  const { directory } = config;
  const news = new StoreNews({
    store,
    kept: directory === undefined ? undefined : markInFolder(directory),
    neighbours: (count) => overlay.dht.closestKnown(identity.id, count),
    tell: (to, what, signal) => overlay.tellNewStore(to, what, signal),
    clock: machine.clock,
    log,
  });
  closers.add(() => news.close());
  return news;
}

/** This node's own records, to whoever has a link. */
function serveRecords({ overlay, closers, machine, log }: Ground, map: MapService): MapSessions {
  const { linksPerSourceMax: perSourceMax } = map.limits;
  const sessions = serveMapOverLinks(
    overlay.host,
    { service: map, clock: machine.clock, log },
    { perSourceMax },
  );
  closers.add(() => sessions.goodbye());
  return sessions;
}

/** The records of the whole network, this node's own among them. */
function replicate(ground: Ground, map: MapService): ReplicatedMap {
  const { config, identity, overlay, peers, closers, machine, clockWatch } = ground;
  const { clock, random } = machine;
  const isClockOff = (): boolean => clockWatch.isOff;
  // Only its id is looked at: nobody dials himself.
  const contact = Contact.of(identity.id, { addresses: [], relays: [identity.id] });
  const self = { contact, nodeKey: identity.publicKey, carrier: localCarrier(map, { clock }) };
  const replicas = new ReplicatedMap(
    { dht: overlay.dht, peers, clock, random, self, isClockOff },
    { payloadSize: config.geometry.cellBytes },
  );
  closers.add(() => replicas.close());
  return replicas;
}

/** Relays onions, lets circuits end here as far as its roles say so, and says so to others. */
function serveOnions(
  ground: Ground,
  replicas: ReplicatedMap,
  sequence: SequenceFile,
): TunnelService {
  const { config, identity, overlay, place, closers, machine } = ground;
  const { links, tunnels } = tunnelsOverLinks({
    self: identity.id,
    overlay,
    geometry: config.geometry,
    machine,
    closers,
    linkTo: (id, from) => overlay.links.toNamed(id, from),
    isRelay: config.roles.includes("onion-relay"),
  });
  links.serve(tunnels);
  if (config.roles.includes("onion-exit")) {
    tunnels.setHandlers({ request: serveMap(exitMapOver(replicas)) });
  }
  const own = new OwnDescriptor(
    { identity, clock: machine.clock, last: sequence.last },
    () => {
      const onionKeys = tunnels.onionKeys();
      const [{ geometry }, { relays }] = [config, overlay];
      const addresses = place.named(relays.length > 0);
      return { roles: place.roles, geometry, addresses, relays, onionKeys };
    },
    (descriptor) => {
      sequence.keep(descriptor.claims.sequence);
      overlay.publish(descriptor);
    },
  );
  closers.add(() => sequence.close());
  tunnels.setHandlers({ keysChanged: () => own.look() });
  closers.add(overlay.reach.onPlaces(() => own.look()));
  closers.add(place.onMove(() => own.look()));
  closers.add(() => own.close());
  own.start();
  return tunnels;
}

/** VoidPhone's clients and peers, in front of all that. */
async function serveVoidphone(
  { config, identity, overlay, place, closers, machine, log }: Ground,
  parts: {
    readonly replicas: ReplicatedMap;
    readonly store: RecordStore;
    readonly tunnels: TunnelService;
  },
): Promise<VoidphoneServers> {
  const { clock, random } = machine;
  const payloadSize = config.geometry.cellBytes;
  const values = new VoidphoneValues({ ...parts, dht: overlay.dht, payloadSize, clock, log });
  const { written, ...kept } = await keptGuards(config.directory, log, overlay);
  closers.add(written);
  const { isLocal } = place;
  const tunnels = new CircuitTunnels({ ...parts, ...kept, overlay, clock, random, isLocal });
  const servers = await VoidphoneServers.start(config.voidphone, {
    id: identity.id,
    values,
    tunnels,
    announceHost: config.announce[0]?.host,
    certificate: keptCertificate(config.directory, log),
    clock,
    log,
  });
  closers.add(() => servers.close());
  return servers;
}

/** Joins; then finds out whether others reach it, and looks for relays while they do not. */
async function joinAndBeReached(ground: Ground): Promise<number> {
  const { overlay, place, closers, machine, clockWatch, log } = ground;
  const { host, reach } = overlay;
  const { clock } = machine;
  const relays = new RelayPlaces({ reach, discovery: overlay, clock, log });
  closers.add(() => relays.close());
  const reachability = new Reachability({ host, overlay, place, clock, log });
  closers.add(() => reachability.close());
  const nodes = await joinNetwork(ground);
  if (closers.isRun) return nodes;
  clockWatch.start();
  const look = (): void => (place.addresses.length > 0 ? relays.stop() : relays.start());
  closers.add(place.onMove(look));
  look();
  if (place.isFoundOut) reachability.start();
  return nodes;
}

/** The nodes that the configuration's file names. */
async function nodesOf(
  { nodesFile }: NodeConfig,
  { clock }: Machine,
  log: Log,
): Promise<StaticDirectory | undefined> {
  if (nodesFile === undefined) return undefined;
  return await StaticDirectory.open(nodesFile, { log, unixMs: () => clock.unixMs() });
}

function runningNode(
  ground: Ground,
  parts: {
    readonly map: MapService;
    readonly handOver: HandOver;
    readonly store: RecordStore;
    readonly voidphone: VoidphoneServers;
    readonly metricsPort: number | undefined;
  },
): RunningNode {
  const { map, handOver, store, voidphone, metricsPort } = parts;
  const news = newsOf(ground, store);
  const joined = joinAndBeReached(ground);
  void joined.then(() => {
    handOver.resume();
    news?.start();
  });
  const { identity, overlay, place, closers } = ground;
  return {
    name: nodeIdText(identity.id),
    get contacts() {
      return place.addresses.map((address) => formatNodeContact({ id: identity.id, address }));
    },
    onMove(listener) {
      const cancels = [place.onMove(listener), overlay.reach.onPlaces(listener)];
      return () => {
        for (const cancel of cancels) cancel();
      };
    },
    joined,
    metricsPort,
    voidphone: voidphone.endpoints,
    summary: () => {
      const { putsStored, putsKnown, getsFound, getsNotFound, store } = map.statistics();
      const [puts, gets] = [putsStored + putsKnown, getsFound + getsNotFound];
      const relays = overlay.relays.length;
      return { puts, gets, records: store.entries, relays };
    },
    ...closers.handle(),
  };
}
