import {
  LruMap,
  requireAmount,
  requireBytes,
  requireFunction,
  requireObject,
  requirePositive,
} from "../base/index.ts";
import { NodeDescriptor } from "./node-descriptor.ts";
import { type NodeId, nodeIdText } from "./node-id.ts";

/** Options of a question that may take its time. */
export interface LookupOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when the answer is late; it still counts when it comes (EGTP's soft timeout). */
  readonly onLate?: () => void;
}

/**
 * Where the descriptor of a node is asked for: EGTP's Lookup Service. The answer is verified, the
 * newest that could be found, and not expired.
 */
export interface Lookup {
  /** Resolves to `undefined` when nobody knows the node. */
  lookup(id: NodeId, options?: LookupOptions): Promise<NodeDescriptor | undefined>;
}

/** Where unknown nodes are met: EGTP's Discovery Service. */
export interface Discovery {
  /** Up to `count` nodes, verified and not expired; fewer, or none, when no more are known. */
  discover(count: number, options?: LookupOptions): Promise<readonly NodeDescriptor[]>;
}

/** What a {@link Directory} holds at the most. */
export const DIRECTORY_NODES_MAX = 16_384;

/**
 * Descriptors at hand, the newest of each node: a file of a private network, the peers that a node
 * remembers. When it is full, a new node takes the place of the one that was not asked for, or told
 * of anew, for longest: what a descriptor says of itself, such as its expiry, wins it no place.
 */
export class Directory implements Lookup, Discovery {
  readonly #unixMs: () => number;
  readonly #nodes: LruMap<string, NodeDescriptor>;

  constructor(options: { readonly unixMs: () => number; readonly nodesMax?: number }) {
    requireObject("options", options);
    const { unixMs, nodesMax = DIRECTORY_NODES_MAX } = options;
    requireFunction("unixMs", unixMs);
    requirePositive("nodesMax", nodesMax);
    this.#unixMs = unixMs;
    this.#nodes = new LruMap(nodesMax);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /**
   * Takes a descriptor in.
   *
   * @returns false when it is expired, or not newer than the one that is there
   */
  add(descriptor: NodeDescriptor): boolean {
    if (!(descriptor instanceof NodeDescriptor)) {
      throw new TypeError("descriptor must be a NodeDescriptor");
    }
    const key = nodeIdText(descriptor.id);
    const known = this.#nodes.peek(key);
    if (known !== undefined && !descriptor.supersedes(known)) return false;
    if (descriptor.isExpired(this.#unixMs())) return false;
    this.#nodes.set(key, descriptor);
    return true;
  }

  /** What is known of a node now. */
  find(id: NodeId): NodeDescriptor | undefined {
    requireBytes("id", id);
    const key = nodeIdText(id);
    const found = this.#nodes.get(key);
    if (found === undefined || !found.isExpired(this.#unixMs())) return found;
    this.#nodes.delete(key);
    return undefined;
  }

  /** All that have not expired, in no order. */
  all(): NodeDescriptor[] {
    const now = this.#unixMs();
    return [...this.#nodes.values()].filter((descriptor) => !descriptor.isExpired(now));
  }

  async lookup(id: NodeId): Promise<NodeDescriptor | undefined> {
    return this.find(id);
  }

  async discover(count: number): Promise<readonly NodeDescriptor[]> {
    requireAmount("count", count);
    return this.all().slice(0, count);
  }
}
