import {
  type Cancel,
  type Clock,
  CulvertError,
  isCulvertError,
  type Random,
} from "../base/index.ts";
import { Contact, DhtNode, dhtNetworkOver, type RecordRule } from "../dht/index.ts";
import {
  addressScope,
  Directory,
  type Discovery,
  formatNodeAddress,
  isAnyHost,
  isSameNode,
  type Lookup,
  type LookupOptions,
  type NetworkGeometry,
  type NodeAddress,
  type NodeContact,
  NodeDescriptor,
  type NodeId,
  type NodeIdentity,
  nodeIdText,
} from "../identity/index.ts";
import { type Link, type LinkHost, Reach } from "../link/index.ts";
import { BYTES, type Handlers, NOTHING, PeerLinks, RpcNode, Service, unary } from "../rpc/index.ts";
import { DhtOverLinks } from "./dht/dht-over-links.ts";
import { linkDialler } from "./links/link-dialler.ts";
import { sourceOf, whereHeard } from "./links/link-source.ts";
import { NodeLinks, whereaboutsOf } from "./links/node-links.ts";
import { isSameGeometry } from "./onion/onion-geometry.ts";
import { DIAL_BACK_ANSWER, DIAL_BACK_QUESTION, type DialBack } from "./reach/dial-back.ts";
import type { DialBackVerdict } from "./reach/reachability-core.ts";

/** What nodes ask each other: EGTP requests, one method each. */
const MANIFEST = {
  /** A message of the DHT, answered by another. */
  dht: unary({ request: BYTES, reply: BYTES, isIdempotent: true }),
  /** The descriptor of the node that is asked; empty when it has none. */
  descriptor: unary({ request: NOTHING, reply: BYTES, isIdempotent: true }),
  /** Whether whoever asks can be dialled at these addresses. */
  dialBack: unary({ request: DIAL_BACK_QUESTION, reply: DIAL_BACK_ANSWER }),
  /** The mark of the store of whoever asks, which was begun anew. */
  newStore: unary({ request: BYTES, reply: NOTHING, isIdempotent: true }),
} as const;

/** What an overlay is built from. */
export interface OverlayComponents {
  /** Owned from now on. */
  readonly host: LinkHost;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly random: Random;
}

/** How an end takes part in the network. */
export interface OverlayOptions {
  /** Where others reach this end now; nowhere for a client, which nobody asks anything. */
  readonly addresses: () => readonly NodeAddress[];
  /** Private addresses mean something: all nodes are on one machine, or behind one router. */
  readonly isLocal: boolean;
  /**
   * Whether private addresses that others tell of are dialled now, and are of neighbours, too;
   * `isLocal`, if absent.
   */
  readonly dialsPrivate?: () => boolean;
  /** Relays links for those who cannot be reached directly. */
  readonly isRelay?: boolean;
  /** Dials others back who ask for it. */
  readonly dialBack?: Pick<DialBack, "judge">;
  /** Told of nodes whose store was begun anew; may refuse with `CULVERT_BUSY`. */
  readonly onNewStore?: (id: NodeId, mark: Uint8Array) => void;
  /** Sizes of this network, when they are known: a node of others leads into another network. */
  readonly geometry?: NetworkGeometry;
  readonly recordRule?: RecordRule;
}

/** So long after the first of several nodes has answered it goes on without the others. */
const OTHERS_MS = 1_000;

type Meeting = PromiseSettledResult<readonly NodeDescriptor[]>;

type Asker = Parameters<DhtNode["serve"]>[1];

const NOTHING_SAID = new Uint8Array(0);

/**
 * Links, requests and the DHT, put together: what a storage node and a client have in common. Knows
 * where nodes are, and leads to any of them by its id.
 */
export class Overlay implements Lookup, Discovery {
  readonly host: LinkHost;
  readonly links: NodeLinks;
  readonly reach: Reach;
  readonly rpc: RpcNode;
  readonly dht: DhtNode;
  readonly directory: Directory;
  readonly #clock: Clock;
  readonly #geometry: NetworkGeometry | undefined;
  /** Addresses that the user has named: no stranger's word, they are dialled again at any time. */
  readonly #begunWith = new Set<string>();
  /** Nodes that the user has named and that have answered, and this one. */
  readonly #met = new Set<string>();
  #own: NodeDescriptor | undefined;

  constructor(components: OverlayComponents, options: OverlayOptions) {
    const { host, identity, clock, random } = components;
    this.host = host;
    this.#clock = clock;
    this.#geometry = options.geometry;
    this.#met.add(nodeIdText(identity.id));
    this.directory = new Directory({ unixMs: () => clock.unixMs() });
    this.reach = new Reach({
      host,
      identity,
      lookup: { lookup: async (id, how) => this.directory.find(id) ?? this.lookup(id, how) },
      components: { clock, random },
      mayDial: (address) => {
        const scope = addressScope(address.host);
        if (scope !== "private") return scope === "public";
        if (this.#begunWith.has(formatNodeAddress(address))) return true;
        return options.dialsPrivate?.() ?? options.isLocal;
      },
      ...(options.isRelay === true && { relay: {} }),
      ...localHostsOf(host),
    });
    this.links = new NodeLinks(host, {
      known: (id) => {
        const descriptor = this.directory.find(id);
        return descriptor && whereaboutsOf(descriptor);
      },
      lookup: this,
      dial: (target) => this.reach.dial(target),
    });
    const dialler = linkDialler(host, (id) => this.links.to(id, { isLookedUp: false }));
    const carrier = new PeerLinks(dialler, { clock });
    const handlers: Handlers<typeof MANIFEST> = {
      dht: (message, { peer }) =>
        this.dht.serve(message, askerOf(host.find(peer) ?? { peer, lastPath: undefined })),
      descriptor: () => this.#own?.toBytes() ?? NOTHING_SAID,
      dialBack: (where, { peer }) =>
        options.dialBack?.judge(host.find(peer), where) ?? where.map(() => "untried"),
      newStore: (mark, { peer }) => options.onNewStore?.(peer, mark),
    };
    const service = Service.of(MANIFEST, handlers, { clock });
    this.rpc = new RpcNode({ carrier, streams: carrier, service, clock, random });
    const sender = (): Contact | undefined => {
      const [addresses, { relays }] = [options.addresses(), this];
      if (addresses.length + relays.length === 0) return undefined;
      return Contact.of(identity.id, { addresses, relays });
    };
    const messages = new DhtOverLinks({
      host,
      link: (to) => {
        this.links.hint(to.id, to);
        return this.links.to(to.id, { isLookedUp: false });
      },
      call: (to, message, how) => {
        this.links.hint(to.id, to);
        return this.rpc.caller(MANIFEST, to.id).dht(message, how);
      },
      serve: (message, link) => this.dht.serve(message, askerOf(link)),
    });
    const network = dhtNetworkOver((to, message, how) => messages.ask(to, message, how), sender);
    const { isLocal, recordRule } = options;
    this.dht = new DhtNode(
      { network, clock, random },
      {
        id: identity.id,
        takesPrivate: () => isLocal || options.dialsPrivate?.() === true,
        ...whereHeard(host),
        ...(recordRule && { recordRule }),
      },
    );
  }

  /** Relays at which this end keeps a place. */
  get relays(): readonly NodeId[] {
    return this.reach.vouchers.map(({ relay }) => relay);
  }

  /**
   * Asks the nodes for their descriptors, and joins the network through those that answer, without
   * those that take a second longer than the first: through them later.
   *
   * @returns the descriptors, of those that are who they have to be
   * @throws CulvertError `CULVERT_UNREACHABLE` when there are nodes to ask and none answered;
   *   `CULVERT_WRONG_PEER` when all that answered were others, `CULVERT_GEOMETRY_CHANGED` when
   *   they are of other networks
   */
  async join(nodes: readonly NodeContact[], remembered: readonly Contact[] = []): Promise<number> {
    const answers = await this.#meetSome(nodes);
    const met = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const contacts = [...met.map((one) => Contact.ofDescriptor(one)), ...remembered];
    if (contacts.length === 0 && nodes.length > 0) throw failureOf(answers);
    return await this.dht.start(contacts);
  }

  /** Whether a node that {@link join} was told of has ever said who it is, or is this one. */
  hasMet(id: NodeId): boolean {
    return this.#met.has(nodeIdText(id));
  }

  /** Says this of the own node from now on, to whoever asks and in the DHT. */
  publish(descriptor: NodeDescriptor): void {
    this.#own = descriptor;
    this.dht.publish(descriptor);
  }

  /** The descriptor of a node as the network has it, or a newer one that is at hand. */
  async lookup(id: NodeId, options: LookupOptions = {}): Promise<NodeDescriptor | undefined> {
    const found = await this.dht.lookup(id, options);
    return found && this.#note(found);
  }

  /** Descriptors of up to `count` nodes that are known, or can be found. */
  async discover(count: number, options: LookupOptions = {}): Promise<readonly NodeDescriptor[]> {
    const found = await this.dht.discover(count, options);
    return found.map((descriptor) => this.#note(descriptor));
  }

  /**
   * Dials a node where the user says that it is, and asks it for its descriptor; `undefined` when
   * it has none yet.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_WRONG_PEER`, `CULVERT_PROTOCOL`
   * @throws Error `AbortError`
   */
  async describe(
    { id, address }: NodeContact,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<NodeDescriptor | undefined> {
    this.#begunWith.add(formatNodeAddress(address));
    this.links.hint(id, { addresses: [address], relays: [] });
    await this.host.dial({ id, addresses: [address], ...options });
    return await this.#askForDescriptor(id, options);
  }

  /**
   * Asks a node of the table for its descriptor, as {@link describe} does one that the user names.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_PROTOCOL`
   * @throws Error `AbortError`
   */
  async describeKnown(to: Contact, signal: AbortSignal): Promise<NodeDescriptor | undefined> {
    this.links.hint(to.id, to);
    return await this.#askForDescriptor(to.id, { signal });
  }

  /**
   * Asks a node itself for its descriptor, over the link to it, or, if it may be dialled, where it
   * was last: nobody else hears of that. `undefined` when it has none, or may not be dialled.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_PROTOCOL`
   */
  async askItself(
    id: NodeId,
    { mayDial }: { readonly mayDial: boolean },
  ): Promise<NodeDescriptor | undefined> {
    if (!mayDial && this.host.find(id)?.isOpen !== true) return undefined;
    return await this.#askForDescriptor(id, {});
  }

  /**
   * Has a node dial this one, at up to `DIAL_BACK_ADDRESSES_MAX` addresses.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_PROTOCOL`, `CULVERT_UNKNOWN_METHOD` of an
   *   older node
   * @throws Error `AbortError`
   */
  async askToDialBack(
    id: NodeId,
    addresses: readonly NodeAddress[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly DialBackVerdict[]> {
    const verdicts = await this.rpc.caller(MANIFEST, id).dialBack(addresses, options);
    if (verdicts.length === addresses.length) return verdicts;
    throw new CulvertError("CULVERT_PROTOCOL", "an answer to another question");
  }

  /**
   * Tells a node that the store of this one was begun anew, and is the one of this mark.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_UNKNOWN_METHOD` of an
   *   older node
   * @throws Error `AbortError`
   */
  async tellNewStore(to: Contact, mark: Uint8Array, signal: AbortSignal): Promise<void> {
    this.links.hint(to.id, to);
    await this.rpc.caller(MANIFEST, to.id).newStore(mark, { signal });
  }

  /** Ends the DHT and all requests; the links stay, for whoever closes their host. */
  async close(): Promise<void> {
    this.reach.close();
    this.dht.close();
    await this.rpc.close({ drainMs: 0 });
  }

  async #askForDescriptor(
    id: NodeId,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<NodeDescriptor | undefined> {
    const bytes = await this.rpc.caller(MANIFEST, id).descriptor(undefined, options);
    if (bytes.length === 0) return undefined;
    const descriptor = NodeDescriptor.fromBytes(bytes);
    if (!isSameNode(descriptor.id, id)) {
      throw new CulvertError("CULVERT_PROTOCOL", "a node gave the descriptor of another one");
    }
    this.#note(descriptor);
    return descriptor;
  }

  /** What came of meeting them, in their order; of those that are not waited for, nothing. */
  async #meetSome(nodes: readonly NodeContact[]): Promise<readonly Meeting[]> {
    const answers = new Map<number, Meeting>();
    const late: Contact[] = [];
    let cancel: Cancel | undefined;
    let isOver = false;
    await new Promise<void>((done) => {
      const heard = (at: number, answer: Meeting): void => {
        const met = answer.status === "fulfilled" ? answer.value : [];
        answers.set(at, answer);
        if (isOver) late.push(...met.map((one) => Contact.ofDescriptor(one)));
        if (answers.size === nodes.length) isOver ? this.#joinBy(late) : done();
        else if (met.length > 0)
          cancel ??= this.#clock.schedule(this.#clock.now() + OTHERS_MS, done);
      };
      for (const [at, node] of nodes.entries()) {
        this.#meet(node).then(
          (value) => heard(at, { status: "fulfilled", value }),
          (reason: unknown) => heard(at, { status: "rejected", reason }),
        );
      }
      if (nodes.length === 0) done();
    });
    isOver = true;
    cancel?.();
    return nodes.flatMap((_, at) => answers.get(at) ?? []);
  }

  /** Nobody has waited for these, but whoever was quicker may lie, and tell of nobody. */
  #joinBy(late: readonly Contact[]): void {
    if (late.length === 0) return;
    this.dht.start(late).catch(() => undefined); // it was closed meanwhile
  }

  async #meet(node: NodeContact): Promise<NodeDescriptor[]> {
    const descriptor = await this.describe(node);
    if (descriptor === undefined) return [];
    const { geometry } = descriptor.claims;
    if (this.#geometry !== undefined && !isSameGeometry(geometry, this.#geometry)) {
      throw new CulvertError("CULVERT_GEOMETRY_CHANGED", "a node is of a network of other cells");
    }
    this.#met.add(nodeIdText(node.id));
    return [descriptor];
  }

  /** What is newest of a node: those who keep a descriptor of its last life may be asked first. */
  #note(descriptor: NodeDescriptor): NodeDescriptor {
    this.directory.add(descriptor);
    return this.directory.find(descriptor.id) ?? descriptor;
  }
}

function askerOf(link: Pick<Link, "peer" | "lastPath">): Asker {
  return { id: link.peer, ...sourceOf(link) };
}

/** Addresses that a host is bound to are all that it has; otherwise the machine is asked. */
function localHostsOf({ addresses }: LinkHost): { readonly localHosts?: () => readonly string[] } {
  const hosts = [...new Set(addresses.map(({ host }) => host))];
  return hosts.some(isAnyHost) ? {} : { localHosts: () => hosts };
}

/** Somebody answered, and it was not who was looked for. */
function isOther(reason: unknown): reason is CulvertError {
  const codes = ["CULVERT_WRONG_PEER", "CULVERT_GEOMETRY_CHANGED"] as const;
  return codes.some((code) => isCulvertError(reason, code));
}

function failureOf(answers: readonly Meeting[]): Error {
  const reasons = answers.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  const other = reasons.find(isOther);
  if (other !== undefined) return other;
  const [cause] = reasons;
  return new CulvertError("CULVERT_UNREACHABLE", "no node of the network answers", { cause });
}
