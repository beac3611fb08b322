import { assert, type Instant } from "../../base/index.ts";
import { addressKey } from "../record/address-key.ts";
import type { MapRecord } from "../record/record.ts";
import { secondsLeft } from "../store/record-store.ts";
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
import { WaitingGets } from "./waiting-gets.ts";

/** What the desk needs from the core around it. */
interface GetDeskOptions {
  readonly limits: MapLimits;
  readonly recent: RecentRecords;
  readonly statistics: MapStatistics;
  readonly effect: (effect: MapEffect) => void;
}

/**
 * The part of a Map core that serves gets. A get that finds nothing at hand is registered before
 * the store is asked, so no put slips through between the two; the put's commit answers it.
 */
export class GetDesk {
  readonly #options: GetDeskOptions;
  readonly #gets = new WaitingGets();
  /** Addresses that the store is being asked for, and whether a put has overtaken that. */
  readonly #lookups = new Map<string, { isOvertaken: boolean }>();

  constructor(options: GetDeskOptions) {
    this.#options = options;
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
    const key = addressKey(get.address);
    const known = recent.get(key, at.unixMs);
    if (known !== undefined) {
      statistics.recentHits += 1;
      const ttlSeconds = secondsLeft(known.expiresMs, at.unixMs);
      this.#answer(get, { kind: "found", record: known.record, ttlSeconds, isBorrowed: true });
    } else if (!this.#register(get, { key, source, now: at.now })) {
      this.#answer(get, { kind: "busy" });
    } else if (!this.#lookups.has(key)) {
      this.#lookUp(key, get.address);
      return "read";
    }
    return "little";
  }

  lookedUp(input: MapInput & { readonly kind: "looked-up" }): void {
    const { stored, isFailed } = input;
    const { recent, statistics } = this.#options;
    const key = addressKey(input.address);
    const lookup = this.#lookups.get(key);
    assert(lookup !== undefined, "a lookup ends once");
    this.#lookups.delete(key);
    if (isFailed) statistics.storeFailures += 1;
    if (lookup.isOvertaken && !isFailed) {
      // Who asked after that put must not hear of the time before it.
      if (this.#gets.sizeAt(key) > 0) this.#lookUp(key, input.address);
      return;
    }
    if (stored !== undefined) {
      const { record, expiresMs } = stored;
      recent.set(key, { record, expiresMs, receipt: undefined });
      this.wake(key, record, secondsLeft(expiresMs, input.unixMs));
      return;
    }
    for (const get of this.#gets.at(key)) {
      if (get.waits && !isFailed) continue;
      this.#gets.remove(get);
      this.#answer(get, { kind: isFailed ? "busy" : "not-found" });
    }
  }

  /** Answers everybody who asked for this record; its address is given as a key. */
  wake(key: string, record: MapRecord, ttlSeconds: number): void {
    const lookup = this.#lookups.get(key);
    if (lookup !== undefined) lookup.isOvertaken = true;
    for (const get of this.#gets.at(key)) {
      this.#gets.remove(get);
      this.#answer(get, { kind: "found", record, ttlSeconds });
    }
  }

  /** False when no such get is waiting. */
  cancel(asker: AskerId, request: RequestId): boolean {
    const get = this.#gets.find(asker, request);
    if (get !== undefined) this.#gets.remove(get);
    return get !== undefined;
  }

  closeAsker(asker: AskerId): void {
    this.#gets.removeAsker(asker);
  }

  timeout(now: Instant): void {
    for (const get of this.#gets.takeDue(now)) {
      // While the store has not said what it holds, nobody knows.
      this.#answer(get, { kind: this.#lookups.has(get.key) ? "busy" : "not-found" });
    }
  }

  deadline(): Instant {
    return this.#gets.deadline();
  }

  #lookUp(key: string, address: Uint8Array): void {
    this.#lookups.set(key, { isOvertaken: false });
    this.#options.effect({ kind: "lookup", address });
  }

  #register(
    { asker, request, waitMs }: QueuedGet,
    { key, source, now }: { readonly key: string; readonly source: string; readonly now: Instant },
  ): boolean {
    const { limits } = this.#options;
    const { waitMsMax } = limits;
    // A get that is taken back leaves its read behind.
    if (Math.max(this.#gets.size, this.#lookups.size) >= limits.waitingMax) return false;
    if (this.#gets.sizeOf(asker) >= limits.waitingPerLinkMax) return false;
    if (this.#gets.sizeOfSource(source) >= limits.waitingPerSourceMax) return false;
    if (this.#gets.sizeAt(key) >= limits.waitingPerAddressMax) return false;
    const waits = waitMs > 0;
    const deadline = waits ? now + Math.min(waitMs, waitMsMax) : Number.POSITIVE_INFINITY;
    return this.#gets.add({ asker, source, request, key, waits, deadline });
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
