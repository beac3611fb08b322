import { assert, type Instant } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { RateTable } from "../../retx/index.ts";
import { addressKey } from "../record/address-key.ts";
import {
  type Receipt,
  type ReceiptClaim,
  type ReceiptSigner,
  signReceipts,
} from "../record/receipt.ts";
import {
  isFault,
  type MapRecord,
  parseRecord,
  RECORD_HEADER_BYTES,
  verifyRecord,
} from "../record/record.ts";
import { stampBits } from "../record/work-stamp.ts";
import {
  isWorthExtending,
  type PutOutcome,
  type RecordPut,
  secondsLeft,
} from "../store/record-store.ts";
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
import type { MapStatistics } from "./statistics.ts";

/** Puts in one durable step: some milliseconds to write, and to sign for. */
const COMMIT_PUTS_MAX = 256;
/** Bytes from which on no further put joins a step: they are copied at once. */
const COMMIT_BYTES_MAX = 1_048_576;

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
  /** Called for each record that has become durable. */
  readonly wake: (key: string, record: MapRecord, ttlSeconds: number) => void;
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
  readonly key: string;
  readonly record: MapRecord;
  readonly expiresMs: number;
  readonly needsReceipts: boolean;
  readonly chargedTo: string | undefined;
}

/** A put that passed every check and is on its way to the store. */
interface CheckedPut extends RecordPut {
  /** The address, as a key. */
  readonly key: string;
  /**
   * SHA-256, for the receipt; taken in the put's own turn, not at once for a whole commit. Absent
   * where no receipt is needed.
   */
  readonly payloadHash: Uint8Array | undefined;
  readonly asker: AskerId;
  readonly request: RequestId;
  /** The source whose share this put took from; nobody's for a record that was verified before. */
  readonly chargedTo: string | undefined;
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
  /**
   * New records that each source may have stored: its share fills up again as fast as its oldest
   * records may expire. It is forgotten with the process, so a restart lets a source fill it once
   * more; what is on disk stays bounded by the store's own limits.
   */
  readonly #shares: RateTable;
  readonly #verifying = new Map<VerifyId, UnverifiedPut>();
  #lastVerify: VerifyId = 0;
  /** The last one that was being verified when the first put was gathered. */
  #waitsFor: VerifyId = 0;
  #committing: readonly CheckedPut[] | undefined;
  readonly #gathered: CheckedPut[] = [];
  #bytes = 0;

  constructor(options: PutDeskOptions) {
    this.#options = options;
    const { sourceShare, sourcesMax, ttlSecondsMax } = options.limits;
    const capacity = Math.max(Math.floor(options.entriesMax * sourceShare), 1);
    this.#shares = new RateTable({ capacity, perSecond: capacity / ttlSecondsMax }, sourcesMax);
  }

  /** Whether something is verified elsewhere, or on its way to the store. */
  get isBusy(): boolean {
    return this.#committing !== undefined || this.#verifying.size > 0;
  }

  /** Whether nothing more can be served before what is under way has come further. */
  get isFull(): boolean {
    return this.#backlog >= 1 || this.#verifying.size >= VERIFYING_MAX;
  }

  /** Share of the bytes that may be on their way to the store at once. */
  get #backlog(): number {
    return this.#bytes / this.#options.limits.committingBytesMax;
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
    const key = addressKey(record.address);
    const known = recent.get(key, moment.unixMs);
    if (known !== undefined && isSameRecord(known.record, record)) {
      statistics.recentHits += 1;
      const asked = { unixMs: moment.unixMs, expiresMs, needsReceipts };
      if (!this.#answerRepeated(put, known, asked)) {
        this.#gather({ put, key, record, expiresMs, needsReceipts, chargedTo: undefined });
      }
      return "little";
    }
    const work = this.#missingWork(put, record, moment);
    if (work !== undefined) {
      this.#answer(put, work);
      return "little";
    }
    const chargedTo = this.#shares.take(source, moment.now) ? source : undefined;
    if (chargedTo === undefined && moment.fill >= SCARCE_FROM) {
      statistics.putsBusy += 1;
      this.#answer(put, { kind: "busy" });
      return "little";
    }
    const unverified = { put, key, record, expiresMs, needsReceipts, chargedTo };
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
  verified(id: VerifyId, isGenuine: boolean): void {
    const unverified = this.#verifying.get(id);
    assert(unverified !== undefined, "a record is verified once");
    this.#verifying.delete(id);
    this.#judge(unverified, isGenuine);
    this.commit();
  }

  /**
   * Hands what was gathered to the store, as one durable step, unless a step is under way, or a
   * few would leave others behind that are verified soon: then it gathers on, and a slow disk gets
   * larger steps instead of more of them.
   */
  commit(): void {
    const { length } = this.#gathered;
    const isFew = length < COMMIT_PUTS_MIN && this.#isOlderVerifying;
    if (length === 0 || isFew || this.#committing !== undefined) return;
    const puts = this.#gathered.splice(0, this.#putsInStep());
    this.#committing = puts;
    this.#options.statistics.commits += 1;
    this.#options.effect({ kind: "commit", puts });
  }

  /** Ends the commit; without outcomes the store failed, and nothing is known about its puts. */
  committed(outcomes: readonly PutOutcome[] | undefined, unixMs: number): void {
    const puts = this.#committing;
    assert(puts !== undefined, "a commit ends once");
    this.#committing = undefined;
    if (outcomes === undefined) this.#options.statistics.storeFailures += 1;
    const durable: DurablePut[] = [];
    for (const [index, put] of puts.entries()) {
      this.#bytes -= bytesOf(put);
      const outcome = outcomes?.[index];
      if (outcome?.kind !== "stored" && put.chargedTo !== undefined) {
        this.#shares.refund(put.chargedTo);
      }
      this.#count(outcome);
      if (outcome === undefined) this.#answer(put, { kind: "busy" });
      else if (outcome.kind === "conflict" || outcome.kind === "full") this.#answer(put, outcome);
      else durable.push({ put, expiresMs: outcome.expiresMs });
    }
    if (durable.length > 0) this.#confirm(durable, unixMs);
    this.commit();
  }

  /** Whether a put is still verified that was when the first one was gathered: not those since. */
  get #isOlderVerifying(): boolean {
    const [oldest = Number.POSITIVE_INFINITY] = this.#verifying.keys();
    return oldest <= this.#waitsFor;
  }

  #putsInStep(): number {
    let bytes = 0;
    const isOver = (put: CheckedPut): boolean => {
      bytes += bytesOf(put);
      return bytes >= COMMIT_BYTES_MAX;
    };
    const last = this.#gathered.findIndex(isOver);
    return last === -1 ? COMMIT_PUTS_MAX : Math.min(last + 1, COMMIT_PUTS_MAX);
  }

  #missingWork(put: QueuedPut, record: MapRecord, moment: PutMoment): MapAnswer | undefined {
    const { signer, statistics } = this.#options;
    const bits = this.workBits(moment.fill);
    if (bits === 0 || stampBits(record, signer.publicKey, put.stamp) >= bits) return undefined;
    statistics.putsWithoutWork += 1;
    return { kind: "work-required", bits };
  }

  #judge(unverified: UnverifiedPut, isGenuine: boolean): void {
    const { put, chargedTo } = unverified;
    const { statistics } = this.#options;
    statistics.verified += 1;
    if (isGenuine) {
      this.#gather(unverified);
      return;
    }
    statistics.verifyFailed += 1;
    statistics.putsRefused += 1;
    if (chargedTo !== undefined) this.#shares.refund(chargedTo);
    this.#answer(put, { kind: "refused", fault: "signature" });
  }

  /** Answers from what is durable already, when that is as good as a new commit. */
  #answerRepeated(
    put: QueuedPut,
    known: RecentRecord,
    asked: {
      readonly unixMs: number;
      readonly expiresMs: number;
      readonly needsReceipts: boolean;
    },
  ): boolean {
    if (known.receipt === undefined && asked.needsReceipts) return false;
    if (isWorthExtending(known.expiresMs, asked.expiresMs, asked.unixMs)) return false;
    this.#options.statistics.putsKnown += 1;
    const ttlSeconds = secondsLeft(known.expiresMs, asked.unixMs);
    this.#answer(put, stored(ttlSeconds, known.receipt));
    return true;
  }

  #gather(verified: UnverifiedPut): void {
    const { put, key, record, expiresMs, needsReceipts, chargedTo } = verified;
    const { asker, request } = put;
    const payloadHash = needsReceipts ? crypto().sha256(record.payload) : undefined;
    if (this.#gathered.length === 0) this.#waitsFor = this.#lastVerify;
    this.#gathered.push({ key, record, expiresMs, payloadHash, asker, request, chargedTo });
    this.#bytes += bytesOf(verified);
  }

  /** Signs for what is durable, once for all of it; then answers, and tells who waited. */
  #confirm(durable: readonly DurablePut[], unixMs: number): void {
    const receipts = this.#receiptsOf(durable);
    for (const { put, expiresMs } of durable) {
      const { key, record } = put;
      const receipt = receipts.get(put);
      this.#options.recent.set(key, { record, expiresMs, receipt });
      const ttlSeconds = secondsLeft(expiresMs, unixMs);
      this.#answer(put, stored(ttlSeconds, receipt));
      this.#options.wake(key, record, ttlSeconds);
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

function bytesOf(put: Pick<RecordPut, "record">): number {
  return RECORD_HEADER_BYTES + put.record.payload.length;
}
