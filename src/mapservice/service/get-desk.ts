import { assert, type Instant } from "../../base/index.ts";
import type { AddressHash } from "../record/address-hash.ts";
import { AddressMap } from "../record/address-map.ts";
import type { MapRecord } from "../record/record.ts";
import { secondsLeft } from "../store/record-store.ts";
import { AbandonedReads, type ReadOwner } from "./abandoned-reads.ts";
import type { MapLimits } from "./limits.ts";
import type {
  Asker,
  AskerId,
  Effort,
  MapAnswer,
  MapEffect,
  MapInput,
  QueuedGet,
  RequestId,
} from "./protocol.ts";
import type { RecentRecords } from "./recent-records.ts";
import type { MapStatistics } from "./statistics.ts";
import { type WaitingGet, WaitingGets } from "./waiting-gets.ts";

/** What the desk needs from the core around it. */
interface GetDeskOptions {
  readonly limits: MapLimits;
  /** Whether a record may be handed over, since the store looks at none of them again. */
  readonly sharesNoMemory?: boolean;
  readonly hash: AddressHash;
  readonly recent: RecentRecords;
  readonly statistics: MapStatistics;
  readonly effect: (effect: MapEffect) => void;
}

/** A read of the store that is under way. */
interface Lookup {
  /** What the store is being asked for. */
  readonly address: Uint8Array;
  /** A put has overtaken it. */
  isOvertaken: boolean;
  /** It was under way already when the reads were looked at. */
  isOld: boolean;
  /** Who was the last to wait for it, once nobody does. */
  leftBy: ReadOwner | undefined;
}

/**
 * The part of a Map core that serves gets. A get that finds nothing at hand is registered before
 * the store is asked, so no put slips through between the two; the put's commit answers it.
 */
export class GetDesk {
  readonly #options: GetDeskOptions;
  readonly #gets: WaitingGets;
  readonly #lookups: AddressMap<Lookup>;
  readonly #abandoned = new AbandonedReads();
  /** When the reads are looked at next: while there are any, and once more. */
  #looksAt: Instant = Number.POSITIVE_INFINITY;

  constructor(options: GetDeskOptions) {
    this.#options = options;
    this.#gets = new WaitingGets(options.hash);
    this.#lookups = new AddressMap(options.hash);
  }

  /** Gets that are not answered yet. */
  get size(): number {
    return this.#gets.size;
  }

  /** Whether the store is being asked for something. */
  get isReading(): boolean {
    return this.#lookups.size > 0;
  }

  serve(
    get: QueuedGet,
    { source }: Asker,
    at: { readonly now: Instant; readonly unixMs: number },
  ): Effort {
    const { recent, statistics } = this.#options;
    const { address } = get;
    const known = recent.get(address, at.unixMs);
    if (known !== undefined) {
      statistics.recentHits += 1;
      const ttlSeconds = secondsLeft(known.expiresMs, at.unixMs);
      this.#answer(get, { kind: "found", record: known.record, ttlSeconds, isBorrowed: true });
    } else if (!this.#register(get, { source, now: at.now })) {
      this.#answer(get, { kind: "busy" });
    } else if (!this.#lookups.has(address)) {
      this.#lookUp(address);
      if (this.#looksAt === Number.POSITIVE_INFINITY) this.#lookLater(at.now);
      return "read";
    }
    return "little";
  }

  lookedUp(input: MapInput & { readonly kind: "looked-up" }): void {
    const { address, stored, isFailed } = input;
    const { recent, statistics } = this.#options;
    const lookup = this.#lookups.get(address);
    assert(lookup !== undefined, "a lookup ends once");
    this.#lookups.delete(address);
    if (lookup.leftBy !== undefined) this.#abandoned.remove(lookup.leftBy);
    if (isFailed) statistics.storeFailures += 1;
    if (lookup.isOvertaken && !isFailed) {
      // Who asked after that put must not hear of the time before it.
      if (this.#gets.isAwaited(address)) this.#lookUp(address);
      return;
    }
    if (stored !== undefined) {
      const { record, expiresMs } = stored;
      recent.set({ record, expiresMs, receipt: undefined });
      this.wake(record, secondsLeft(expiresMs, input.unixMs));
      return;
    }
    for (const get of this.#gets.at(address)) {
      if (get.waits && !isFailed) continue;
      this.#gets.remove(get);
      this.#answer(get, { kind: isFailed ? "busy" : "not-found" });
    }
  }

  /** Answers everybody who asked for this record; false when nobody did. */
  wake(record: MapRecord, ttlSeconds: number): boolean {
    const lookup = this.#lookups.get(record.address);
    if (lookup !== undefined) lookup.isOvertaken = true;
    const gets = this.#gets.at(record.address);
    for (const [i, get] of gets.entries()) {
      this.#gets.remove(get);
      this.#leaveRead(get);
      // The last one has it for himself, once the others have made their copies.
      const isHandedOver = this.#options.sharesNoMemory === true && i === gets.length - 1;
      this.#answer(get, { kind: "found", record, ttlSeconds, isBorrowed: !isHandedOver });
    }
    return gets.length > 0;
  }

  /** False when no such get is waiting. */
  cancel(asker: AskerId, request: RequestId): boolean {
    const get = this.#gets.find(asker, request);
    if (get === undefined) return false;
    this.#gets.remove(get);
    this.#leaveRead(get);
    return true;
  }

  closeAsker(asker: AskerId): void {
    for (const get of this.#gets.removeAsker(asker)) this.#leaveRead(get);
  }

  timeout(now: Instant): void {
    for (const get of this.#gets.takeDue(now)) {
      this.#leaveRead(get);
      // While the store has not said what it holds, nobody knows.
      this.#answer(get, { kind: this.#lookups.has(get.address) ? "busy" : "not-found" });
    }
    if (now < this.#looksAt) return;
    this.#looksAt = Number.POSITIVE_INFINITY;
    for (const lookup of this.#lookups.values()) {
      if (lookup.isOld) this.#giveUp(lookup.address);
      else lookup.isOld = true;
    }
    if (this.#lookups.size > 0) this.#lookLater(now);
  }

  deadline(): Instant {
    return Math.min(this.#gets.deadline(), this.#looksAt);
  }

  /** Twice in the time that a read may take: one look finds what began before the last one. */
  #lookLater(now: Instant): void {
    this.#looksAt = now + this.#options.limits.storeMsMax / 2;
  }

  /** A read hangs: who does not wait for a put has waited long enough. */
  #giveUp(address: Uint8Array): void {
    for (const get of this.#gets.at(address)) {
      if (!get.waits) this.#refuse(get);
    }
  }

  #lookUp(address: Uint8Array): void {
    this.#lookups.set(address, { address, isOvertaken: false, isOld: false, leftBy: undefined });
    this.#options.effect({ kind: "lookup", address });
  }

  /** A get is over; the read for it may still be under way, for nobody. */
  #leaveRead({ address, asker, source }: WaitingGet): void {
    const lookup = this.#lookups.get(address);
    if (lookup === undefined || lookup.leftBy !== undefined) return;
    if (this.#gets.isAwaited(address)) return;
    lookup.leftBy = { asker, source };
    this.#abandoned.add(lookup.leftBy);
  }

  #register(
    { asker, request, address, waitMs }: QueuedGet,
    { source, now }: { readonly source: string; readonly now: Instant },
  ): boolean {
    if (!this.#hasPlace({ asker, address, source })) return false;
    const waits = waitMs > 0;
    const { waitMsMax } = this.#options.limits;
    const deadline = waits ? now + Math.min(waitMs, waitMsMax) : Number.POSITIVE_INFINITY;
    return this.#gets.add({ asker, source, request, address, waits, deadline });
  }

  /**
   * An asker has no more of its source's places than he leaves free, and a source of those at one
   * address. A get that is over may leave its read behind, which has one.
   */
  #hasPlace({ asker, address, source }: Pick<WaitingGet, "asker" | "address" | "source">): boolean {
    const { waitingPerSourceMax, waitingPerLinkMax, waitingPerAddressMax } = this.#options.limits;
    const left =
      waitingPerSourceMax - this.#gets.sizeOfSource(source) - this.#abandoned.sizeOfSource(source);
    const ofAsker = this.#gets.sizeOf(asker) + this.#abandoned.sizeOf(asker);
    if (left <= 0 || ofAsker >= left || ofAsker >= waitingPerLinkMax) return false;
    const here = this.#gets.sizeAt(address);
    const ofSource = here === 0 ? 0 : this.#gets.sizeAt(address, source);
    return ofSource < waitingPerAddressMax - here && this.#hasRoom(source);
  }

  /** Whether there is room for one more of this source, if need be in place of another's. */
  #hasRoom(source: string): boolean {
    const { waitingMax } = this.#options.limits;
    const readsLeft = waitingMax - this.#lookups.size;
    const ofSource = this.#abandoned.sizeOfSource(source);
    if (this.#gets.size >= waitingMax && readsLeft > ofSource) {
      const debtor = this.#gets.debtorOf(source, waitingMax);
      if (debtor !== undefined) this.#refuse(debtor);
    }
    // Of reads that nobody waits for a source has no more than are free.
    return ofSource < Math.min(waitingMax - this.#gets.size, readsLeft);
  }

  #refuse(get: WaitingGet): void {
    this.#gets.remove(get);
    this.#leaveRead(get);
    this.#answer(get, { kind: "busy" });
  }

  #answer(
    to: { readonly asker: AskerId; readonly request: RequestId },
    answer: MapAnswer & { readonly kind: "found" | "not-found" | "busy" },
  ): void {
    const { statistics, effect } = this.#options;
    if (answer.kind === "found") statistics.getsFound += 1;
    else if (answer.kind === "not-found") statistics.getsNotFound += 1;
    else statistics.getsBusy += 1;
    effect({ kind: "answer", asker: to.asker, request: to.request, answer });
  }
}
