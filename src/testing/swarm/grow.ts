import type { Contact } from "../../dht/index.ts";
import type { Swarm, SwarmNode } from "./swarm.ts";

/** Lets nodes join one after the other through random nodes that are there, as people would. */
export function growByJoining(
  swarm: Swarm,
  count: number,
  options: { everyMs?: number; add?: (number: number) => SwarmNode } = {},
): SwarmNode[] {
  const { everyMs = 100, add = () => swarm.add() } = options;
  const joined: SwarmNode[] = [];
  for (let number = 0; number < count; number++) {
    const bootstrap: Contact[] = [];
    for (let i = 0; i < Math.min(3, swarm.nodes.length); i++) {
      bootstrap.push(swarm.pick(({ isHidden }) => !isHidden).contact);
    }
    const node = add(number);
    joined.push(node);
    swarm.tell(node, { kind: "start", bootstrap });
    swarm.advance(everyMs);
  }
  return joined;
}

/**
 * Fills the tables of all nodes as a long life would have: everybody of the own neighbourhood, and
 * a random choice of each bucket. For networks that are too large to be joined one by one.
 */
export function fillTables(swarm: Swarm, farBucketSize: number, bucketSize: number): void {
  const sorted = swarm.nodes
    .filter(({ isHidden }) => !isHidden)
    .toSorted((a, b) => (a.contact.key < b.contact.key ? -1 : 1));
  for (const node of swarm.nodes) {
    let [from, to] = [0, sorted.length];
    for (let depth = 0; to - from > 1 && depth < 64; depth++) {
      const split = firstOne(sorted, from, to, depth);
      const isOne = bitOf(node, depth) === 1;
      const [low, high] = isOne ? [from, split] : [split, to];
      const wanted = Math.max(bucketSize, Math.floor(farBucketSize / 2 ** depth));
      for (const other of choose(swarm, sorted, low, high, wanted)) {
        if (other !== node) node.core.handle({ kind: "met", contact: other.contact }, swarm.now);
      }
      if (isOne) from = split;
      else to = split;
    }
  }
}

/** So many of a range, spread over it evenly with a random beginning. */
function* choose(
  swarm: Swarm,
  sorted: readonly SwarmNode[],
  from: number,
  to: number,
  wanted: number,
): Generator<SwarmNode> {
  const size = to - from;
  const count = Math.min(wanted, size);
  for (let i = 0; i < count; i++) {
    const offset = size === count ? i : Math.floor(((i + swarm.random.unit()) * size) / count);
    const node = sorted[from + Math.min(offset, size - 1)];
    if (node !== undefined) yield node;
  }
}

function bitOf({ contact }: SwarmNode, depth: number): number {
  return (contact.key.charCodeAt(depth >> 3) >> (7 - (depth & 7))) & 1;
}

function firstOne(sorted: readonly SwarmNode[], from: number, to: number, depth: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const node = sorted[middle];
    if (node !== undefined && bitOf(node, depth) === 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
