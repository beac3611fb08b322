import {
  type Cancel,
  type Clock,
  CulvertError,
  Driver,
  equalBytes,
  isCulvertError,
  type Log,
  LruMap,
  type Random,
} from "../../base/index.ts";
import {
  type DhtNode,
  type PlacementLimits,
  RecordWatchCore,
  type WatchEffect,
  type WatchInput,
} from "../../dht/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import type { PutOutcome, RecordPut, RecordStore } from "../../mapservice/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { MapPeers } from "./map-links.ts";

/** What a hand-over is built from. */
export interface HandOverComponents {
  /** Where this node's own records are; borrowed. */
  readonly store: RecordStore;
  readonly dht: Pick<DhtNode, "closestKnown" | "knowsAll" | "isDemoted">;
  readonly peers: Pick<MapPeers, "of">;
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Offers under way at once, and those that wait for their turn; more are made at the next look. */
const OFFERS_AT_ONCE = 16;
const OFFERS_WAITING_MAX = 16_384;
/** The pause before a store that could not be read to its end is read again doubles up to this. */
const READ_AGAIN_MS = { first: 60_000, last: 3_600_000 } as const;

const MARK_BYTES = 16;
/** Who is not among so many that are the closest keeps no record with this node. */
const NEIGHBOURS = 80;
/** Nodes whose store is known by its mark. */
const MARKS_MAX = 1_024;
/** How often a node is believed that its store is another one: the first is of its first life. */
const NEW_STORES = { capacity: 3, perSecond: 1 / 900 } as const;

interface KnownStore {
  readonly mark: Uint8Array;
  readonly believed: TokenBucket;
}

type Offer = WatchEffect & { readonly kind: "offer" };

/** An offer that is being made. */
interface Making {
  readonly address: Uint8Array;
  /** One for each offer: so many that wait for one signal look like a leak to Node. */
  readonly abort: AbortController;
  /** The record was stored meanwhile: what was read before may be out of date. */
  isStoredAnew: boolean;
}

/**
 * Keeps the records of this node where they are looked for: watches what its store keeps, and puts
 * it at nodes that are new among the closest, for the life that is left.
 */
export class HandOver {
  /** The store, watched: to be used in its place. */
  readonly store: RecordStore;
  readonly #components: HandOverComponents;
  readonly #core: RecordWatchCore;
  readonly #driver: Driver<WatchInput, WatchEffect>;
  readonly #stores = new LruMap<string, KnownStore>(MARKS_MAX);
  readonly #waiting: Offer[] = [];
  readonly #closing = new AbortController();
  readonly #making = new Set<Making>();
  #underWay = 0;
  #handedOver = 0;
  #failed = 0;
  #readAgainMs: number = READ_AGAIN_MS.first;
  #cancelReading: Cancel = () => {};

  constructor(components: HandOverComponents, limits: Partial<PlacementLimits> = {}) {
    const { store, dht, self, clock, random } = components;
    this.#components = components;
    this.#core = new RecordWatchCore({
      id: self,
      random,
      limits,
      neighbourhood: {
        get knowsAll() {
          return dht.knowsAll;
        },
        closestKnown: (address, count) => dht.closestKnown(address, count),
        isDemoted: ({ id }) => dht.isDemoted(id),
      },
    });
    this.#driver = new Driver(this.#core, clock, (offer) => this.#take(offer));
    this.#driver.setBackground(true);
    this.store = watched(store, (address, ttlSeconds) => {
      for (const making of this.#making) {
        if (equalBytes(making.address, address)) making.isStoredAnew = true;
      }
      this.#driver.handle({ kind: "kept", address, ttlSeconds });
    });
  }

  /**
   * Watches what the store holds from an earlier run too, and offers it where this node is among
   * the two closest to it: nobody knows who has come or gone meanwhile. To be called once this node
   * has joined. What fails is done again: a store is opened anew after a failed write, and a server
   * may be away.
   */
  async resume(): Promise<void> {
    const { store, clock, log } = this.#components;
    const unixMs = clock.unixMs();
    try {
      for await (const { address, expiresMs } of store.held?.(unixMs) ?? []) {
        if (this.#closing.signal.aborted || this.#core.isFull) return;
        const ttlSeconds = (expiresMs - unixMs) / 1_000;
        this.#driver.handle({ kind: "held", address, ttlSeconds });
      }
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      log("warn", "records-not-read", { message: String(error) });
      const at = clock.now() + this.#readAgainMs;
      this.#readAgainMs = Math.min(2 * this.#readAgainMs, READ_AGAIN_MS.last);
      this.#cancelReading = clock.schedule(at, () => void this.resume(), { background: true });
    }
  }

  /**
   * A node says that its store is the one of this mark, begun anew: it is offered what it should
   * have, within two minutes. In the long run it is believed as often as it could be missed.
   *
   * @throws CulvertError `CULVERT_BUSY` when it says so too often, or is no neighbour, and may say
   *   it again later; `CULVERT_PROTOCOL`
   */
  heardNewStore(id: NodeId, mark: Uint8Array): void {
    if (mark.length !== MARK_BYTES) throw new CulvertError("CULVERT_PROTOCOL");
    const name = nodeIdText(id);
    const known = this.#stores.get(name);
    if (known !== undefined && equalBytes(known.mark, mark)) return;
    const { clock, dht, self } = this.#components;
    const now = clock.now();
    const near = dht.closestKnown(self, NEIGHBOURS);
    // Strangers would take all the room there is.
    if (!near.some((node) => isSameNode(node.id, id))) throw new CulvertError("CULVERT_BUSY");
    const believed = known?.believed ?? new TokenBucket(NEW_STORES, now);
    if (!(this.#core.hasRoomForEmptied && believed.take(1, now))) {
      throw new CulvertError("CULVERT_BUSY");
    }
    this.#stores.set(name, { mark: mark.slice(), believed });
    this.#driver.handle({ kind: "emptied", id });
  }

  /** Records that are watched, offers that were taken, and those that did not get there. */
  get counts(): Readonly<Record<"watched" | "handedOver" | "failed", number>> {
    return { watched: this.#core.size, handedOver: this.#handedOver, failed: this.#failed };
  }

  /** Offers nothing more. Repeating it does nothing. */
  close(): void {
    this.#driver.stop();
    this.#cancelReading();
    this.#waiting.length = 0;
    this.#closing.abort();
    for (const { abort } of this.#making) abort.abort();
  }

  #take(offer: Offer): void {
    if (this.#waiting.length < OFFERS_WAITING_MAX) this.#waiting.push(offer);
    else this.#driver.handle({ kind: "missed", address: offer.address, node: offer.to });
    this.#next();
  }

  #next(): void {
    while (this.#underWay < OFFERS_AT_ONCE) {
      const offer = this.#waiting.shift();
      if (offer === undefined) return;
      this.#underWay += 1;
      void this.#make(offer).finally(() => {
        this.#underWay -= 1;
        this.#next();
      });
    }
  }

  async #make({ address, to }: Offer): Promise<void> {
    const { clock, peers, store, log } = this.#components;
    const making: Making = { address, abort: new AbortController(), isStoredAnew: false };
    this.#making.add(making);
    try {
      const unixMs = clock.unixMs();
      const held = await store.get(address, unixMs);
      const ttlSeconds = Math.floor(((held?.expiresMs ?? 0) - unixMs) / 1_000);
      if (held === undefined || ttlSeconds < 1) {
        const kind = making.isStoredAnew ? "missed" : "lost";
        this.#driver.handle({ kind, address, node: to });
        return;
      }
      const map = await peers.of(to.id);
      await map.put({ ...held.record, ttlSeconds }, { signal: making.abort.signal });
      this.#handedOver += 1;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failed += 1;
      const code = isCulvertError(error) ? error.code : "CULVERT_INTERNAL";
      log("debug", "record-not-handed-over", { code });
      // Who holds another record, or a newer one, has decided.
      if (code !== "CULVERT_CONFLICT") this.#driver.handle({ kind: "missed", address, node: to });
    } finally {
      this.#making.delete(making);
    }
  }
}

/** Tells of every record that has become durable, with the life that it has. */
function watched(
  store: RecordStore,
  kept: (address: Uint8Array, ttlSeconds: number) => void,
): RecordStore {
  return {
    payloadSize: store.payloadSize,
    async put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]> {
      const outcomes = await store.put(puts, nowMs);
      for (const [index, { record }] of puts.entries()) {
        const outcome = outcomes[index];
        if (outcome?.kind !== "stored" && outcome?.kind !== "known") continue;
        kept(record.address, (outcome.expiresMs - nowMs) / 1_000);
      }
      return outcomes;
    },
    get: (address, nowMs) => store.get(address, nowMs),
    sweep: (nowMs, limit) => store.sweep(nowMs, limit),
    statistics: () => store.statistics(),
    close: () => store.close(),
  };
}
