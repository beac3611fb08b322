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
  readonly relays?: number;
  /** Where the route ends; without it, at an exit that the provider chooses. */
  readonly destination?: OnionPeer;
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

/** A node's descriptor as routes see it. */
export function peerOf(descriptor: NodeDescriptor): OnionPeer {
  const { addresses, onionKeys } = descriptor.claims;
  return {
    id: descriptor.id,
    onionKeys,
    prefixes: [...new Set(addresses.map(({ host }) => addressPrefix(host)))],
    isRelay: descriptor.has("onion-relay"),
    isExit: descriptor.has("onion-exit"),
  };
}

/** What a choice of hops has to keep to. */
export interface RouteRules {
  readonly self: NodeId;
  readonly epoch: number;
  readonly relays: number;
  readonly destination?: OnionPeer;
  /** The first hop is one of these, when there are any. */
  readonly guards: readonly NodeId[];
  /** Whether no two hops may share a network. */
  readonly isDiverse: boolean;
  readonly isExcluded: (exit: NodeId) => boolean;
  readonly isAvoided: (node: NodeId) => boolean;
  readonly isEdgeAvoided: (from: NodeId, to: NodeId) => boolean;
}

/** Choices that are begun before none is believed to exist. */
const TRIES = 64;

/** A random route among `peers` that keeps to the rules; `undefined` when none was found. */
export function chooseRoute(
  peers: readonly OnionPeer[],
  rules: RouteRules,
  random: Random,
): Route | undefined {
  const known = peers.filter((peer) => {
    const isOther = hasKey(peer, rules.epoch) && !isSameNode(peer.id, rules.self);
    return isOther && !rules.isAvoided(peer.id);
  });
  if (rules.destination !== undefined && !hasKey(rules.destination, rules.epoch)) return undefined;
  for (let i = 0; i < TRIES; i++) {
    const chosen = tryRoute(known, rules, random);
    if (chosen === undefined) continue;
    const hops = chosen.map((peer) => ({ id: peer.id, onionKey: keyOf(peer, rules.epoch) }));
    return { epoch: rules.epoch, hops };
  }
  return undefined;
}

/** From the end to the beginning, since there are the fewest exits. */
function tryRoute(
  known: readonly OnionPeer[],
  rules: RouteRules,
  random: Random,
): OnionPeer[] | undefined {
  const chosen: OnionPeer[] = rules.destination === undefined ? [] : [rules.destination];
  for (let left = rules.relays; left > 0; left--) {
    const next = chosen[0];
    const fits = known.filter((peer) => {
      if (chosen.some((other) => isConflict(peer, other, rules))) return false;
      if (next === undefined) return peer.isExit && !rules.isExcluded(peer.id);
      return peer.isRelay && !rules.isEdgeAvoided(peer.id, next.id);
    });
    const isFirst = left === 1 && chosen.length > 0;
    const pick = one(isFirst ? guardsAmong(fits, rules) : fits, random);
    if (pick === undefined) return undefined;
    chosen.unshift(pick);
  }
  return chosen;
}

function guardsAmong(fits: readonly OnionPeer[], rules: RouteRules): readonly OnionPeer[] {
  if (rules.guards.length === 0) return fits;
  return fits.filter(({ id }) => rules.guards.some((guard) => isSameNode(guard, id)));
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
