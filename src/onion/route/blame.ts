import { assert, type Instant, LruMap } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import type { Failure } from "../packet/failure.ts";

/** Nodes and edges whose failures are remembered. */
const BLAMED_MAX = 4_096;

/** The time in which blame halves. */
export const BLAME_HALF_LIFE_MS = 600_000;

/** The blame of a node that was caught lying: it is avoided for an hour. */
const LIE_WEIGHT = 64;
const LIE_MS = 6 * BLAME_HALF_LIFE_MS;

/** From this much on a hop, or an edge, is avoided. */
const AVOIDED_FROM = 0.95;

/** What ends within this time with the link to one first hop is one failure of that link. */
const ONE_LOSS_MS = 1_000;

interface Mark {
  readonly weight: number;
  readonly at: Instant;
}

/**
 * Who is to blame for what failed. A hop that says itself that it cannot go on has all of it; when
 * it says that the next one cannot be reached, the edge between them has (either may lie). Where it
 * has no room, what is behind it may be slow: the edge has all, the hop half, the next one none.
 * A hop that got no answer, or that got what does not open, accuses all edges behind it or before
 * it: each has half, and so has every edge of the route when nobody has said anything. The node at
 * the far end of such an edge has half, too, and the one before the first of them a quarter.
 */
export class BlameLedger {
  readonly #marks: LruMap<string, Mark>;
  /** When each liar was caught last. */
  readonly #lies: LruMap<string, Instant>;
  /** When the way to each first hop was lost last. */
  readonly #losses: LruMap<string, Instant>;

  constructor(options: { readonly blamedMax?: number } = {}) {
    this.#marks = new LruMap(options.blamedMax ?? BLAMED_MAX);
    this.#lies = new LruMap(options.blamedMax ?? BLAMED_MAX);
    this.#losses = new LruMap(options.blamedMax ?? BLAMED_MAX);
  }

  /** Remembers that a route has failed. `origin` is this node. */
  blame(
    route: { readonly origin: NodeId; readonly hops: readonly NodeId[] },
    failure: Failure,
    now: Instant,
  ): void {
    const nodes = [route.origin, ...route.hops].map(nodeIdText);
    const { hop, isProven } = failure;
    assert(hop === undefined || hop < route.hops.length, "a hop of the route");
    const culprit = hop === undefined ? undefined : route.hops[hop];
    if (isProven === true && culprit !== undefined) {
      this.convict(culprit, now);
      return;
    }
    const isOverload = failure.reason === "overload";
    if (isOverload && hop === -1) return; // it is this node that has no room
    if (hop === -1 && !this.#isNewLoss(nodes[1] ?? "", now)) return;
    const [from, to] = suspectedEdges(failure, route.hops.length);
    // One edge alone has all of it, if somebody has named it.
    const isNamed = hop !== undefined && to - from === 1;
    for (let i = from; i < to; i++) {
      this.#add(edge(nodes[i] ?? "", nodes[i + 1] ?? ""), isNamed ? 1 : 0.5, now);
      if (isOverload) continue;
      // The origin knows itself.
      this.#add(nodes[i + 1] ?? "", isNamed && i === 0 ? 1 : 0.5, now);
    }
    if (to > from && from > 0) this.#add(nodes[from] ?? "", isNamed ? 0.5 : 0.25, now);
    if (to <= from && culprit !== undefined) this.#add(nodeIdText(culprit), 1, now);
  }

  /** Remembers that a node has lied: nobody else can have done what it did. */
  convict(node: NodeId, now: Instant): void {
    this.#add(nodeIdText(node), LIE_WEIGHT, now);
    this.#lies.set(nodeIdText(node), now);
  }

  /** Whether a node was caught lying in the last hour: it is left out even if no other is left. */
  isLiar(node: NodeId, now: Instant): boolean {
    const caughtAt = this.#lies.get(nodeIdText(node));
    return caughtAt !== undefined && now - caughtAt < LIE_MS;
  }

  /** Whether a node is better left out. */
  isAvoided(node: NodeId, now: Instant): boolean {
    return this.blameOf(node, now) >= AVOIDED_FROM;
  }

  /** Whether the second node is better not reached through the first. */
  isEdgeAvoided(from: NodeId, to: NodeId, now: Instant): boolean {
    return this.#weight(edge(nodeIdText(from), nodeIdText(to)), now) >= AVOIDED_FROM;
  }

  /** What is left of a node's blame. */
  blameOf(node: NodeId, now: Instant): number {
    return this.#weight(nodeIdText(node), now);
  }

  /** Circuits share the link to their first hop, and builds the dial that makes it. */
  #isNewLoss(first: string, now: Instant): boolean {
    const lostAt = this.#losses.get(first) ?? Number.NEGATIVE_INFINITY;
    if (now - lostAt < ONE_LOSS_MS) return false;
    this.#losses.set(first, now);
    return true;
  }

  #add(name: string, weight: number, now: Instant): void {
    this.#marks.set(name, { weight: this.#weight(name, now) + weight, at: now });
  }

  #weight(name: string, now: Instant): number {
    const mark = this.#marks.get(name);
    if (mark === undefined) return 0;
    return mark.weight * 0.5 ** ((now - mark.at) / BLAME_HALF_LIFE_MS);
  }
}

/** The edges that may have failed, from and to; none when it was the hop itself. */
function suspectedEdges({ hop, reason }: Failure, edges: number): readonly [number, number] {
  if (hop === undefined) return [0, edges];
  const isSilence = reason === "timeout";
  // A first hop that is there tells in time that it got no answer.
  const isEdge = reason === "next-unreachable" || reason === "overload";
  const isNext = isEdge || (isSilence && hop === -1);
  if (isNext) return [hop + 1, Math.min(hop + 2, edges)];
  if (isSilence) return [hop + 1, edges];
  return reason === "protocol" ? [0, hop + 1] : [0, 0];
}

function edge(from: string, to: string): string {
  return `${from}>${to}`;
}
