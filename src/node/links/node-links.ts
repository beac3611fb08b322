import { CulvertError, LruMap } from "../../base/index.ts";
import {
  type Lookup,
  type NodeAddress,
  type NodeDescriptor,
  type NodeId,
  nodeIdText,
} from "../../identity/index.ts";
import type { Link, LinkHost, ReachTarget } from "../../link/index.ts";
import { FairShare } from "../../retx/index.ts";
import { sourceOf } from "./link-source.ts";

/** Where a node may be, as somebody said who need not be right. */
export interface Whereabouts {
  readonly addresses: readonly NodeAddress[];
  readonly relays: readonly NodeId[];
  readonly publicKey?: Uint8Array;
}

/** What is asked, in this order, where a node may be. */
export interface LinkSources {
  /** What is at hand. */
  readonly known: (id: NodeId) => Whereabouts | undefined;
  /** Asked when that does not lead there: the DHT. */
  readonly lookup: Lookup | undefined;
  /** Makes a link: directly, or through one of the node's relays. */
  readonly dial: (target: ReachTarget) => Promise<Link>;
}

/** Nodes of which it is remembered where they were said to be, some 300 bytes each. */
const HINTS_MAX = 4_096;
/**
 * Nodes that are looked for at once because others name them, each with some tens of requests. The
 * second half is for sources of which none is looked for: with names of nobody, seven others could
 * hold the first half for as long as searches last, again and again.
 */
const NAMED_AT_ONCE = 128;

/**
 * A link to any node by its id: EGTP's choice of a strategy. First the link that is open, then what
 * is known, then what the lookup says; of each first the direct addresses, then the relays.
 */
export class NodeLinks {
  readonly #host: LinkHost;
  readonly #sources: LinkSources;
  readonly #dialling = new Map<string, Promise<Link>>();
  readonly #hints = new LruMap<string, Whereabouts>(HINTS_MAX);
  #named = 0;
  readonly #namedBy = new FairShare();

  constructor(host: LinkHost, sources: LinkSources) {
    this.#host = host;
    this.#sources = sources;
  }

  /** Remembers where a node is said to be, for when nothing better is known. */
  hint(id: NodeId, where: Whereabouts): void {
    this.#hints.set(nodeIdText(id), where);
  }

  /**
   * A link to a node. With `isLookedUp: false` only what is at hand counts: whoever came by itself
   * and left must not make this node search the network for it.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when nothing leads there, or the code of the last
   *   way that was tried
   */
  async to(id: NodeId, options: { readonly isLookedUp?: boolean } = {}): Promise<Link> {
    const open = this.#host.find(id);
    if (open?.isOpen === true) return open;
    const { isLookedUp = true } = options;
    // Apart: a lookup may itself ask the node that it looks for, and must not wait for itself.
    const key = `${nodeIdText(id)} ${isLookedUp}`;
    const under = this.#dialling.get(key);
    if (under !== undefined) return await under;
    const dialling = this.#dial(id, isLookedUp).finally(() => this.#dialling.delete(key));
    this.#dialling.set(key, dialling);
    return await dialling;
  }

  /**
   * A link to a node that somebody else names, as the next one of an onion. Anybody may name nodes
   * that do not exist, one in each packet: while many are looked for, only what is at hand counts,
   * and of those that come from one source no more are than are left for others.
   *
   * @param from the neighbour that names it; without one, this node itself
   */
  async toNamed(id: NodeId, from?: NodeId): Promise<Link> {
    const by = from === undefined ? "" : this.#sourceOf(from);
    if (!this.#mayName(by)) return await this.to(id, { isLookedUp: false });
    this.#named += 1;
    try {
      return await this.to(id);
    } finally {
      this.#named -= 1;
      this.#namedBy.leave(by);
    }
  }

  #mayName(by: string): boolean {
    const free = NAMED_AT_ONCE - this.#named;
    if (this.#namedBy.take(by, free - NAMED_AT_ONCE / 2)) return true;
    return free > 0 && this.#namedBy.takeFirst(by);
  }

  #sourceOf(peer: NodeId): string {
    return sourceOf({ peer, lastPath: this.#host.find(peer)?.lastPath }).source;
  }

  async #dial(id: NodeId, isLookedUp: boolean): Promise<Link> {
    const lookup = isLookedUp ? this.#sources.lookup : undefined;
    const first = this.#atHand(id);
    let failure: unknown;
    if (first !== undefined) {
      try {
        return await this.#reach(id, first);
      } catch (error) {
        failure = error;
      }
    }
    const descriptor = await lookup?.lookup(id);
    const second = descriptor && whereaboutsOf(descriptor);
    if (second !== undefined && !isSamePlace(first, second)) return await this.#reach(id, second);
    if (failure !== undefined) throw failure;
    throw new CulvertError("CULVERT_UNREACHABLE", "nobody knows where this node is");
  }

  async #reach(id: NodeId, { addresses, relays, publicKey }: Whereabouts): Promise<Link> {
    if (addresses.length + relays.length === 0) {
      throw new CulvertError("CULVERT_UNREACHABLE", "no way leads to this node");
    }
    return await this.#sources.dial({ id, addresses, relays, publicKey });
  }

  #atHand(id: NodeId): Whereabouts | undefined {
    return this.#sources.known(id) ?? this.#hints.get(nodeIdText(id));
  }
}

/** What a descriptor says of where its node is. */
export function whereaboutsOf(descriptor: NodeDescriptor): Whereabouts {
  const { addresses, relays } = descriptor.claims;
  return { addresses, relays, publicKey: descriptor.publicKey };
}

function isSamePlace(a: Whereabouts | undefined, b: Whereabouts): boolean {
  if (a === undefined) return false;
  const text = ({ addresses, relays }: Whereabouts): string =>
    JSON.stringify([addresses, relays.map(nodeIdText)]);
  return text(a) === text(b);
}
