import { assert, type Instant } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import {
  type Receipt,
  type ReceiptClaim,
  type ReceiptSigner,
  signReceipts,
} from "../record/receipt.ts";
import { isFault, type MapRecord, parseRecord, verifyRecord } from "../record/record.ts";
import { stampBits } from "../record/work-stamp.ts";
import { isWorthExtending, type PutOutcome, secondsLeft } from "../store/record-store.ts";
import { bytesOf, type CheckedPut, putsInStep } from "./commit-step.ts";
import { type MapLimits, ttlCapSeconds, workBits } from "./limits.ts";
import type {
  Asker,
  AskerId,
  Effort,
  MapAnswer,
  MapEffect,
  QueuedPut,
  RequestId,
  VerifyId,
} from "./protocol.ts";
import { isSameRecord, type RecentRecord, type RecentRecords } from "./recent-records.ts";
import { type Charge, SourceShares } from "./source-shares.ts";
import type { MapStatistics } from "./statistics.ts";

/** Puts that are verified elsewhere at once: some for every thread, few in the way of the store. */
const VERIFYING_MAX = 32;
/** So many puts do not wait for those that are still verified: a step has its price. */
const COMMIT_PUTS_MIN = 16;

/** The fill of the store from which on a source may not exceed its share. */
const SCARCE_FROM = 1 / 2;

/** What the desk needs from the core around it. */
interface PutDeskOptions {
  readonly payloadSize: number;
  readonly limits: MapLimits;
  readonly signer: ReceiptSigner;
  readonly entriesMax: number;
  /** Whether records are verified elsewhere, by the effect `verify`. */
  readonly verifiesAside: boolean;
  readonly recent: RecentRecords;
  readonly statistics: MapStatistics;
  readonly effect: (effect: MapEffect) => void;
  /** Called for each record that has become durable; tells whether anybody waited for it. */
  readonly wake: (record: MapRecord, ttlSeconds: number) => boolean;
}

/** The moment of a turn, as its puts see it. */
export interface PutMoment {
  readonly now: Instant;
  readonly unixMs: number;
  /** How full the store is, from 0 to 1. */
  readonly fill: number;
}

/** A put of which only the signature is left to be checked. */
interface UnverifiedPut {
  readonly put: QueuedPut;
  readonly record: MapRecord;
  readonly expiresMs: number;
  readonly needsReceipts: boolean;
  readonly charge: Charge | undefined;
}

/** A put that has become durable. */
interface DurablePut {
  readonly put: CheckedPut;
  readonly expiresMs: number;
}

/**
 * The part of a Map core that serves puts: checks them, cheap ones first, gathers what passed until
 * `commit`, and signs, answers and tells of what has become durable.
 */
export class PutDesk {
  readonly #options: PutDeskOptions;
  readonly #shares: SourceShares;
  readonly #verifying = new Map<VerifyId, UnverifiedPut>();
  #lastVerify: VerifyId = 0;
  /** The last one that was being verified when the first put was gathered. */
  #waitsFor: VerifyId = 0;
  #committing: readonly CheckedPut[] | undefined;
  /** When the step that is under way counts as hung. */
  #hangsAt: Instant = Number.POSITIVE_INFINITY;
  /** It does: whoever had a put in it was told, and no more are taken until it ends. */
  #isHung = false;
  readonly #gathered: CheckedPut[] = [];
  #bytes = 0;

  constructor(options: PutDeskOptions) {
    this.#options = options;
    this.#shares = new SourceShares(options.entriesMax, options.limits);
  }

  /** Whether something is verified elsewhere, or on its way to the store. */
  get isBusy(): boolean {
    return this.#committing !== undefined || this.#verifying.size > 0;
  }

  /** Whether nothing more can be served before what is under way has come further. */
  get isFull(): boolean {
    if (this.#isHung) return false;
    return this.#backlog >= 1 || this.#verifying.size >= VERIFYING_MAX;
  }

  /** Share of the bytes that may be on their way to the store at once. */
  get #backlog(): number {
    return this.#bytes / this.#options.limits.committingBytesMax;
  }

  /** When `timeout` is due. */
  get deadline(): Instant {
    return this.#hangsAt;
  }

  /** Zero bits that a put must show, at this fill of the store. */
  workBits(fill: number): number {
    return workBits(this.#options.limits, Math.min(Math.max(fill, this.#backlog), 1));
  }

  serve(put: QueuedPut, { source, needsReceipts }: Asker, moment: PutMoment): Effort {
    const { payloadSize, limits, recent, statistics } = this.#options;
    const record = parseRecord(put.record, payloadSize);
    if (isFault(record)) {
      statistics.putsRefused += 1;
      this.#answer(put, { kind: "refused", fault: record });
      return "little";
    }
    const ttlSeconds = Math.max(record.ttlSeconds, 1);
    const grantedSeconds = Math.min(ttlSeconds, ttlCapSeconds(limits, moment.fill));
    const expiresMs = moment.unixMs + 1_000 * grantedSeconds;
    const known = recent.get(record.address, moment.unixMs);
    if (known !== undefined && isSameRecord(known.record, record)) {
      statistics.recentHits += 1;
      const repeated = { put, record, expiresMs, needsReceipts };
      if (this.#serveRepeated(repeated, known, source, moment)) return "little";
    }
    if (this.#isHung) {
      this.#refuse(put);
      return "little";
    }
    const work = this.#missingWork(put, record, moment);
    if (work !== undefined) {
      this.#answer(put, work);
      return "little";
    }
    const charge = this.#shares.takeRecord(source, moment.now);
    if (charge === undefined && moment.fill >= SCARCE_FROM) {
      this.#refuse(put);
      return "little";
    }
    const unverified = { put, record, expiresMs, needsReceipts, charge };
    if (!this.#options.verifiesAside) {
      this.#judge(unverified, verifyRecord(record));
      return "verify";
    }
    this.#lastVerify += 1;
    this.#verifying.set(this.#lastVerify, unverified);
    this.#options.effect({ kind: "verify", id: this.#lastVerify, record });
    return "aside";
  }

  /** Goes on with a put whose record was verified elsewhere. */
  verified(id: VerifyId, isGenuine: boolean, now: Instant): void {
    const unverified = this.#verifying.get(id);
    assert(unverified !== undefined, "a record is verified once");
    this.#verifying.delete(id);
    this.#judge(unverified, isGenuine);
    this.commit(now);
  }

  /**
   * Hands what was gathered to the store, as one durable step, unless a step is under way, or a
   * few would leave others behind that are verified soon: then it gathers on, and a slow disk gets
   * larger steps instead of more of them.
   */
  commit(now: Instant): void {
    const { length } = this.#gathered;
    const isFew = length < COMMIT_PUTS_MIN && this.#isOlderVerifying;
    if (length === 0 || isFew || this.#committing !== undefined) return;
    const puts = this.#gathered.splice(0, putsInStep(this.#gathered));
    this.#committing = puts;
    this.#hangsAt = now + this.#options.limits.storeMsMax;
    this.#options.statistics.commits += 1;
    this.#options.effect({ kind: "commit", puts });
  }

  /** A step that hangs may never end: nobody waits for it, and nothing piles up behind it. */
  timeout(now: Instant): void {
    if (now < this.#hangsAt) return;
    this.#hangsAt = Number.POSITIVE_INFINITY;
    this.#isHung = true;
    this.#options.statistics.storeFailures += 1;
    this.#options.effect({ kind: "hung" });
    for (const put of this.#committing ?? []) this.#refuse(put);
    for (const put of this.#gathered.splice(0)) {
      this.#bytes -= bytesOf(put);
      this.#shares.settle(put.charge);
      this.#refuse(put);
    }
  }

  /** Ends the commit; without outcomes the store failed, and nothing is known about its puts. */
  committed(
    outcomes: readonly PutOutcome[] | undefined,
    { now, unixMs }: { readonly now: Instant; readonly unixMs: number },
  ): void {
    const puts = this.#committing;
    assert(puts !== undefined, "a commit ends once");
    const wasHung = this.#isHung;
    this.#committing = undefined;
    this.#hangsAt = Number.POSITIVE_INFINITY;
    this.#isHung = false;
    if (outcomes === undefined && !wasHung) this.#options.statistics.storeFailures += 1;
    const durable: DurablePut[] = [];
    for (const [index, put] of puts.entries()) {
      this.#bytes -= bytesOf(put);
      const outcome = outcomes?.[index];
      this.#shares.settle(put.charge, outcome);
      if (outcome?.kind === "stored" || outcome?.kind === "known") {
        durable.push({ put, expiresMs: outcome.expiresMs });
      } else if (!wasHung) this.#answer(put, outcome ?? { kind: "busy" });
      if (!wasHung) this.#count(outcome);
    }
    if (durable.length > 0) this.#confirm(durable, { unixMs, isAnswered: wasHung });
    this.commit(now);
  }

  /** Whether a put is still verified that was when the first one was gathered: not those since. */
  get #isOlderVerifying(): boolean {
    const [oldest = Number.POSITIVE_INFINITY] = this.#verifying.keys();
    return oldest <= this.#waitsFor;
  }

  #missingWork(put: QueuedPut, record: MapRecord, moment: PutMoment): MapAnswer | undefined {
    const { signer, statistics } = this.#options;
    const bits = this.workBits(moment.fill);
    if (bits === 0 || stampBits(record, signer.publicKey, put.stamp) >= bits) return undefined;
    statistics.putsWithoutWork += 1;
    return { kind: "work-required", bits };
  }

  #judge(unverified: UnverifiedPut, isGenuine: boolean): void {
    const { put } = unverified;
    const { statistics } = this.#options;
    statistics.verified += 1;
    if (isGenuine && !this.#isHung) {
      this.#gather(unverified);
      return;
    }
    this.#shares.settle(unverified.charge);
    if (isGenuine) {
      this.#refuse(put);
      return;
    }
    statistics.verifyFailed += 1;
    statistics.putsRefused += 1;
    this.#answer(put, { kind: "refused", fault: "signature" });
  }

  /**
   * Answers from what is durable already, when that is as good as a new commit, or as much as the
   * source may have. False while the store hangs, where it would take a commit.
   */
  #serveRepeated(
    repeated: Omit<UnverifiedPut, "charge">,
    known: RecentRecord,
    source: string,
    { now, unixMs, fill }: PutMoment,
  ): boolean {
    const gainedMs = repeated.expiresMs - known.expiresMs;
    const isAsked = isWorthExtending(known.expiresMs, repeated.expiresMs, unixMs);
    if (isAsked && this.#isHung) return false;
    const charge = isAsked ? this.#shares.takeLife(source, gainedMs, now) : undefined;
    const isLonger = isAsked && (charge !== undefined || fill < SCARCE_FROM);
    if (!isLonger && (known.receipt !== undefined || !repeated.needsReceipts)) {
      this.#options.statistics.putsKnown += 1;
      this.#answer(repeated.put, stored(secondsLeft(known.expiresMs, unixMs), known.receipt));
      return true;
    }
    if (this.#isHung) return false;
    this.#gather({ ...repeated, charge, ...(!isLonger && { expiresMs: known.expiresMs }) });
    return true;
  }

  #gather(verified: UnverifiedPut): void {
    const { put, record, expiresMs, needsReceipts, charge } = verified;
    const { asker, request } = put;
    const payloadHash = needsReceipts ? crypto().sha256(record.payload) : undefined;
    if (this.#gathered.length === 0) this.#waitsFor = this.#lastVerify;
    this.#gathered.push({ record, expiresMs, payloadHash, asker, request, charge });
    this.#bytes += bytesOf(verified);
  }

  /** Signs for what is durable, once for all of it; then answers, and tells who waited. */
  #confirm(
    durable: readonly DurablePut[],
    { unixMs, isAnswered }: { readonly unixMs: number; readonly isAnswered: boolean },
  ): void {
    const receipts = this.#receiptsOf(durable);
    for (const { put, expiresMs } of durable) {
      const { record } = put;
      const receipt = receipts.get(put);
      const ttlSeconds = secondsLeft(expiresMs, unixMs);
      if (!isAnswered) this.#answer(put, stored(ttlSeconds, receipt));
      const isTaken = this.#options.wake(record, ttlSeconds);
      // Who waited has it now; that its put is repeated is less likely than that copies cost.
      if (!isTaken || receipt !== undefined)
        this.#options.recent.set({ record, expiresMs, receipt });
    }
  }

  #receiptsOf(durable: readonly DurablePut[]): Map<CheckedPut, Receipt> {
    const puts: CheckedPut[] = [];
    const claims: ReceiptClaim[] = [];
    for (const { put, expiresMs } of durable) {
      const { record, payloadHash } = put;
      if (payloadHash === undefined) continue;
      puts.push(put);
      claims.push({ address: record.address, seq: record.seq, payloadHash, expiresMs });
    }
    if (claims.length === 0) return NO_RECEIPTS;
    const receipts = signReceipts(claims, this.#options.signer);
    return new Map(receipts.map((receipt, i) => [puts[i] as CheckedPut, receipt]));
  }

  #count(outcome: PutOutcome | undefined): void {
    const { statistics } = this.#options;
    if (outcome === undefined) statistics.putsBusy += 1;
    else if (outcome.kind === "stored") statistics.putsStored += 1;
    else if (outcome.kind === "known") statistics.putsKnown += 1;
    else if (outcome.kind === "conflict") statistics.putsConflict += 1;
    else statistics.putsFull += 1;
  }

  #refuse(put: Pick<QueuedPut, "asker" | "request">): void {
    this.#options.statistics.putsBusy += 1;
    this.#answer(put, { kind: "busy" });
  }

  #answer(to: { readonly asker: AskerId; readonly request: RequestId }, answer: MapAnswer): void {
    this.#options.effect({ kind: "answer", asker: to.asker, request: to.request, answer });
  }
}

const NO_RECEIPTS: Map<CheckedPut, Receipt> = new Map();

function stored(ttlSeconds: number, receipt: Receipt | undefined): MapAnswer {
  return receipt === undefined
    ? { kind: "stored", ttlSeconds }
    : { kind: "stored", ttlSeconds, receipt };
}
