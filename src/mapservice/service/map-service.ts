import {
  assert,
  type Clock,
  Counts,
  CulvertError,
  Driver,
  isCulvertError,
  type Log,
  SILENT,
  unreachable,
} from "../../base/index.ts";
import { systemClock } from "../../io/clock.ts";
import { defer as deferred } from "../../io/defer.ts";
import { nativeSigner } from "../../io/native-signer.ts";
import { systemRandom } from "../../io/random.ts";
import { ADDRESS_SECRET_BYTES } from "../record/address-hash.ts";
import type { ReceiptSigner } from "../record/receipt.ts";
import type { MapRecord, RecordVerifier } from "../record/record.ts";
import {
  fillOf,
  type RecordPut,
  type RecordStore,
  type StoredRecord,
  type StoreStatistics,
} from "../store/record-store.ts";
import { closeStore } from "./close-store.ts";
import { type MapLimits, resolveMapLimits, ttlCapSeconds } from "./limits.ts";
import { MapCore } from "./map-core.ts";
import type { AskerId, MapEffect, MapInput, VerifyId } from "./protocol.ts";
import type { MapGreeting, RecordService, Requester, RequesterEvents } from "./requester.ts";
import type { MapStatistics } from "./statistics.ts";

/** What a Map service is built from. */
export interface MapServiceComponents {
  /** Owned by the service from now on: `close` closes it. */
  readonly store: RecordStore;
  /** The machine's own, unless told otherwise. */
  readonly clock?: Clock;
  /** Signs receipts with the node's own key; one that lasts as long as the service if absent. */
  readonly signer?: ReceiptSigner;
  /** Verifies records while others are served; without it they are verified in their turn. */
  readonly verifyAside?: RecordVerifier | undefined;
  /** Runs a function soon, after other events had their chance; `setImmediate` if absent. */
  readonly defer?: (run: () => void) => void;
  readonly log?: Log | undefined;
}

/** What has a default of the machine's. */
type MapServiceDefaults = Required<Pick<MapServiceComponents, "clock" | "signer" | "defer">>;

/** How long `close` waits for what was taken before it lets go. */
const DRAIN_MS = 10_000;

/**
 * A Map node without sockets: runs a {@link MapCore} on a clock and a store, for any number of
 * askers. Sockets, authenticated links and carriers within the process all come in by `open`.
 *
 * @example
 * ```ts
 * const store = new MemoryRecordStore({ payloadSize: 2048, entriesMax: 1_000, bytesMax: 2 ** 22 });
 * const service = new MapService({ store });
 * const stream = Stream.dial(new MapClient(localCarrier(service)), secret);
 * ```
 */
export class MapService implements RecordService {
  readonly limits: MapLimits;
  readonly #components: MapServiceComponents & MapServiceDefaults;
  readonly #log: Log;
  readonly #core: MapCore;
  readonly #driver: Driver<MapInput, MapEffect>;
  readonly #askers = new Map<
    AskerId,
    { readonly source: string; readonly events: RequesterEvents }
  >();
  readonly #askersOf = new Counts();
  #askerCount = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(components: MapServiceComponents, limits: Partial<MapLimits> = {}) {
    const { store, log, verifyAside } = components;
    const { clock = systemClock, defer = deferred } = components;
    const signer = components.signer ?? nativeSigner(systemRandom.bytes(32));
    this.#components = { ...components, clock, signer, defer };
    this.limits = resolveMapLimits(limits);
    this.#log = log ?? SILENT;
    this.#core = new MapCore({
      payloadSize: store.payloadSize,
      limits: this.limits,
      signer,
      entriesMax: store.statistics().entriesMax,
      verifiesAside: verifyAside !== undefined,
      sharesNoMemory: store.sharesNoMemory === true,
      secret: systemRandom.bytes(ADDRESS_SECRET_BYTES),
    });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    // Arms the first sweep, and keeps no process alive that has nothing else to do.
    this.#driver.setBackground(true);
  }

  greeting(): MapGreeting {
    const { store, signer } = this.#components;
    const fill = fillOf(store.statistics());
    return {
      payloadSize: store.payloadSize,
      nodeKey: signer.publicKey,
      workBits: this.#core.workBits(fill),
      ttlSecondsMax: ttlCapSeconds(this.limits, fill),
      waitMsMax: this.limits.waitMsMax,
    };
  }

  open(source: string, events: RequesterEvents): Requester | undefined {
    const { linksMax, linksPerSourceMax } = this.limits;
    // A source has no more than are free, so that a new one finds some.
    const most = Math.min(linksMax - this.#askers.size, linksPerSourceMax);
    if (this.#closing !== undefined || this.#askersOf.of(source) >= most) return undefined;
    this.#askersOf.add(source);
    const asker = this.#askerCount++;
    this.#askers.set(asker, { source, events });
    const needsReceipts = events.needsNoReceipts !== true;
    this.#driver.handle({ kind: "open", asker, source, needsReceipts });
    return this.#requesterOf(asker);
  }

  statistics(): MapStatistics & { readonly store: StoreStatistics } {
    return { ...this.#core.statistics, store: this.#components.store.statistics() };
  }

  /**
   * Answers what was taken, lets every asker go, then closes the store, for ten seconds each at the
   * most. Closing twice waits for the first.
   *
   * @throws CulvertError of the store; `CULVERT_TIMEOUT` when it hangs, and was not closed in time
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#driver.handle({ kind: "drain" });
    await this.#idle();
    this.#driver.stop();
    for (const { events } of this.#askers.values()) events.closed();
    this.#askers.clear();
    this.#askersOf.clear();
    await closeStore(this.#components.store, this.#components.clock);
  }

  #idle(): Promise<void> {
    if (this.#core.isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      const { clock } = this.#components;
      const giveUp = clock.schedule(clock.now() + DRAIN_MS, () => {
        this.#log("warn", "map-drain-timeout");
        this.#onIdle?.();
      });
      this.#onIdle = () => {
        giveUp();
        resolve();
      };
    });
  }

  #requesterOf(asker: AskerId): Requester {
    const [core, isOpen] = [this.#core, () => this.#askers.has(asker)];
    const handle = (input: MapInput): void => {
      if (isOpen()) this.#driver.handle(input);
    };
    return {
      put: (request, record, stamp) => handle({ kind: "put", asker, request, record, stamp }),
      get: (request, address, waitMs) => handle({ kind: "get", asker, request, address, waitMs }),
      cancel: (request) => handle({ kind: "cancel", asker, request }),
      get isCongested() {
        return core.isCongested(asker);
      },
      close: () => this.#closeAsker(asker),
    };
  }

  #closeAsker(asker: AskerId): void {
    const source = this.#askers.get(asker)?.source;
    if (source === undefined) return;
    this.#askers.delete(asker);
    this.#askersOf.remove(source);
    this.#handle({ kind: "close", asker });
  }

  #handle(input: MapInput): void {
    this.#driver.handle(input);
    if (this.#onIdle !== undefined && this.#core.isIdle) this.#onIdle();
  }

  #perform(effect: MapEffect): void {
    const { store, defer } = this.#components;
    switch (effect.kind) {
      case "answer":
        this.#askers.get(effect.asker)?.events.answer(effect.request, effect.answer);
        break;
      case "turn":
        defer(() => {
          const [unixMs, fill] = [this.#unixMs(), fillOf(store.statistics())];
          this.#handle({ kind: "turn", unixMs, fill });
        });
        break;
      case "verify":
        this.#verify(effect.id, effect.record);
        break;
      case "commit":
        this.#commit(effect.puts);
        break;
      case "hung":
        this.#log("error", "map-store-hangs");
        break;
      case "lookup":
        this.#lookup(effect.address);
        break;
      case "sweep":
        this.#sweep(effect.limit);
        break;
      case "ready":
        defer(() => this.#askers.get(effect.asker)?.events.ready());
        break;
      default:
        unreachable(effect);
    }
  }

  #verify(id: VerifyId, record: MapRecord): void {
    const { verifyAside } = this.#components;
    assert(verifyAside !== undefined, "only asked for where it can be done");
    verifyAside(record, (isGenuine) => this.#handle({ kind: "verified", id, isGenuine }));
  }

  #commit(puts: readonly RecordPut[]): void {
    this.#components.store.put(puts, this.#unixMs()).then(
      (outcomes) => this.#handle({ kind: "committed", outcomes, unixMs: this.#unixMs() }),
      (error: unknown) => {
        this.#storeFailed(error);
        const isFull = isCulvertError(error, "CULVERT_FULL");
        const outcomes = isFull ? puts.map(() => ({ kind: "full" as const })) : undefined;
        this.#handle({ kind: "committed", outcomes, unixMs: this.#unixMs() });
      },
    );
  }

  #lookup(address: Uint8Array): void {
    try {
      const read = this.#components.store.get(address, this.#unixMs());
      if (!(read instanceof Promise)) this.#lookedUp(address, read);
      else {
        read.then(
          (stored) => this.#lookedUp(address, stored),
          (error: unknown) => this.#lookupFailed(address, error),
        );
      }
    } catch (error) {
      this.#lookupFailed(address, error);
    }
  }

  #lookedUp(address: Uint8Array, stored: StoredRecord | undefined): void {
    const unixMs = this.#unixMs();
    this.#handle({ kind: "looked-up", address, stored, isFailed: false, unixMs });
  }

  #lookupFailed(address: Uint8Array, error: unknown): void {
    this.#storeFailed(error);
    const unixMs = this.#unixMs();
    this.#handle({ kind: "looked-up", address, stored: undefined, isFailed: true, unixMs });
  }

  #sweep(limit: number): void {
    const unixMs = this.#unixMs();
    this.#components.store.sweep(unixMs, limit).then(
      (outcome) => {
        if (outcome.isBegunAnew === true) this.#log("error", "map-store-begun-anew");
        this.#handle({ kind: "swept", ...outcome, unixMs });
      },
      (error: unknown) => {
        this.#storeFailed(error);
        this.#handle({ kind: "swept", removed: 0, isDone: true, unixMs });
      },
    );
  }

  #storeFailed(error: unknown): void {
    if (this.#closing !== undefined && isCulvertError(error, "CULVERT_CLOSED")) return;
    const code = error instanceof CulvertError ? error.code : "CULVERT_INTERNAL";
    this.#log("error", "map-store-failed", { code, message: String(error) });
  }

  #unixMs(): number {
    return this.#components.clock.unixMs();
  }
}
