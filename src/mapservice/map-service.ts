import {
  assert,
  type Clock,
  CulvertError,
  Driver,
  isCulvertError,
  type Log,
  SILENT,
  unreachable,
} from "../base/index.ts";
import { type MapLimits, resolveMapLimits, ttlCapSeconds } from "./limits.ts";
import { MapCore } from "./map-core.ts";
import type { LinkId, MapEffect, MapInput, VerifyId } from "./protocol.ts";
import type { ReceiptSigner } from "./receipt.ts";
import type { MapRecord, RecordVerifier } from "./record.ts";
import { fillOf, type RecordPut, type RecordStore, type StoreStatistics } from "./record-store.ts";
import type { LinkEvents, LinkOpener, MapGreeting, ServiceLink } from "./service-link.ts";
import type { MapStatistics } from "./statistics.ts";

/** What a Map service is built from. */
export interface MapServiceComponents {
  /** Owned by the service from now on: `close` closes it. */
  readonly store: RecordStore;
  readonly clock: Clock;
  /** Signs receipts with the node's own key. */
  readonly signer: ReceiptSigner;
  /** Verifies records while others are served; without it they are verified in their turn. */
  readonly verifyAside?: RecordVerifier | undefined;
  /** Runs a function soon, after other events had their chance (`setImmediate`). */
  readonly defer: (run: () => void) => void;
  readonly log?: Log;
}

/** How long `close` waits for what was taken before it lets go. */
const DRAIN_MS = 10_000;

/**
 * A Map node without sockets: runs a {@link MapCore} on a clock and a store, for any number of
 * links. Sockets, authenticated links and carriers within the process all come in by `open`.
 */
export class MapService implements LinkOpener {
  readonly limits: MapLimits;
  readonly #components: MapServiceComponents;
  readonly #log: Log;
  readonly #core: MapCore;
  readonly #driver: Driver<MapInput, MapEffect>;
  readonly #links = new Map<LinkId, { readonly source: string; readonly events: LinkEvents }>();
  readonly #linksOf = new Map<string, number>();
  #linkCount = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(components: MapServiceComponents, limits: Partial<MapLimits> = {}) {
    const { store, clock, signer, log, verifyAside } = components;
    this.#components = components;
    this.limits = resolveMapLimits(limits);
    this.#log = log ?? SILENT;
    this.#core = new MapCore({
      payloadSize: store.payloadSize,
      limits: this.limits,
      signer,
      entriesMax: store.statistics().entriesMax,
      verifiesAside: verifyAside !== undefined,
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

  open(source: string, events: LinkEvents): ServiceLink | undefined {
    const ofSource = this.#linksOf.get(source) ?? 0;
    if (this.#closing !== undefined || this.#links.size >= this.limits.linksMax) return undefined;
    if (ofSource >= this.limits.linksPerSourceMax) return undefined;
    this.#linksOf.set(source, ofSource + 1);
    const link = this.#linkCount++;
    this.#links.set(link, { source, events });
    const needsReceipts = events.needsNoReceipts !== true;
    this.#driver.handle({ kind: "open", link, source, needsReceipts });
    return this.#linkHandle(link);
  }

  statistics(): MapStatistics & { readonly store: StoreStatistics } {
    return { ...this.#core.statistics, store: this.#components.store.statistics() };
  }

  /**
   * Answers what was taken, closes every link, then the store. Closing twice waits for the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#driver.handle({ kind: "drain" });
    await this.#idle();
    this.#driver.stop();
    for (const { events } of this.#links.values()) events.closed();
    this.#links.clear();
    this.#linksOf.clear();
    await this.#components.store.close();
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

  #linkHandle(link: LinkId): ServiceLink {
    const [core, isOpen] = [this.#core, () => this.#links.has(link)];
    const handle = (input: MapInput): void => {
      if (isOpen()) this.#driver.handle(input);
    };
    return {
      put: (request, record, stamp) => handle({ kind: "put", link, request, record, stamp }),
      get: (request, address, waitMs) => handle({ kind: "get", link, request, address, waitMs }),
      cancel: (request) => handle({ kind: "cancel", link, request }),
      get isCongested() {
        return core.isCongested(link);
      },
      close: () => this.#closeLink(link),
    };
  }

  #closeLink(link: LinkId): void {
    const source = this.#links.get(link)?.source;
    if (source === undefined) return;
    this.#links.delete(link);
    const left = (this.#linksOf.get(source) ?? 1) - 1;
    if (left === 0) this.#linksOf.delete(source);
    else this.#linksOf.set(source, left);
    this.#handle({ kind: "close", link });
  }

  #handle(input: MapInput): void {
    this.#driver.handle(input);
    if (this.#onIdle !== undefined && this.#core.isIdle) this.#onIdle();
  }

  #perform(effect: MapEffect): void {
    const { store, defer } = this.#components;
    switch (effect.kind) {
      case "answer":
        this.#links.get(effect.link)?.events.answer(effect.request, effect.answer);
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
      case "lookup":
        this.#lookup(effect.address);
        break;
      case "sweep":
        this.#sweep(effect.limit);
        break;
      case "ready":
        defer(() => this.#links.get(effect.link)?.events.ready());
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
    const finish = (found: Pick<MapInput & { kind: "looked-up" }, "stored" | "isFailed">): void =>
      this.#handle({ kind: "looked-up", address, ...found, unixMs: this.#unixMs() });
    const fail = (error: unknown): void => {
      this.#storeFailed(error);
      finish({ stored: undefined, isFailed: true });
    };
    try {
      const read = this.#components.store.get(address, this.#unixMs());
      if (read instanceof Promise) read.then((stored) => finish({ stored, isFailed: false }), fail);
      else finish({ stored: read, isFailed: false });
    } catch (error) {
      fail(error);
    }
  }

  #sweep(limit: number): void {
    this.#components.store.sweep(this.#unixMs(), limit).then(
      ({ removed, isDone }) => this.#handle({ kind: "swept", removed, isDone }),
      (error: unknown) => {
        this.#storeFailed(error);
        this.#handle({ kind: "swept", removed: 0, isDone: true });
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
