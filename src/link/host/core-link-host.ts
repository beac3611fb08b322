import {
  type Cancel,
  Canceller,
  type Clock,
  CulvertError,
  type Instant,
  LruMap,
  onAbort,
  repeat,
  SharedCalls,
  throwIfAborted,
  withSignals,
} from "../../base/index.ts";
import { type NodeAddress, type NodeId, nodeIdOf, nodeIdText } from "../../identity/index.ts";
import type { HostPort, PathConnection, TcpNetwork, UdpSocket } from "../carrier/carrier.ts";
import type {
  AttachOptions,
  CloseOptions,
  DatagramListener,
  DialTarget,
  Link,
  LinkHost,
  Observation,
  ProbePort,
  StreamHandler,
  UpgradePath,
} from "../contract.ts";
import {
  requireAttachable,
  requireCloseOptions,
  requireTarget,
  requireUpgradePath,
} from "../given.ts";
import type { LinkLimits } from "../limits.ts";
import { ListenerSet } from "../listener-set.ts";
import { type Hello, LINK_ID_BYTES } from "../mux/link-records.ts";
import { type Asked, PathDesk, type ReadyPath, type Way } from "../path/path-desk.ts";
import type { PathContext } from "../path/path-setup.ts";
import { CoreLink } from "./core-link.ts";
import { type Agreement, LinkMover } from "./link-mover.ts";
import type { CoreLinkOptions, LinkOwner } from "./link-parts.ts";
import { LinkTable, placeOf } from "./link-table.ts";
import { ProtocolTable } from "./protocol-table.ts";

/** What a host is made from. */
export interface LinkHostParts {
  readonly id: NodeId;
  readonly context: PathContext;
  readonly tcp: TcpNetwork | undefined;
}

/** How often idle links are looked for. */
const SWEEP_MS = 5_000;
/** Peers whose last good address is remembered. */
const REMEMBERED_MAX = 4_096;
/** Where a new link begins. */
const FIRST_PATH: Agreement = { epoch: 0, peerReceived: 0, receivedTold: 0 };

/** The shell of a node's links: makes links of paths, and keeps them within their limits. */
export class CoreLinkHost implements LinkHost, LinkOwner {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly #context: PathContext;
  readonly #desk: PathDesk;
  readonly #table: LinkTable;
  readonly #mover: LinkMover;
  readonly #handlers = new ProtocolTable<StreamHandler>();
  readonly #listeners = new ProtocolTable<DatagramListener>();
  readonly #linkListeners = new ListenerSet<[Link]>();
  readonly #observers = new ListenerSet<[Observation]>();
  readonly #dials = new SharedCalls<CoreLink>();
  /** Where the peer of a link can be dialled again. */
  readonly #targets = new WeakMap<CoreLink, DialTarget>();
  readonly #winners = new LruMap<string, NodeAddress>(REMEMBERED_MAX);
  readonly #closing = new Canceller();
  readonly #cancelSweep: Cancel;
  #closed: Promise<void> | undefined;

  constructor({ id, context, tcp }: LinkHostParts) {
    this.id = id;
    this.#context = context;
    this.clock = context.clock;
    this.limits = context.limits;
    this.#table = new LinkTable(context.limits);
    this.#desk = new PathDesk({ context, tcp, onAsked: (asked) => this.#answer(asked) });
    this.#mover = new LinkMover({
      clock: context.clock,
      redial: (link) => this.#redialOf(link),
      put: (link, ready, agreed) => this.#put(link, ready, agreed),
    });
    this.#cancelSweep = repeat(this.clock, SWEEP_MS, () => this.#sweep());
  }

  get addresses(): readonly NodeAddress[] {
    return this.#desk.addresses;
  }

  get probes(): ProbePort | undefined {
    return this.#desk.probes;
  }

  /** Handshakes under way, of both sides. */
  get handshakes(): number {
    return this.#desk.setups;
  }

  /** Sources that links or handshakes are counted for: none without these. */
  get sources(): number {
    return this.#table.sources + this.#desk.sources;
  }

  /** Uses a UDP socket, which is handed over. */
  useUdp(socket: UdpSocket): void {
    this.#desk.useUdp(socket);
  }

  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  listenTcp(at: HostPort): Promise<void> {
    return this.#desk.listenTcp(at);
  }

  async dial(target: DialTarget): Promise<Link> {
    requireTarget(target);
    this.#requireOpen();
    const open = this.#table.find(target.id);
    if (open !== undefined) {
      this.#lookFor(open, target);
      return open;
    }
    return this.#dials.join(nodeIdText(target.id), target.signal, async (signal) => {
      const link = await this.#begin(await this.#dialPath(target, signal), signal);
      this.#targets.set(link, target);
      return link;
    });
  }

  async attach(connection: PathConnection, options: AttachOptions): Promise<Link> {
    requireAttachable(connection, options);
    if (this.#closing.signal.aborted) connection.close(true);
    this.#requireOpen();
    const way = this.#attachedWay(options);
    const { expectedId, publicKey, signal } = options;
    if (!options.isInitiator) return this.#awaitLink(connection, options);
    const setup = await this.#desk.open(connection, { id: expectedId, publicKey }, signal);
    return this.#begin({ setup, way }, signal);
  }

  async upgrade(link: Link, path: UpgradePath): Promise<void> {
    requireUpgradePath(path);
    try {
      if (!(link instanceof CoreLink) || link.owner !== this) {
        throw new RangeError("the link is not one of this host");
      }
      if (!link.isOpen) throw new CulvertError("CULVERT_CLOSED", "the link is closed");
      await this.#mover.upgrade(link, () => this.#openFor(link, path), path.signal);
    } catch (error) {
      if ("connection" in path) path.connection.close(true);
      throw error;
    }
  }

  find(id: NodeId): Link | undefined {
    return this.#table.find(id);
  }

  links(): readonly Link[] {
    return this.#table.all();
  }

  onLink(listener: (link: Link) => void): Cancel {
    return this.#linkListeners.add(listener);
  }

  handle(protocol: string, onStream: StreamHandler): Cancel {
    return this.#handlers.set(protocol, onStream);
  }

  onDatagram(protocol: string, listener: DatagramListener): Cancel {
    return this.#listeners.set(protocol, listener);
  }

  onObserved(listener: (observation: Observation) => void): Cancel {
    return this.#observers.add(listener);
  }

  close(options: CloseOptions = {}): Promise<void> {
    requireCloseOptions(options);
    this.#closing.abort();
    this.#cancelSweep();
    const links = this.#table.all().map((link) => link.close(options));
    this.#closed ??= Promise.all(links).then(() => this.#desk.close());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  handlerOf(protocol: string): StreamHandler | undefined {
    return this.#handlers.get(protocol);
  }

  listenerOf(protocol: string): DatagramListener | undefined {
    return this.#listeners.get(protocol);
  }

  answerLate(since: Instant): void {
    this.#table.doubt(since);
  }

  pathLost(link: CoreLink): void {
    this.#mover.replace(link);
  }

  over(link: CoreLink): void {
    this.#table.remove(link);
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw new CulvertError("CULVERT_CLOSED");
  }

  async #dialPath(target: DialTarget, signal: AbortSignal): Promise<ReadyPath> {
    const key = nodeIdText(target.id);
    const { id, publicKey, addresses } = target;
    const remembered = this.#winners.get(key);
    try {
      const found = await withSignals([signal, this.#closing.signal], (either) =>
        this.#desk.dial({ id, publicKey, addresses, remembered }, either),
      );
      this.#winners.set(key, found.address);
      return found;
    } catch (error) {
      // The caller has aborted nothing.
      if (!signal.aborted) this.#requireOpen();
      throw error;
    }
  }

  /** Looks for the peer of a link that has lost its path where it is said to be now. */
  #lookFor(link: CoreLink, target: DialTarget): void {
    if (link.path !== undefined || target.addresses.length === 0) return;
    this.#targets.set(link, target);
    this.#mover.replace(link);
  }

  #redialOf(link: CoreLink): (() => Promise<ReadyPath>) | undefined {
    if (!this.#targets.has(link)) return undefined;
    return () => {
      // The peer may have moved since the attempt before.
      const { addresses = [] } = this.#targets.get(link) ?? {};
      const known = { id: link.peer, publicKey: link.peerKey, addresses };
      return this.#dialPath(known, this.#closing.signal);
    };
  }

  async #openFor(link: CoreLink, path: UpgradePath): Promise<ReadyPath> {
    const target = { id: link.peer, publicKey: link.peerKey };
    if ("addresses" in path) {
      const signal = path.signal ?? this.#closing.signal;
      return this.#dialPath({ ...target, addresses: path.addresses }, signal);
    }
    const setup = await this.#desk.open(path.connection, target, path.signal);
    return { setup, way: this.#attachedWay(path) };
  }

  /** Asks the peer at the other end of a path for a new link. */
  #begin(ready: ReadyPath, signal: AbortSignal | undefined): Promise<CoreLink> {
    const { setup } = ready;
    return new Promise((resolve, reject) => {
      const linkId = this.#context.random.bytes(LINK_ID_BYTES);
      setup.greet(
        { linkId, intent: { kind: "new" } },
        {
          failed: reject,
          greeted: ({ hello }) => {
            const link = this.#add(ready, { linkId, peer: hello, isInitiator: true });
            if (link === undefined) {
              setup.refuse("busy");
              const isClosed = this.#closing.signal.aborted;
              const busy = new CulvertError("CULVERT_BUSY", "this node has no link to spare");
              reject(isClosed ? new CulvertError("CULVERT_CLOSED") : busy);
              return;
            }
            resolve(link);
            this.#start(link, ready);
          },
        },
        signal,
      );
    });
  }

  /** Waits for the peer at the other end of a connection to ask for a link. */
  #awaitLink(connection: PathConnection, options: AttachOptions): Promise<Link> {
    const { expectedId, via, signal } = options;
    const source = via && nodeIdText(via);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) connection.close(true);
      throwIfAborted(signal);
      if (source !== undefined && !this.#desk.admits(source)) {
        connection.close(true);
        throw new CulvertError("CULVERT_BUSY", "too many handshakes begin there");
      }
      let forget: Cancel = () => {};
      const setup = this.#desk.answer(connection, {
        expectedId,
        source,
        way: this.#attachedWay(options),
        onAsked: (asked) => {
          forget();
          const link = this.#answer(asked);
          if (link === undefined) reject(new CulvertError("CULVERT_REFUSED"));
          else resolve(link);
        },
        onFailed: (error) => {
          forget();
          reject(error);
        },
      });
      if (!setup.isOver) {
        forget = onAbort(signal, (error) => {
          setup.abort();
          reject(error);
        });
      }
    });
  }

  /** A peer asks for a link, or for another path of one. */
  #answer(asked: Asked): CoreLink | undefined {
    const { setup, greeted, source } = asked;
    const { linkId, intent, hello } = greeted;
    if (intent.kind === "resume") {
      const link = this.#table.named(nodeIdOf(setup.provenKey), linkId);
      if (link === undefined) setup.refuse("unknown-link");
      else this.#mover.answer(link, asked);
      return link;
    }
    const link = this.#add(asked, { linkId, peer: hello, isInitiator: false, source });
    if (link === undefined) setup.refuse("busy");
    else this.#start(link, asked);
    return link;
  }

  /** A new link, unless that would be too many. */
  #add(
    { setup, way }: ReadyPath,
    options: Pick<CoreLinkOptions, "linkId" | "isInitiator"> & {
      readonly peer: Hello;
      readonly source?: string | undefined;
    },
  ): CoreLink | undefined {
    const peerKey = setup.provenKey;
    if (this.#closing.signal.aborted) return undefined;
    const id = nodeIdOf(peerKey);
    if (!options.isInitiator) void this.#table.surplusOf(id)?.close();
    if (this.#table.isFullFor(id, options.source)) return undefined;
    const place = placeOf(way);
    const { isFull } = this.#table;
    if (isFull) void (this.#table.longestIdle() ?? this.#table.displacedBy(place))?.close();
    if (this.#table.isFull) return undefined;
    const link = new CoreLink({ owner: this, peerKey, place, source: undefined, ...options });
    this.#table.add(link);
    return link;
  }

  #start(link: CoreLink, ready: ReadyPath): void {
    this.#put(link, ready, FIRST_PATH);
    this.#linkListeners.tell(link);
  }

  #put(link: CoreLink, { setup, way }: ReadyPath, agreed: Agreement): void {
    const observed = setup.peerHello?.observed;
    link.takePath({ path: setup.path, about: { ...way, observed }, ...agreed });
    if (observed === undefined || way.carrier === "attached") return;
    this.#observers.tell({ address: observed, by: link.peer, remote: way.remote });
  }

  /** How a connection came here that the caller has got somehow. */
  #attachedWay({ isRelayed, via }: Pick<AttachOptions, "isRelayed" | "via">): Way {
    const { path } = (via && this.#table.find(via)) ?? {};
    const viaRemote = path?.isRelayed === false ? path.remote : undefined;
    return { carrier: "attached", isRelayed, via, viaRemote, remote: undefined };
  }

  #sweep(): void {
    for (const link of this.#table.expired(this.clock.now())) void link.close();
  }
}
