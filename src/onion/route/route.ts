import type { Random } from "../../base/index.ts";
import {
  addressPrefix,
  isSameNode,
  type NodeDescriptor,
  type NodeId,
  type OnionKey,
} from "../../identity/index.ts";
import type { Failure } from "../packet/failure.ts";
import type { HopTarget } from "../packet/header.ts";

/** A node as routes see it. */
export interface OnionPeer {
  readonly id: NodeId;
  readonly onionKeys: readonly OnionKey[];
  /** The networks of its addresses: nodes that share one are taken for nodes of one owner. */
  readonly prefixes: readonly string[];
  readonly isRelay: boolean;
  readonly isExit: boolean;
}

/** A way through nodes, the first one first. */
export interface Route {
  readonly epoch: number;
  readonly hops: readonly HopTarget[];
}

/** What a route is asked for. */
export interface RouteRequest {
  /** How many relays, the exit of a circuit included and the destination of a packet not. */
  readonly relays?: number | undefined;
  /** Where the route ends; without it, at an exit that the provider chooses. */
  readonly destination?: OnionPeer | undefined;
  /** It begins anywhere and leads here, to the destination, by a guard: that of a reply block. */
  readonly isHomeward?: boolean;
  /** Exits that are not wanted. */
  readonly isExcluded?: (exit: NodeId) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Where routes come from. */
export interface RouteProvider {
  /**
   * A route. Waits, within its bounds, until enough nodes are known.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when there are not enough of them
   */
  route(request?: RouteRequest): Promise<Route>;
  /** Tells that a route has failed, so that it can be avoided. */
  failed(route: Route, failure: Failure): void;
  /** Tells that a node was caught lying. */
  caught(node: NodeId): void;
}

/**
 * Networks of a node that count, of those that it claims: as a rule one of IPv4 and one of IPv6.
 * Who is the destination of a route chooses by its claims which nodes are not on it.
 */
const NETWORKS_MAX = 2;

/** A node's descriptor as routes see it. */
export function peerOf(descriptor: NodeDescriptor): OnionPeer {
  const { addresses, onionKeys } = descriptor.claims;
  const networks = new Set(addresses.map(({ host }) => addressPrefix(host)));
  return {
    id: descriptor.id,
    onionKeys,
    prefixes: [...networks].slice(0, NETWORKS_MAX),
    isRelay: descriptor.has("onion-relay"),
    isExit: descriptor.has("onion-exit"),
  };
}

/** What a choice of hops has to keep to. */
export interface RouteRules {
  readonly self: NodeId;
  readonly epoch: number;
  readonly relays: number;
  readonly destination?: OnionPeer | undefined;
  readonly isHomeward?: boolean;
  /** The hop next to this node is one of these, when there are any. */
  readonly guards: readonly NodeId[];
  /** Whether no two hops may share a network. */
  readonly isDiverse: boolean;
  readonly isExcluded: (exit: NodeId) => boolean;
  readonly isAvoided: (node: NodeId) => boolean;
  readonly isEdgeAvoided: (from: NodeId, to: NodeId) => boolean;
}

/** Routes that are drawn whole before one is put together hop by hop. */
const DRAWS = 256;

/** Routes that are begun hop by hop before none is believed to exist. */
const TRIES = 64;

/**
 * A random route among `peers` that keeps to the rules; `undefined` when none was found.
 *
 * It is drawn whole, each hop without regard to the others, and thrown away when two of them do not
 * go together. If a hop were drawn among those that go with the one behind it, an exit that claims
 * the networks of others would have them left out, guards too, wherever it is the exit: its owner's
 * guard would then be the first hop of each of these routes. Where hardly any two go together, as
 * where most nodes are in one network, there is nothing to lose by that, and it is done.
 */
export function chooseRoute(
  peers: readonly OnionPeer[],
  rules: RouteRules,
  random: Random,
): Route | undefined {
  const { destination } = rules;
  if (destination !== undefined && !hasKey(destination, rules.epoch)) return undefined;
  const hops = hopsAmong(peers, rules);
  for (let i = 0; i < DRAWS + TRIES; i++) {
    const chosen = i < DRAWS ? drawWhole(hops, rules, random) : drawOneByOne(hops, rules, random);
    if (chosen === undefined) continue;
    const keyed = chosen.map((peer) => ({ id: peer.id, onionKey: keyOf(peer, rules.epoch) }));
    return { epoch: rules.epoch, hops: keyed };
  }
  return undefined;
}

/**
 * Who may be at each place of a route, the first one first, whoever is at the others. The guard is
 * next to this node: of a way home it is the last relay. Whoever gets a reply block learns its
 * first hop, and would know a node again by its guards.
 */
function hopsAmong(peers: readonly OnionPeer[], rules: RouteRules): (readonly OnionPeer[])[] {
  const known = peers.filter((peer) => {
    const isOther = hasKey(peer, rules.epoch) && !isSameNode(peer.id, rules.self);
    return isOther && !rules.isAvoided(peer.id);
  });
  const relays = known.filter(({ isRelay }) => isRelay);
  const exits = known.filter((peer) => peer.isExit && !rules.isExcluded(peer.id));
  const { destination, isHomeward = false } = rules;
  if (destination === undefined) return [...relaysTo(rules.relays - 1, rules, relays), exits];
  const before = relaysTo(rules.relays, rules, relays);
  return [...(isHomeward ? before.toReversed() : before), [destination]];
}

function relaysTo(
  count: number,
  rules: RouteRules,
  relays: readonly OnionPeer[],
): (readonly OnionPeer[])[] {
  const guards = guardsAmong(relays, rules);
  return Array.from({ length: Math.max(count, 0) }, (_, i) => (i === 0 ? guards : relays));
}

function drawWhole(
  hops: readonly (readonly OnionPeer[])[],
  rules: RouteRules,
  random: Random,
): OnionPeer[] | undefined {
  const chosen: OnionPeer[] = [];
  for (const candidates of hops) {
    const pick = one(candidates, random);
    if (pick === undefined) return undefined;
    chosen.push(pick);
  }
  const isWhole = chosen.every((peer, at) => isFitting(peer, chosen.slice(at + 1), rules));
  return isWhole ? chosen : undefined;
}

/** From the end to the beginning, since there are the fewest exits. */
function drawOneByOne(
  hops: readonly (readonly OnionPeer[])[],
  rules: RouteRules,
  random: Random,
): OnionPeer[] | undefined {
  const chosen: OnionPeer[] = [];
  for (const candidates of hops.toReversed()) {
    const fits = candidates.filter((peer) => isFitting(peer, chosen, rules));
    const pick = one(fits, random);
    if (pick === undefined) return undefined;
    chosen.unshift(pick);
  }
  return chosen;
}

/** Whether a hop goes together with all that come after it. */
function isFitting(peer: OnionPeer, after: readonly OnionPeer[], rules: RouteRules): boolean {
  if (after.some((other) => isConflict(peer, other, rules))) return false;
  const [next] = after;
  return next === undefined || !rules.isEdgeAvoided(peer.id, next.id);
}

function guardsAmong(relays: readonly OnionPeer[], rules: RouteRules): readonly OnionPeer[] {
  if (rules.guards.length === 0) return relays;
  return relays.filter(({ id }) => rules.guards.some((guard) => isSameNode(guard, id)));
}

function isConflict(a: OnionPeer, b: OnionPeer, rules: RouteRules): boolean {
  if (isSameNode(a.id, b.id)) return true;
  return rules.isDiverse && a.prefixes.some((prefix) => b.prefixes.includes(prefix));
}

function hasKey(peer: OnionPeer, epoch: number): boolean {
  return peer.onionKeys.some((key) => key.epoch === epoch);
}

function keyOf(peer: OnionPeer, epoch: number): Uint8Array {
  return peer.onionKeys.find((key) => key.epoch === epoch)?.publicKey ?? new Uint8Array(32);
}

function one<T>(items: readonly T[], random: Random): T | undefined {
  return items[Math.floor(random.unit() * items.length)];
}
