import {
  type Core,
  type ErrorCode,
  type Instant,
  type Random,
  requireBytes,
  requireMethods,
  requireObject,
  unreachable,
} from "../../base/index.ts";
import { KEY_BYTES, keyOf } from "../wire/key.ts";
import { type Offer, OfferDesk, type OfferId } from "./offer-desk.ts";
import type { PlacementLimits } from "./placement-limits.ts";
import {
  type KeptInput,
  type KnownNeighbours,
  RecordWatchCore,
  type WatchEffect,
} from "./record-watch-core.ts";
import { StoreMarks } from "./store-marks.ts";

/** What became of an offer. */
export type OfferAnswer =
  /** The node keeps the record now. */
  | { readonly kind: "taken" }
  /** This node does not keep it any more. */
  | { readonly kind: "gone" }
  /** It could not be read, or did not get there, or the node does not want it. */
  | { readonly kind: "failed"; readonly code: ErrorCode };

/** A node that says by which mark its store is known. */
export interface StoreNotice {
  readonly id: Uint8Array;
  readonly mark: Uint8Array;
}

/** What a hand-over is told. */
export type HandOverInput =
  | KeptInput
  /** This node has joined: its neighbours are known from now on. */
  | { readonly kind: "joined" }
  /** The store failed before all that it holds was read. */
  | { readonly kind: "unread" }
  | ({ readonly kind: "new-store" } & StoreNotice)
  | { readonly kind: "answer"; readonly offer: OfferId; readonly answer: OfferAnswer };

/** What a hand-over asks its shell to do. */
export type HandOverEffect =
  /** Read what the store holds since an earlier run, and tell `held` of each record. */
  | { readonly kind: "read" }
  /** Put the record that is kept here at this node too, then tell `answer`. */
  | ({ readonly kind: "offer"; readonly offer: OfferId } & Omit<WatchEffect, "kind">);

/** The pause before a store that could not be read to its end is read again doubles up to this. */
const READ_AGAIN_MS = { first: 60_000, last: 3_600_000 } as const;
/** Who is not among so many that are the closest keeps no record with this node. */
const NEIGHBOURS = 80;

/**
 * Keeps the records of a node where they are looked for: watches what its store keeps, and offers
 * it to nodes that are new among the closest. It sees no record, only addresses: the shell reads
 * the store and asks the nodes.
 *
 * - What the store holds from an earlier run is watched too, once the node has joined: nobody knows
 *   who has come or gone meanwhile. What fails is read again: a store is opened anew after a failed
 *   write, and a server may be away.
 * - An offer that did not get there is made again at the next look. Who holds another record, or a
 *   newer one, has decided; who is not there is offered nothing more until then.
 * - One source is given a few copies of all, then one in a quarter of an hour, whatever it does.
 * - A node that says that its store was begun anew is offered what it should have.
 */
export class HandOverCore implements Core<HandOverInput, HandOverEffect> {
  readonly #id: Uint8Array;
  readonly #neighbourhood: KnownNeighbours;
  readonly #watch: RecordWatchCore;
  readonly #desk: OfferDesk;
  readonly #marks = new StoreMarks();
  readonly #effects: HandOverEffect[] = [];
  #readAgainMs: number = READ_AGAIN_MS.first;
  #readAgainAt: Instant = Number.POSITIVE_INFINITY;
  #handedOver = 0;
  #failed = 0;

  constructor(options: {
    /** This node's id. */
    readonly id: Uint8Array;
    readonly neighbourhood: KnownNeighbours;
    readonly random: Random;
    readonly limits?: Partial<PlacementLimits>;
  }) {
    requireObject("options", options);
    requireBytes("id", options.id, KEY_BYTES);
    requireMethods("neighbourhood", options.neighbourhood, "closestKnown");
    requireMethods("random", options.random, "bytes", "unit");
    this.#id = options.id;
    this.#neighbourhood = options.neighbourhood;
    this.#watch = new RecordWatchCore(options);
    this.#desk = new OfferDesk(
      () => this.#watch.size,
      (id) => this.#neighbourhood.closestKnown(id, 1).find(({ key }) => key === keyOf(id)),
    );
  }

  /** Records that are watched, offers that were taken, and those that did not get there. */
  get counts(): Readonly<Record<"watched" | "handedOver" | "failed", number>> {
    return { watched: this.#watch.size, handedOver: this.#handedOver, failed: this.#failed };
  }

  /** Whether one more record would be watched in the place of another. */
  get isFull(): boolean {
    return this.#watch.isFull;
  }

  /**
   * Whether a node is believed that its store is the one of this mark, or was believed before: not
   * when it says so too often, or is no neighbour, and may say it again later. In the long run it
   * is believed as often as it could be missed.
   */
  believes({ id, mark }: StoreNotice, now: Instant): boolean {
    const key = keyOf(id);
    if (this.#marks.isKnown(key, mark)) return true;
    // Strangers would take all the room there is.
    const near = this.#neighbourhood.closestKnown(this.#id, NEIGHBOURS);
    if (!near.some((node) => node.key === key)) return false;
    return this.#watch.hasRoomForEmptied && this.#marks.mayChange(key, now);
  }

  handle(input: HandOverInput, now: Instant): void {
    switch (input.kind) {
      case "kept":
        this.#desk.stored(input.address);
        this.#watch.handle(input, now);
        break;
      case "held":
        this.#watch.handle(input, now);
        break;
      case "joined":
        this.#effects.push({ kind: "read" });
        break;
      case "unread":
        this.#readAgainAt = now + this.#readAgainMs;
        this.#readAgainMs = Math.min(2 * this.#readAgainMs, READ_AGAIN_MS.last);
        break;
      case "new-store":
        this.#heardNewStore(input, now);
        break;
      case "answer":
        this.#answered(input.offer, input.answer, now);
        break;
      default:
        unreachable(input);
    }
    this.#settle(now);
  }

  timeout(now: Instant): void {
    if (now >= this.#readAgainAt) {
      this.#readAgainAt = Number.POSITIVE_INFINITY;
      this.#effects.push({ kind: "read" });
    }
    this.#watch.timeout(now);
    this.#settle(now);
  }

  poll(): HandOverEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Math.min(this.#watch.deadline(), this.#readAgainAt);
  }

  /** Takes in what the watch wants to be offered, and makes as many offers as may be made now. */
  #settle(now: Instant): void {
    const missed: Offer[] = [];
    for (let wish = this.#watch.poll(); wish !== undefined; wish = this.#watch.poll()) {
      if (!this.#desk.add(wish, now)) missed.push(wish);
    }
    for (const offer of missed) this.#missed(offer, now);
    for (let next = this.#desk.next(); next !== undefined; next = this.#desk.next()) {
      const [offer, { address, to }] = next;
      this.#effects.push({ kind: "offer", offer, address, to });
    }
  }

  #heardNewStore(notice: StoreNotice, now: Instant): void {
    const { id, mark } = notice;
    const key = keyOf(id);
    if (this.#marks.isKnown(key, mark) || !this.believes(notice, now)) return;
    this.#marks.change(key, mark, now);
    this.#watch.handle({ kind: "emptied", id }, now);
  }

  #answered(id: OfferId, answer: OfferAnswer, now: Instant): void {
    const offer = this.#desk.close(id);
    if (offer === undefined) return;
    if (answer.kind === "taken") this.#handedOver += 1;
    else if (answer.kind === "failed") this.#failedWith(answer.code, offer, now);
    else if (offer.isStoredAnew) this.#missed(offer, now);
    else this.#watch.handle({ kind: "lost", address: offer.address }, now);
  }

  #failedWith(code: ErrorCode, offer: Offer, now: Instant): void {
    this.#failed += 1;
    if (code !== "CULVERT_CONFLICT") this.#missed(offer, now);
    if (code !== "CULVERT_UNREACHABLE" && code !== "CULVERT_TIMEOUT") return;
    for (const other of this.#desk.absent(offer.to, now)) this.#missed(other, now);
  }

  #missed({ address, to }: Offer, now: Instant): void {
    this.#watch.handle({ kind: "missed", address, node: to }, now);
  }
}
