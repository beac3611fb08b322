import {
  type Cancel,
  type Clock,
  CulvertError,
  type ErrorCode,
  isCulvertError,
  LruMap,
  pause,
  type Random,
  requireArray,
  requireBytes,
  requireCallback,
  requireMachine,
  requireMethods,
  requireObject,
  SharedCalls,
} from "../../base/index.ts";
import {
  isSameNode,
  type Lookup,
  NODE_ID_BYTES,
  type NodeAddress,
  type NodeId,
  type NodeIdentity,
  nodeIdText,
} from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { interfaceAddresses } from "../../io/interface-addresses.ts";
import { systemRandom } from "../../io/random.ts";
import type { DialTarget, Link, LinkHost } from "../contract.ts";
import { requireTarget } from "../given.ts";
import { ListenerSet } from "../listener-set.ts";
import { PunchService } from "../punch/punch-service.ts";
import type { RelayLimits } from "../relay/limits.ts";
import { RelayClient } from "../relay/relay-client.ts";
import { RelayService } from "../relay/relay-service.ts";
import type { Voucher } from "../relay/voucher.ts";
import { LinkKeeper } from "./link-keeper.ts";

/** Whom to reach: directly, or through the relays at which the node keeps a place. */
export interface ReachTarget extends DialTarget {
  readonly relays?: readonly NodeId[];
}

/** What a reach is made of. The host is borrowed. */
export interface ReachOptions {
  readonly host: LinkHost;
  readonly identity: NodeIdentity;
  /** Where the addresses of relays are found. */
  readonly lookup: Lookup;
  /** Whether to dial an address that others have told of; all, if absent. */
  readonly mayDial?: (address: NodeAddress) => boolean;
  /** Offers this node as a relay to others, within these limits. */
  readonly relay?: Partial<RelayLimits>;
  /** Whether to answer this node's calls through relays and its offers to punch; all, if absent. */
  readonly accepts?: (peer: NodeId) => boolean;
  /** The addresses of this machine's interfaces now; those that the machine tells, if absent. */
  readonly localHosts?: () => readonly string[];
  /** The machine's own, unless told otherwise. */
  readonly components?: { readonly clock?: Clock; readonly random?: Random };
}

/** Relays whose addresses are remembered: those in use now, and some more. */
const RELAYS_MAX = 256;

/** How long a direct dial is alone before relays are asked too. */
const RELAY_AFTER_MS = 1_000;

/**
 * How a node reaches others, and is reached, wherever both are: directly where that works, through
 * a relay otherwise, and from there to a direct path by punching. A link that it has made it also
 * keeps: when the direct path breaks, it goes on through the relay.
 */
export class Reach {
  readonly #host: LinkHost;
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #mayDial: (address: NodeAddress) => boolean;
  readonly #punch: PunchService;
  readonly #relays: RelayClient;
  readonly #relay: RelayService | undefined;
  readonly #dials = new SharedCalls<Link>();
  readonly #relayTargets = new LruMap<string, DialTarget>(RELAYS_MAX);
  readonly #keepers = new Set<LinkKeeper>();
  readonly #placeListeners = new ListenerSet<[]>();
  readonly #closing = new AbortController();

  constructor(options: ReachOptions) {
    requireOptions(options);
    const { host, identity, accepts, components = {} } = options;
    const clock = components.clock ?? systemClock;
    this.#host = host;
    this.#clock = clock;
    this.#lookup = options.lookup;
    this.#mayDial = options.mayDial ?? (() => true);
    this.#punch = new PunchService({
      host,
      identity,
      clock,
      random: components.random ?? systemRandom,
      localHosts: options.localHosts ?? interfaceAddresses,
      accepts,
    });
    this.#relays = new RelayClient({
      host,
      clock,
      accepts,
      // The caller will want to punch: our address should be fresh by then.
      onCall: (_link, relay) => this.#askRelay(relay),
      onPlaces: () => this.#placeListeners.tell(),
    });
    this.#relay =
      options.relay && new RelayService({ host, identity, clock, limits: options.relay });
  }

  /** The relay that this node is to others, if it is one. */
  get relay(): RelayService | undefined {
    return this.#relay;
  }

  get punching(): PunchService {
    return this.#punch;
  }

  /** Where this node can be dialled, as far as it knows: for its descriptor. */
  get addresses(): readonly NodeAddress[] {
    const observed = this.#punch.addresses.map(({ host, port }): NodeAddress => {
      return { carrier: "udp", host, port };
    });
    return [...observed, ...this.#host.addresses.filter(({ carrier }) => carrier === "tcp")];
  }

  /** The words of the relays that keep a place for this node: for its descriptor. */
  get vouchers(): readonly Voucher[] {
    return this.#relays.vouchers;
  }

  /**
   * Keeps a place at a relay from now on.
   *
   * @returns false for a relay that was caught lying: it is not asked again
   * @throws CulvertError `CULVERT_BUSY` when there are as many as a descriptor can list,
   *   `CULVERT_CLOSED`
   */
  keepPlace(relay: DialTarget): boolean {
    requireTarget(relay);
    const target = this.#allowed(relay);
    if (!this.#relays.keepPlace(target)) return false;
    this.#relayTargets.set(nodeIdText(relay.id), target);
    return true;
  }

  /** Gives a place up. */
  leave(relay: NodeId): void {
    requireBytes("relay", relay);
    this.#relays.leave(relay);
  }

  /** Calls back when a place was got, renewed or lost: the descriptor has to say so. */
  onPlaces(listener: () => void): Cancel {
    return this.#placeListeners.add(listener);
  }

  /**
   * A link to the node: the one that is open, or a new one, directly or through one of its relays.
   *
   * @throws CulvertError `CULVERT_BUSY` when a limit, here or on a way there, was reached;
   *   `CULVERT_UNREACHABLE` and what `LinkHost.dial` throws
   * @throws Error `AbortError`
   */
  async dial(target: ReachTarget): Promise<Link> {
    requireTarget(target);
    const { relays = [] } = target;
    requireArray("relays", relays);
    for (const relay of relays) requireBytes("the id of a relay", relay, NODE_ID_BYTES);
    const open = this.#host.find(target.id);
    if (open !== undefined) {
      const isKept = [...this.#keepers].some(({ link }) => link === open);
      // One that has lost its path is looked for there, unless its keeper looks after it.
      return open.path === undefined && !isKept ? this.#host.dial(this.#allowed(target)) : open;
    }
    return this.#dials.join(nodeIdText(target.id), target.signal, (signal) => {
      return this.#dialAnew({ ...this.#allowed(target), signal });
    });
  }

  /** Ends every place, punch and circuit; links stay. Idempotent. */
  close(): void {
    this.#closing.abort();
    for (const keeper of this.#keepers) keeper.close();
    this.#relays.close();
    this.#punch.close();
    this.#relay?.close();
  }

  async #dialAnew(target: ReachTarget & { readonly signal: AbortSignal }): Promise<Link> {
    const relays = (target.relays ?? []).filter((relay) => !isSameNode(relay, this.#host.id));
    if (relays.length === 0) return this.#host.dial(target);
    if (target.addresses.length === 0) return this.#dialThrough(target, relays, target.signal);
    return this.#race(target, relays);
  }

  /** Directly, and after a while through the relays too: whatever is there first. */
  async #race(
    target: ReachTarget & { readonly signal: AbortSignal },
    relays: readonly NodeId[],
  ): Promise<Link> {
    const direct = new AbortController();
    const relayed = new AbortController();
    const dialled = this.#host.dial({
      ...target,
      signal: AbortSignal.any([target.signal, direct.signal]),
    });
    const headStart = Promise.race([
      dialled.then(
        () => {},
        () => {},
      ),
      pause(this.#clock, RELAY_AFTER_MS),
    ]);
    const signal = AbortSignal.any([target.signal, relayed.signal]);
    // There may be one by now: that which was dialled, or one of the node's own.
    const called = headStart.then(() => {
      return this.#host.find(target.id) ?? this.#dialThrough(target, relays, signal);
    });
    try {
      return await Promise.any([dialled, called]);
    } catch (cause) {
      const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
      throw new CulvertError(defeatOf(causes), "neither directly nor through a relay", { cause });
    } finally {
      direct.abort();
      relayed.abort();
    }
  }

  async #dialThrough(
    target: ReachTarget,
    relays: readonly NodeId[],
    signal: AbortSignal,
  ): Promise<Link> {
    const causes: unknown[] = [];
    for (const relay of relays) {
      try {
        const link = await this.#dialThroughOne(target, relay, signal);
        this.#keep(link, target, relays);
        return link;
      } catch (cause) {
        if (signal.aborted) throw cause;
        causes.push(cause);
      }
    }
    throw new CulvertError(defeatOf(causes), "no relay leads to the node", {
      cause: causes.length === 1 ? causes[0] : new AggregateError(causes),
    });
  }

  async #dialThroughOne(target: ReachTarget, relay: NodeId, signal: AbortSignal): Promise<Link> {
    const relayLink = await this.#linkToRelay(relay, signal);
    const connection = await this.#relays.call(relayLink, target.id, signal);
    return this.#host.attach(connection, {
      isInitiator: true,
      isRelayed: true,
      via: relay,
      expectedId: target.id,
      publicKey: target.publicKey,
      signal,
    });
  }

  async #linkToRelay(relay: NodeId, signal: AbortSignal): Promise<Link> {
    const open = this.#host.find(relay);
    if (open !== undefined) return open;
    const descriptor = await this.#lookup.lookup(relay, { signal });
    if (descriptor === undefined) {
      throw new CulvertError("CULVERT_UNREACHABLE", "nobody knows the relay");
    }
    const { claims, publicKey } = descriptor;
    const target = this.#allowed({ id: relay, publicKey, addresses: claims.addresses });
    this.#relayTargets.set(nodeIdText(relay), target);
    return this.#host.dial({ ...target, signal });
  }

  /** Without the addresses that are not to be dialled. */
  #allowed<T extends DialTarget>(target: T): T {
    return { ...target, addresses: target.addresses.filter((address) => this.#mayDial(address)) };
  }

  #keep(link: Link, target: ReachTarget, relays: readonly NodeId[]): void {
    // The peer may have said hello and goodbye at once.
    if (!link.isOpen) return;
    const keeper = new LinkKeeper({
      host: this.#host,
      clock: this.#clock,
      link,
      relays,
      callThrough: async (relay, signal) => {
        const relayLink = await this.#linkToRelay(relay, signal);
        return this.#relays.call(relayLink, target.id, signal);
      },
      punchThrough: async (relay, signal) => {
        await this.#linkToRelay(relay, signal);
        this.#askRelay(relay);
        return this.#punch.punch(target.id, relay, signal);
      },
      over: () => this.#keepers.delete(keeper),
    });
    this.#keepers.add(keeper);
    if (this.#closing.signal.aborted) keeper.close();
  }

  /** Has a relay tell where it sees our UDP socket, whatever our link to it runs over. */
  #askRelay(relay: NodeId): void {
    const path = this.#host.find(relay)?.path;
    const known = this.#relayTargets.get(nodeIdText(relay))?.addresses ?? [];
    const remote = path?.carrier === "udp" ? path.remote : undefined;
    const address = remote ?? known.find(({ carrier }) => carrier === "udp");
    if (address !== undefined) this.#punch.ask(relay, address);
  }
}

function requireOptions(options: ReachOptions): void {
  requireObject("options", options);
  const { host, identity, lookup, relay = {}, components = {} } = options;
  requireMethods("host", host, "dial", "attach", "upgrade", "handle");
  requireMethods("identity", identity, "sign");
  requireMethods("lookup", lookup, "lookup");
  requireObject("relay", relay);
  requireObject("components", components);
  requireMachine(components);
  for (const name of ["mayDial", "accepts", "localHosts"] as const) {
    requireCallback(name, options[name]);
  }
}

/** Where one way was only busy, nobody knows that the node is gone. */
function defeatOf(causes: readonly unknown[]): ErrorCode {
  const isBusy = causes.some((cause) => isCulvertError(cause, "CULVERT_BUSY"));
  return isBusy ? "CULVERT_BUSY" : "CULVERT_UNREACHABLE";
}
