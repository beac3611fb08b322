import { type Instant, requireFunction, requirePositive } from "../base/index.ts";
import { type NodeId, nodeIdText, publicPrefix } from "../identity/index.ts";

/** What one node says that it has seen. */
export interface Sighting<Address> {
  readonly address: Address;
  readonly by: NodeId;
  /** The host that it spoke from, if that is known. */
  readonly from: string | undefined;
}

/** An address, and who has seen it. */
export interface SeenAddress<Address> {
  readonly address: Address;
  /** Nodes that say so. */
  readonly count: number;
  /** When one of them did last. */
  readonly at: Instant;
}

interface Kept<Address> {
  readonly address: Address;
  readonly network: string;
  readonly at: Instant;
}

interface Tally<Address> extends SeenAddress<Address> {
  readonly networks: Set<string>;
}

/**
 * At which addresses others see this node: the last word of each. Any of them may lie, and ids cost
 * nothing: so those of one network, however many they are, neither push the words of others out,
 * nor come before them.
 */
export class Observations<Address> {
  readonly #max: number;
  readonly #textOf: (address: Address) => string;
  /** By the observer's id, the oldest first. */
  readonly #kept = new Map<string, Kept<Address>>();

  constructor(max: number, textOf: (address: Address) => string) {
    requirePositive("max", max);
    requireFunction("textOf", textOf);
    this.#max = max;
    this.#textOf = textOf;
  }

  /** Takes the word of a node, in place of the one before. */
  take({ address, by, from }: Sighting<Address>, now: Instant): void {
    const id = nodeIdText(by);
    // In a private network each node is for itself.
    const network = (from === undefined ? undefined : publicPrefix(from)) ?? id;
    this.#kept.delete(id);
    this.#kept.set(id, { address, network, at: now });
    if (this.#kept.size > this.#max) this.#forgetOne();
  }

  /**
   * What was seen at or after `since`: first what most networks have seen, then what most nodes
   * have, then what was seen last. A rebound NAT is seen by the next observer.
   */
  list(since: Instant): readonly SeenAddress<Address>[] {
    const tally = new Map<string, Tally<Address>>();
    for (const { address, network, at } of this.#kept.values()) {
      if (at < since) continue;
      const text = this.#textOf(address);
      const { count = 0, networks = new Set<string>() } = tally.get(text) ?? {};
      tally.set(text, { address, count: count + 1, networks: networks.add(network), at });
    }
    const sorted = [...tally.values()].sort((a, b) => {
      return b.networks.size - a.networks.size || b.count - a.count || b.at - a.at;
    });
    return spread(sorted);
  }

  /** The oldest word of the network that has most. */
  #forgetOne(): void {
    const counts = new Map<string, number>();
    for (const { network } of this.#kept.values()) {
      counts.set(network, (counts.get(network) ?? 0) + 1);
    }
    const most = Math.max(...counts.values());
    for (const [id, { network }] of this.#kept) {
      if (counts.get(network) !== most) continue;
      this.#kept.delete(id);
      return;
    }
  }
}

/** In their order, but that each network names one before any other names its second. */
function spread<Address>(sorted: readonly Tally<Address>[]): readonly Tally<Address>[] {
  const heard = new Set<string>();
  const first: Tally<Address>[] = [];
  const rest: Tally<Address>[] = [];
  for (const one of sorted) {
    const isFirst = [...one.networks].some((network) => !heard.has(network));
    (isFirst ? first : rest).push(one);
    for (const network of one.networks) heard.add(network);
  }
  return [...first, ...rest];
}
