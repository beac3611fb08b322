import {
  type Clock,
  CulvertError,
  Driver,
  isCulvertError,
  type Log,
  type Random,
} from "../../base/index.ts";
import {
  type DhtNode,
  HandOverCore,
  type HandOverEffect,
  type HandOverInput,
  type OfferAnswer,
  type PlacementLimits,
} from "../../dht/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { type RecordStore, storeOver } from "../../mapservice/index.ts";
import type { MapPeers } from "./map-links.ts";

/** What a hand-over is built from. */
export interface HandOverComponents {
  /** Where this node's own records are; borrowed. */
  readonly store: RecordStore;
  readonly dht: Pick<DhtNode, "closestKnown" | "isDemoted" | "statistics">;
  readonly peers: Pick<MapPeers, "of">;
  readonly self: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const MARK_BYTES = 16;

type OfferEffect = HandOverEffect & { readonly kind: "offer" };

/**
 * Keeps the records of this node where they are looked for: the shell of {@link HandOverCore},
 * which tells it of what the store keeps, and puts it at the nodes that the core names, for the
 * life that is left.
 */
export class HandOver {
  /** The store, watched: to be used in its place. */
  readonly store: RecordStore;
  readonly #components: HandOverComponents;
  readonly #core: HandOverCore;
  readonly #driver: Driver<HandOverInput, HandOverEffect>;
  readonly #closing = new AbortController();

  constructor(components: HandOverComponents, limits: Partial<PlacementLimits> = {}) {
    const { store, dht, self: id, clock, random } = components;
    this.#components = components;
    this.#core = new HandOverCore({
      id,
      random,
      limits,
      neighbourhood: {
        get nodesEstimated() {
          return dht.statistics.nodesEstimated;
        },
        closestKnown: (address, count, isWanted) => dht.closestKnown(address, count, isWanted),
        isDemoted: (node) => dht.isDemoted(node.id),
      },
    });
    this.#driver = new Driver(this.#core, clock, (effect) => {
      void (effect.kind === "read" ? this.#read() : this.#offer(effect));
    });
    this.#driver.setBackground(true);
    this.store = watched(store, (address, ttlSeconds) => {
      this.#driver.handle({ kind: "kept", address, ttlSeconds });
    });
  }

  /** Watches what the store holds from an earlier run too; to be called once this node joined. */
  resume(): void {
    this.#driver.handle({ kind: "joined" });
  }

  /**
   * A node says that its store is the one of this mark, begun anew: it is offered what it should
   * have, within two minutes.
   *
   * @throws CulvertError `CULVERT_BUSY` when it says so too often, or is no neighbour, and may say
   *   it again later; `CULVERT_PROTOCOL`
   */
  heardNewStore(id: NodeId, mark: Uint8Array): void {
    if (mark.length !== MARK_BYTES) throw new CulvertError("CULVERT_PROTOCOL");
    const { clock } = this.#components;
    if (!this.#core.believes({ id, mark }, clock.now())) throw new CulvertError("CULVERT_BUSY");
    this.#driver.handle({ kind: "new-store", id, mark });
  }

  /** Records that are watched, offers that were taken, and those that did not get there. */
  get counts(): HandOverCore["counts"] {
    return this.#core.counts;
  }

  /** Offers nothing more. Repeating it does nothing. */
  close(): void {
    this.#driver.stop();
    this.#closing.abort();
  }

  async #read(): Promise<void> {
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
      this.#driver.handle({ kind: "unread" });
    }
  }

  async #offer({ offer, address, to }: OfferEffect): Promise<void> {
    const answer = await this.#handOver(address, to.id);
    this.#driver.handle({ kind: "answer", offer, answer });
  }

  async #handOver(address: Uint8Array, to: NodeId): Promise<OfferAnswer> {
    const { clock, peers, store, log } = this.#components;
    const { signal } = this.#closing;
    try {
      const unixMs = clock.unixMs();
      const held = await store.get(address, unixMs);
      const ttlSeconds = Math.floor(((held?.expiresMs ?? 0) - unixMs) / 1_000);
      if (held === undefined || ttlSeconds < 1) return { kind: "gone" };
      const map = await peers.of(to);
      await map.put({ ...held.record, ttlSeconds }, { signal });
      return { kind: "taken" };
    } catch (error) {
      const code = isCulvertError(error) ? error.code : "CULVERT_INTERNAL";
      if (!signal.aborted) log("debug", "record-not-handed-over", { code });
      return { kind: "failed", code };
    }
  }
}

/** Tells of every record that has become durable, with the life that it has. */
function watched(
  store: RecordStore,
  kept: (address: Uint8Array, ttlSeconds: number) => void,
): RecordStore {
  return storeOver(store, {
    put: async (puts, nowMs) => {
      const outcomes = await store.put(puts, nowMs);
      for (const [index, { record }] of puts.entries()) {
        const outcome = outcomes[index];
        if (outcome?.kind !== "stored" && outcome?.kind !== "known") continue;
        kept(record.address, (outcome.expiresMs - nowMs) / 1_000);
      }
      return outcomes;
    },
  });
}
