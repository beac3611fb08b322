import {
  type Clock,
  CulvertError,
  type Instant,
  onAbort,
  type Random,
  resolveLimits,
  throwIfAborted,
} from "../../base/index.ts";
import {
  type Discovery,
  isSameNode,
  type Lookup,
  type NodeDescriptor,
  type NodeId,
  nodeIdText,
} from "../../identity/index.ts";
import type { Failure } from "../packet/failure.ts";
import { epochOf, epochsNear } from "../packet/key-ring.ts";
import { BlameLedger } from "./blame.ts";
import { Guards } from "./guards.ts";
import {
  chooseRoute,
  type OnionPeer,
  peerOf,
  type Route,
  type RouteProvider,
  type RouteRequest,
  type RouteRules,
} from "./route.ts";

/** How routes are drawn. Times in milliseconds. */
export interface RouteOptions {
  /** Relays of a route, and by how many it may be shorter or longer. */
  readonly relays: number;
  readonly relaysBias: number;
  /** First hops that are used at a time, and of how many nodes those are. */
  readonly guards: number;
  readonly guardsMax: number;
  /** Whether no two hops may share an address prefix; not for networks on one machine. */
  readonly isDiverse: boolean;
  /** Nodes that are kept at hand. */
  readonly peersMax: number;
  /** Nodes that are asked for at a time, and how long those at hand are fresh. */
  readonly sampleNodes: number;
  readonly freshMs: number;
  /** How long to wait for enough nodes, and when to look again first; the pauses double. */
  readonly waitMs: number;
  readonly retryMs: number;
}

/** Tuned for three relays out of a network of hundreds. */
export const ROUTE_DEFAULTS: RouteOptions = Object.freeze({
  relays: 3,
  relaysBias: 0,
  guards: 3,
  guardsMax: 12,
  isDiverse: true,
  peersMax: 1_024,
  sampleNodes: 64,
  freshMs: 300_000,
  waitMs: 30_000,
  retryMs: 500,
});

/**
 * Asks a guard itself for its descriptor, and nobody else for anything: over the link to it, or, if
 * it may be dialled, where it was last.
 */
export type AskGuard = (
  id: NodeId,
  options: { readonly mayDial: boolean },
) => Promise<NodeDescriptor | undefined>;

/** A guard that has not answered within this time is looked up. */
const GUARD_PATIENCE_MS = 3_000;

/**
 * After so long routes are drawn from the nodes at hand, if those are no older than twice what is
 * fresh: whoever is asked for others may hold that up for minutes.
 */
const SAMPLE_PATIENCE_MS = 2_000;

/** And where there are none at hand. */
const FIRST_SAMPLE_MS = 60_000;

/**
 * Routes over the descriptors that a discovery finds, not only over connected peers. The first hop
 * is one of a few guards that stay the same: whoever runs many nodes is not met at last by chance.
 * They stay in a network that is larger than a sample of it, too: they are looked up by their ids.
 */
export class DescriptorRoutes implements RouteProvider {
  readonly #discovery: Discovery;
  readonly #lookup: Lookup | undefined;
  readonly #askGuard: AskGuard | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #self: NodeId;
  readonly #options: RouteOptions;
  readonly #ledger = new BlameLedger();
  readonly #guards: Guards;
  /** The one that was seen last is last. */
  readonly #peers = new Map<string, OnionPeer>();
  /** Those that were heard of when nodes were asked for last. */
  #latest: readonly OnionPeer[] = [];
  #sampledAt = Number.NEGATIVE_INFINITY;
  #sampling: Promise<void> | undefined;

  /** @throws RangeError for an option that is none */
  constructor(
    components: {
      readonly discovery: Discovery;
      /** Asked for the guards; without it they are those that the discovery shows. */
      readonly lookup?: Lookup;
      /** Tried before that: whoever is asked for a guard learns who has it. */
      readonly askGuard?: AskGuard;
      readonly clock: Clock;
      readonly random: Random;
      readonly self: NodeId;
      /** The guards of the last run, and where to keep those of this one. */
      readonly guards?: readonly NodeId[];
      readonly onGuards?: (guards: readonly NodeId[]) => void;
    },
    options: Partial<RouteOptions> = {},
  ) {
    this.#discovery = components.discovery;
    this.#lookup = components.lookup;
    this.#askGuard = components.askGuard;
    this.#clock = components.clock;
    this.#random = components.random;
    this.#self = components.self;
    this.#options = resolveLimits(ROUTE_DEFAULTS, options, "relaysBias");
    this.#guards = new Guards({
      used: this.#options.guards,
      sampled: this.#options.guardsMax,
      random: this.#random,
      sample: components.guards ?? [],
      onChange: components.onGuards ?? (() => {}),
    });
  }

  /** The nodes that may be first hops, those that are preferred first. */
  get guards(): readonly NodeId[] {
    return this.#guards.sample;
  }

  async route(request: RouteRequest = {}): Promise<Route> {
    const { signal } = request;
    const giveUpAt = this.#clock.now() + this.#options.waitMs;
    const relays = this.#length(request.relays ?? this.#options.relays);
    for (let pauseMs = this.#options.retryMs; ; pauseMs *= 2) {
      throwIfAborted(signal);
      const isStale = this.#clock.now() - this.#sampledAt >= this.#options.freshMs;
      if (isStale) await this.#sample(signal);
      const route = this.#choose(request, relays);
      if (route !== undefined) return route;
      if (this.#clock.now() >= giveUpAt) {
        const desperate = this.#choose(request, relays, true);
        if (desperate !== undefined) return desperate;
        throw new CulvertError("CULVERT_UNREACHABLE", "too few onion nodes are known");
      }
      await this.#until(undefined, Math.min(this.#clock.now() + pauseMs, giveUpAt), signal);
      if (!isStale) await this.#sample(signal);
    }
  }

  failed(route: Route, failure: Failure): void {
    const hops = route.hops.map(({ id }) => id);
    this.#ledger.blame({ origin: this.#self, hops }, failure, this.#clock.now());
  }

  caught(node: NodeId): void {
    this.#ledger.convict(node, this.#clock.now());
  }

  /**
   * Without what has failed; when `isDesperate`, with it, since in a small network everything has
   * after a while, and a route that may fail is better than none. Liars stay out.
   */
  #choose(request: RouteRequest, relays: number, isDesperate = false): Route | undefined {
    const now = this.#clock.now();
    const isAvoided = (node: NodeId): boolean => this.#ledger.isAvoided(node, now);
    const isLiar = (node: NodeId): boolean => this.#ledger.isLiar(node, now);
    const peers = [...this.#peers.values()];
    const chosen = this.#guards.choose({ relays: this.#relaysHere(peers), isAvoided, isLiar });
    const guards = isDesperate || chosen.length === 0 ? this.#guards.sample : chosen;
    const { destination, isHomeward = false, isExcluded = () => false } = request;
    return this.#inSomeEpoch(peers, {
      self: this.#self,
      relays,
      destination,
      guards,
      isDiverse: this.#options.isDiverse,
      isHomeward,
      isExcluded,
      isAvoided: isDesperate ? isLiar : isAvoided,
      isEdgeAvoided: (from, to) => !isDesperate && this.#ledger.isEdgeAvoided(from, to, now),
    });
  }

  /** In this epoch; else in that of the others, if this clock is off. */
  #inSomeEpoch(peers: readonly OnionPeer[], rules: Omit<RouteRules, "epoch">): Route | undefined {
    for (const epoch of this.#epochs()) {
      const route = chooseRoute(peers, { ...rules, epoch }, this.#random);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /**
   * Without those for which few have told keys: they would lead over nobody else, and whoever tells
   * keys of epochs in which no honest clock is would have such routes to himself.
   */
  #epochs(): number[] {
    const epochs = epochsNear(this.#clock.unixMs());
    const isIn = (epoch: number, { onionKeys }: OnionPeer): boolean =>
      onionKeys.some((key) => key.epoch === epoch);
    const counts = epochs.map((epoch) => this.#latest.filter((peer) => isIn(epoch, peer)).length);
    const most = Math.max(...counts);
    return epochs.filter((_, i) => 2 * (counts[i] ?? 0) >= most);
  }

  #relaysHere(peers: readonly OnionPeer[]): NodeId[] {
    // What was heard of one may be an hour old, and its clock an hour off: no more. Where nobody
    // has newer keys it is this clock that is ahead.
    const last = epochOf(this.#clock.unixMs()) - 1;
    const newest = Math.max(...peers.flatMap((one) => one.onionKeys.map(({ epoch }) => epoch)));
    const oldest = newest < last ? newest - 1 : last;
    const isFresh = ({ onionKeys }: OnionPeer): boolean =>
      onionKeys.some(({ epoch }) => epoch >= oldest);
    return peers
      .filter((peer) => peer.isRelay && isFresh(peer) && !isSameNode(peer.id, this.#self))
      .map(({ id }) => id);
  }

  /** Asks for other nodes, and waits for them, but not for long. */
  async #sample(signal: AbortSignal | undefined): Promise<void> {
    this.#sampling ??= this.#ask().finally(() => {
      this.#sampling = undefined;
    });
    const now = this.#clock.now();
    const isAtHand = now - this.#sampledAt < 2 * this.#options.freshMs;
    const patienceMs = isAtHand ? SAMPLE_PATIENCE_MS : FIRST_SAMPLE_MS;
    await this.#until(this.#sampling, now + patienceMs, signal);
  }

  async #ask(): Promise<void> {
    const unixMs = this.#clock.unixMs();
    const [found, guards] = await Promise.all([
      this.#discovery.discover(this.#options.sampleNodes).catch(() => []),
      Promise.all(this.guards.map((id, order) => this.#findGuard(id, order))),
    ]);
    const heard = [...found, ...guards.filter((guard) => guard !== undefined)];
    const latest = heard.filter((one) => !one.isExpired(unixMs)).map(peerOf);
    for (const peer of latest) {
      const name = nodeIdText(peer.id);
      this.#peers.delete(name);
      this.#peers.set(name, peer);
    }
    for (const id of this.guards) this.#keep(nodeIdText(id));
    if (latest.length > 0) this.#latest = latest;
    for (const name of this.#peers.keys()) {
      if (this.#peers.size <= this.#options.peersMax) break;
      this.#peers.delete(name);
    }
    if (found.length > 0) this.#sampledAt = this.#clock.now();
  }

  /** A guard as it is now; one that is looked up only because it may have changed is not. */
  async #findGuard(id: NodeId, order: number): Promise<NodeDescriptor | undefined> {
    const [epoch] = this.#epochs();
    const known = this.#peers.get(nodeIdText(id));
    const hasKeys = known?.onionKeys.some((key) => key.epoch === epoch) === true;
    if (this.#askGuard !== undefined) {
      let told: NodeDescriptor | undefined;
      const mayDial = !hasKeys || order < this.#options.guards;
      const asked = this.#askGuard(id, { mayDial }).then(
        (descriptor) => {
          told = descriptor;
        },
        () => undefined,
      );
      await this.#until(asked, this.#clock.now() + GUARD_PATIENCE_MS, undefined);
      if (told !== undefined || hasKeys) return told;
    }
    return await this.#lookup?.lookup(id).catch(() => undefined);
  }

  /** Counts a node that is known as one that was just seen. */
  #keep(name: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    this.#peers.delete(name);
    this.#peers.set(name, peer);
  }

  #length(relays: number): number {
    const { relaysBias: bias } = this.#options;
    const length = relays - bias + Math.floor(this.#random.unit() * (2 * bias + 1));
    return Math.max(length, 1);
  }

  /** Waits until a time; not as long as that for work that is done, which does not fail. */
  #until(
    work: Promise<void> | undefined,
    at: Instant,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let forget = (): void => {};
      const cancel = this.#clock.schedule(at, () => {
        forget();
        resolve();
      });
      const leave = (): void => {
        cancel();
        forget();
      };
      forget = onAbort(signal, (error) => {
        leave();
        reject(error);
      });
      void work?.then(() => {
        leave();
        resolve();
      });
    });
  }
}
