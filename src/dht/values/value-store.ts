import { equalBytes, type Instant, isCulvertError } from "../../base/index.ts";
import { NodeDescriptor } from "../../identity/index.ts";
import { RateTable } from "../../retx/index.ts";
import { type KeyText, textBytes } from "../wire/key.ts";
import { type DhtValue, type StoreRefusal, VALUE_KINDS, type ValueKind } from "../wire/message.ts";
import { VALUE_BYTES_MAX } from "../wire/wire.ts";
import { grantedSeconds, shelfLimits, type ValueLimits } from "./value-limits.ts";
import { type ShelfEntry, ValueShelf } from "./value-shelf.ts";

/**
 * How records of the Map prove themselves; the Map lives elsewhere and lends its rule.
 *
 * @returns the record's sequence, or `undefined` when `bytes` are no record of the address `key`.
 * The bytes are the only ones for what they say: nothing in them may vary that is not signed.
 */
export type RecordRule = (key: Uint8Array, bytes: Uint8Array) => number | undefined;

/** How a store was answered. */
export type StoreOutcome =
  | { readonly kind: "stored"; readonly ttlSeconds: number }
  | { readonly kind: "refused"; readonly reason: StoreRefusal };

/** How a value came here. */
export interface StoreContext {
  /** The network that it came from. */
  readonly source: string;
  readonly now: Instant;
  /** From another keeper: it takes the place of nothing but an older version. */
  readonly isCopy?: boolean;
}

/** A value as its kind's rule sees it. */
export interface JudgedValue {
  /** Zero for plain values. */
  readonly sequence: number;
  /** Longer it may not live, whoever asks; `Infinity` for most. */
  readonly lastsUntil: Instant;
}

/**
 * Signed values of one source that are refused after they were looked at: a signature costs more
 * to verify than to make up.
 */
const REFUSALS = { capacity: 256, perSecond: 16 } as const;
/** Sources whose refusals are counted; the one that was quiet for longest is forgotten. */
const REFUSED_SOURCES_MAX = 1_024;

/**
 * What a node keeps for the network, and who may write what:
 *
 * | kind | the same bytes | other bytes |
 * | --- | --- | --- |
 * | record | life extended | refused, unless the sequence is higher |
 * | descriptor | life extended | refused, unless the sequence is higher |
 * | plain | life set anew | replace what was there |
 *
 * Each kind has its own shelf. Life is granted in seconds, and over to the second.
 */
export class ValueStore {
  readonly #limits: ValueLimits;
  readonly #recordRule: RecordRule;
  /** Unix milliseconds at instant 0: descriptors expire by the calendar. */
  #unixMsAtZero: number;
  /** Each from the first value of its kind on: many nodes have none. */
  readonly #shelves: { [kind in ValueKind]?: ValueShelf } = {};
  #refusals: RateTable | undefined;
  /** At hand, since it is asked for after everything that a node does. */
  #deadline: Instant = Number.POSITIVE_INFINITY;

  constructor(options: {
    readonly limits: ValueLimits;
    readonly recordRule: RecordRule;
    readonly unixMsAtZero: number;
  }) {
    this.#limits = options.limits;
    this.#recordRule = options.recordRule;
    this.#unixMsAtZero = options.unixMsAtZero;
  }

  /** Values of all kinds. */
  get size(): number {
    return VALUE_KINDS.reduce((sum, kind) => sum + (this.#shelves[kind]?.size ?? 0), 0);
  }

  /** The wall clock was set. What is kept already lives as long as it was granted. */
  setCalendar(unixMsAtZero: number): void {
    this.#unixMsAtZero = unixMsAtZero;
  }

  /** What its kind's rule says of a value, or why it is refused. */
  judge(key: KeyText, value: DhtValue): JudgedValue | StoreRefusal {
    const { kind, bytes } = value;
    const lengthMax = shelfLimits(kind, this.#limits).valueBytesMax;
    if (bytes.length === 0) return "invalid";
    if (bytes.length > Math.min(lengthMax, VALUE_BYTES_MAX)) return "too-large";
    if (kind === "plain") return { sequence: 0, lastsUntil: Number.POSITIVE_INFINITY };
    if (kind === "descriptor") return this.#judgeDescriptor(key, bytes);
    const sequence = this.#recordRule(textBytes(key), bytes);
    if (sequence === undefined) return "invalid";
    return { sequence, lastsUntil: Number.POSITIVE_INFINITY };
  }

  /** Keeps a value, which is copied, or says why not. */
  put(key: KeyText, value: DhtValue, context: StoreContext): StoreOutcome {
    const { source, now } = context;
    const { kind } = value;
    const shelf = this.#shelfOf(kind);
    const known = shelf.get(key, now);
    // Most stores repeat what is known: no signature has to be verified for that.
    if (known !== undefined && equalBytes(known.bytes, value.bytes)) {
      return this.#extend(known, value, context);
    }
    const hasRoom = known !== undefined || shelf.hasRoomFor(source, value.bytes.length);
    const mayJudge = kind === "plain" || (this.#refusals?.mayTake(source, now) ?? true);
    if (!hasRoom || !mayJudge) return { kind: "refused", reason: "full" };
    const outcome = this.#putNews(key, value, known, context);
    if (outcome.kind === "refused" && kind !== "plain") {
      this.#refusals ??= new RateTable(REFUSALS, REFUSED_SOURCES_MAX);
      this.#refusals.take(source, now);
    }
    return outcome;
  }

  /** A value that is not known yet, or not as it is. */
  #putNews(
    key: KeyText,
    value: DhtValue,
    known: ShelfEntry | undefined,
    context: StoreContext,
  ): StoreOutcome {
    const { source, now } = context;
    const { kind } = value;
    const judged = this.judge(key, value);
    if (typeof judged === "string") return { kind: "refused", reason: judged };
    if (isOver(judged, now)) return { kind: "refused", reason: "invalid" };
    if (known !== undefined && !mayReplace(known, kind, judged, context)) {
      return { kind: "refused", reason: kind === "descriptor" ? "stale" : "conflict" };
    }
    const ttlSeconds = this.#grant(value, judged.lastsUntil, now);
    const expiresAt = now + 1_000 * ttlSeconds;
    const bytes = value.bytes.slice();
    const isKept = this.#keep(kind, { key, bytes, ...judged, source, expiresAt, storedAt: now });
    if (!isKept) return { kind: "refused", reason: "full" };
    return { kind: "stored", ttlSeconds };
  }

  /** What is kept of a kind, or of any: the kind that proves most first. Not to be written to. */
  get(key: KeyText, kind: ValueKind | undefined, now: Instant): DhtValue | undefined {
    for (const each of kind === undefined ? VALUE_KINDS : [kind]) {
      const entry = this.#shelves[each]?.get(key, now);
      if (entry === undefined) continue;
      const ttlSeconds = Math.ceil((entry.expiresAt - now) / 1_000);
      return { kind: each, ttlSeconds, bytes: entry.bytes };
    }
    return undefined;
  }

  /** When a value was stored last; a copy that somebody else refreshes needs no help. */
  storedAt(key: KeyText, kind: ValueKind, now: Instant): Instant | undefined {
    return this.#shelves[kind]?.get(key, now)?.storedAt;
  }

  /** Everything that is kept, as keys and kinds: for hand-overs and repairs. */
  *entries(): Generator<{ readonly key: KeyText; readonly kind: ValueKind }> {
    for (const kind of VALUE_KINDS) {
      for (const key of this.#shelves[kind]?.keys() ?? []) yield { key, kind };
    }
  }

  /** Drops what has expired. */
  timeout(now: Instant): void {
    if (now < this.#deadline) return;
    for (const kind of VALUE_KINDS) this.#shelves[kind]?.sweep(now);
    this.#deadline = this.#earliest();
  }

  deadline(): Instant {
    return this.#deadline;
  }

  #shelfOf(kind: ValueKind): ValueShelf {
    this.#shelves[kind] ??= new ValueShelf(shelfLimits(kind, this.#limits));
    return this.#shelves[kind];
  }

  #keep(kind: ValueKind, entry: ShelfEntry): boolean {
    const isKept = this.#shelfOf(kind).put(entry);
    // What it takes the place of may have been due first: then that time passes for nothing.
    if (isKept) this.#deadline = Math.min(this.#deadline, entry.expiresAt);
    return isKept;
  }

  #earliest(): Instant {
    return Math.min(...Object.values(this.#shelves).map((shelf) => shelf.deadline()));
  }

  /** The same bytes again: a plain value gets the life it asks for, others never a shorter one. */
  #extend(known: ShelfEntry, value: DhtValue, { now, isCopy }: StoreContext): StoreOutcome {
    if (isOver(known, now)) return { kind: "refused", reason: "invalid" };
    const granted = this.#grant(value, known.lastsUntil, now);
    const asked = now + 1_000 * granted;
    const isSetAnew = value.kind === "plain" && isCopy !== true;
    const expiresAt = isSetAnew ? asked : Math.max(asked, known.expiresAt);
    this.#keep(value.kind, { ...known, expiresAt, storedAt: now });
    const ttlSeconds = Math.ceil((expiresAt - now) / 1_000);
    return { kind: "stored", ttlSeconds };
  }

  #grant(value: DhtValue, lastsUntil: Instant, now: Instant): number {
    const leftSeconds = Math.floor((lastsUntil - now) / 1_000);
    return Math.min(grantedSeconds(value.kind, value.ttlSeconds, this.#limits), leftSeconds);
  }

  #judgeDescriptor(key: KeyText, bytes: Uint8Array): JudgedValue | StoreRefusal {
    const descriptor = readDescriptor(bytes);
    if (descriptor === undefined || !equalBytes(descriptor.id, textBytes(key))) return "invalid";
    const { sequence, expiresAtUnixS } = descriptor.claims;
    const lastsUntil = expiresAtUnixS * 1_000 - this.#unixMsAtZero;
    return { sequence, lastsUntil };
  }
}

function mayReplace(
  known: ShelfEntry,
  kind: ValueKind,
  judged: JudgedValue,
  { isCopy = false }: StoreContext,
): boolean {
  return kind === "plain" ? !isCopy : judged.sequence > known.sequence;
}

/** Whether less than a second of its life is left. */
export function isOver({ lastsUntil }: Pick<JudgedValue, "lastsUntil">, now: Instant): boolean {
  return lastsUntil - now < 1_000;
}

/** A descriptor with a good signature, or nothing. */
export function readDescriptor(bytes: Uint8Array): NodeDescriptor | undefined {
  try {
    return NodeDescriptor.fromBytes(bytes);
  } catch (error) {
    if (isCulvertError(error)) return undefined;
    throw error;
  }
}
