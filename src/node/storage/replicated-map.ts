import {
  type Clock,
  CulvertError,
  equalBytes,
  isCulvertError,
  LruMap,
  type Random,
  toHex,
} from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import {
  type Contact,
  DHT_LIMITS,
  type DhtNode,
  keyOf,
  PlacedMap,
  type PlacementDht,
  sortByDistance,
} from "../../dht/index.ts";
import { isSameNode, type NodeId, nodeIdOf } from "../../identity/index.ts";
import {
  type CarrierGetOptions,
  type CarrierPutOptions,
  type MapRecord,
  ReceiptVerifier,
  type RecordCarrier,
  receiptEndsFrom,
  type StoredReply,
  showsConflict,
  verifyRecord,
} from "../../mapservice/index.ts";
import type { MapPeers } from "./map-links.ts";
import type { NodeReceipt } from "./quorum-receipts.ts";

/** The Map of one node, as records are placed at it. */
interface NodeMap {
  readonly nodeKey: Uint8Array;
  readonly carrier: RecordCarrier;
}

/** What a node's Map has said to a put, and whose word it is. */
interface NodeReply extends StoredReply {
  readonly nodeKey: Uint8Array;
}

/** What the Map of a network is built from. */
export interface ReplicatedMapComponents {
  readonly dht: DhtNode;
  readonly peers: MapPeers;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this machine's clock is known to be off: then it judges no receipt. */
  readonly isClockOff?: () => boolean;
  /** This node itself, when it keeps records too. */
  readonly self?: { readonly contact: Contact } & NodeMap;
}

/** A put that a quorum of nodes has confirmed, each by its own signature. */
export interface ReplicatedReply {
  /** The life that most of them have granted. */
  readonly ttlSeconds: number;
  readonly receipts: readonly NodeReceipt[];
}

/** Nodes whose key was verified a receipt with, each with the last root that it signed. */
const VERIFIERS_MAX = 256;

/**
 * The Map of a whole network: each record at the nodes closest to its address. The records that it
 * returns were verified here.
 */
export class ReplicatedMap implements RecordCarrier {
  readonly payloadSize: number;
  readonly isVerified = true;
  readonly #components: ReplicatedMapComponents;
  readonly #placed: PlacedMap<MapRecord, NodeReply>;
  readonly #verifiers = new LruMap<string, ReceiptVerifier>(VERIFIERS_MAX);
  /** The receipts of every put that is under way. */
  readonly #receipts = new Map<MapRecord, NodeReceipt[]>();

  constructor(components: ReplicatedMapComponents, options: { readonly payloadSize: number }) {
    const { clock, random } = components;
    this.payloadSize = options.payloadSize;
    this.#components = components;
    this.#placed = new PlacedMap<MapRecord, NodeReply>({
      dht: this.#neighbourhood(),
      clock,
      random,
      mapOf: async (node) => withKey(await this.#mapOf(node.id)),
      isRecord,
      isReceipt: (node, record, reply) => this.#isReceipt(node.id, record, reply),
    });
  }

  async put(record: MapRecord, options: CarrierPutOptions = {}): Promise<StoredReply> {
    const { ttlSeconds } = await this.#placed.put(record, options);
    return { ttlSeconds };
  }

  /** Puts, and hands out the receipts that made the quorum. */
  async putForReceipts(
    record: MapRecord,
    options: CarrierPutOptions = {},
  ): Promise<ReplicatedReply> {
    const receipts: NodeReceipt[] = [];
    // Each put has an object of its own: one record may be put twice at once.
    const own = { ...record };
    this.#receipts.set(own, receipts);
    try {
      const { ttlSeconds } = await this.#placed.put(own, options);
      return { ttlSeconds, receipts };
    } finally {
      this.#receipts.delete(own);
    }
  }

  async get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    return await this.#placed.get(address, options);
  }

  /** Ends everything; whoever waits is told `CULVERT_CLOSED`. */
  close(): void {
    this.#placed.close();
  }

  async #mapOf(id: NodeId): Promise<NodeMap> {
    const { self, peers } = this.#components;
    if (self !== undefined && isSameNode(self.contact.id, id)) return self;
    const carrier = await peers.of(id);
    return { carrier, nodeKey: carrier.greeting.nodeKey };
  }

  #isReceipt(id: NodeId, record: MapRecord, reply: NodeReply): boolean {
    const { nodeKey, receipt, ttlSeconds } = reply;
    if (receipt === undefined || !isSameNode(nodeIdOf(nodeKey), id)) return false;
    // Who is told of this put in turn looks at that too, and would take it for our lie.
    const { clock, isClockOff } = this.#components;
    const isShort = receipt.expiresMs < receiptEndsFrom(ttlSeconds, clock.unixMs());
    if (isShort && isClockOff?.() !== true) return false;
    const { address, seq, payload } = record;
    const claim = { address, seq, payloadHash: crypto().sha256(payload) };
    if (!this.#verifierOf(nodeKey).verify(receipt, claim)) return false;
    this.#receipts.get(record)?.push({ nodeKey, receipt });
    return true;
  }

  #verifierOf(nodeKey: Uint8Array): ReceiptVerifier {
    const key = toHex(nodeKey);
    const verifier = this.#verifiers.get(key) ?? new ReceiptVerifier(nodeKey);
    this.#verifiers.set(key, verifier);
    return verifier;
  }

  /** The DHT, with this node in its place among the others. */
  #neighbourhood(): PlacementDht {
    const { dht, self } = this.#components;
    const among = (
      address: Uint8Array,
      nodes: readonly Contact[],
      count: number,
    ): readonly Contact[] => {
      if (self === undefined) return nodes;
      return sortByDistance(keyOf(address), [...nodes, self.contact]).slice(0, count);
    };
    return {
      get knowsAll() {
        return dht.knowsAll;
      },
      get statistics() {
        return dht.statistics;
      },
      closestKnown: (address, count, isWanted = () => true) => {
        const known = dht.closestKnown(address, count, isWanted);
        return self && !isWanted(self.contact) ? known : among(address, known, count);
      },
      closest: async (address, options = {}) => {
        const { count = DHT_LIMITS.bucketSize } = options;
        const found = await dht.closest(address, { ...options, count });
        return among(address, found, Math.max(count, found.length));
      },
      isDemoted: (id) => dht.isDemoted(id),
      blame: (id) => dht.blame(id),
    };
  }
}

function isRecord(address: Uint8Array, record: MapRecord): boolean {
  return equalBytes(record.address, address) && verifyRecord(record);
}

function withKey({ carrier, nodeKey }: NodeMap) {
  return {
    put: async (record: MapRecord, options: CarrierPutOptions = {}) => {
      try {
        return { ...(await carrier.put(record, options)), nodeKey };
      } catch (error) {
        if (isCulvertError(error, "CULVERT_CONFLICT")) {
          await requireConflict(carrier, record, options.signal);
        }
        throw error;
      }
    },
    get: async (address: Uint8Array, options?: CarrierGetOptions) =>
      await carrier.get(address, options),
  };
}

/**
 * A conflict of one keeper is one of the whole put, where too few others have taken it: so it has
 * to show the other bytes. One that shows none has failed, and another one is asked in its place.
 *
 * @throws CulvertError `CULVERT_PROTOCOL` when it does not
 */
async function requireConflict(
  carrier: RecordCarrier,
  record: MapRecord,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isGenuine = (shown: MapRecord): boolean => isRecord(record.address, shown);
  if (await showsConflict(carrier, record, { isGenuine, signal })) return;
  throw new CulvertError("CULVERT_PROTOCOL", "a keeper tells of other bytes, and shows none");
}
