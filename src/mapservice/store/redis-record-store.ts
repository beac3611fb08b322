import {
  CulvertError,
  concatBytes,
  equalBytes,
  isCulvertError,
  onAbort,
  throwIfAborted,
  utf8,
} from "../../base/index.ts";
import { systemRandom } from "../../io/random.ts";
import { connectRedis, type RedisEngine, type RedisReply } from "../../io/redis.ts";
import { encodeRecord, isFault, parseRecord, RECORD_HEADER_BYTES } from "../record/record.ts";
import {
  EXTENSION_SHARE,
  type HeldRecord,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  type RecordStoreOptions,
  requireSizes,
  type StoredRecord,
  type StoreStatistics,
  type SweepOutcome,
} from "./record-store.ts";
import { CLAIM, EXPIRY_DIGITS, GET, HELD, PUT, SWEEP } from "./redis-scripts.ts";
import { markOf } from "./store-mark.ts";

/** Where a store on Redis lives. */
export interface RedisRecordStoreOptions extends RecordStoreOptions {
  /** `redis://HOST:PORT`; more than one of them name nodes of a cluster. */
  readonly urls: readonly string[];
  /** What every key begins with, so that several Maps may share an engine. */
  readonly prefix?: string;
  /** Gives it up while it is opened. */
  readonly signal?: AbortSignal | undefined;
}

/** Each partition is in one slot of a cluster: more than any cluster of a Map has nodes. */
const PARTITIONS = 64;

/** Records that are asked for at a time when all are gone through. */
const HELD_STEP = 256;

/** The engine forgets a record so much later than it expires: clocks differ, sweeps take time. */
const GRACE_MS = 600_000;

/**
 * Sweeps of a partition that an engine may forget and have lost no more than its last writes, as in
 * a failover. All that it had would be handed over to this node again.
 */
const SWEEPS_LOST_MAX = 10;

type PartitionKey = "records" | "index" | "bytes" | "mark" | "sweeps";

interface Usage {
  entries: number;
  bytes: number;
}

/**
 * Records in Redis or Valkey, single or cluster: for a Map whose operator outgrows one disk. Any
 * number of Map nodes may stand in front of one engine. Each put is one script beside the data.
 *
 * What a confirmed record survives is for the engine's operator to say: with `appendonly yes` and
 * `appendfsync always` a crash of a server; a failover to a replica may lose the last writes, which
 * a Map may do. An engine that was emptied, replaced by another, or set back to an old copy of
 * itself while this node runs, is known by its mark, within a sweep. Limits count what this node
 * has seen of a partition last, so nodes that share an engine may together go beyond them by what
 * they put at the same moment.
 */
export class RedisRecordStore implements RecordStore {
  readonly payloadSize: number;
  readonly sharesNoMemory: boolean = true;
  readonly #options: RedisRecordStoreOptions;
  readonly #engine: RedisEngine;
  readonly #prefix: string;
  readonly #usage: Usage[] = Array.from({ length: PARTITIONS }, () => ({ entries: 0, bytes: 0 }));
  /** Puts under way, each of which may turn out to be of a new address. */
  #open = 0;
  /** While there is little room puts go one by one: the last in the line. */
  #line: Promise<unknown> = Promise.resolve();
  #sweepAt = 0;
  /** The marks of the partitions, and how often each was swept by whomever, as seen last. */
  readonly #marks: (Uint8Array | undefined)[] = Array.from({ length: PARTITIONS });
  readonly #sweeps: number[] = Array.from({ length: PARTITIONS }, () => 0);
  #mark: Uint8Array | undefined;
  /** A mark has changed since a sweep has told of one. */
  #isBegunAnew = false;
  /** Others have taken the engine for records of another size, since it lost what it had. */
  #isTaken = false;
  #isEngineFull = false;
  #isClosed = false;

  private constructor(engine: RedisEngine, options: RedisRecordStoreOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#prefix = options.prefix ?? "culvert";
    this.payloadSize = options.payloadSize;
  }

  /**
   * @throws CulvertError `CULVERT_UNREACHABLE`; `CULVERT_USAGE`, also for an engine that drops
   *   records when its memory is full; `CULVERT_GEOMETRY_CHANGED` when the records that are there
   *   have another size
   * @throws RangeError for sizes that bound nothing
   * @throws Error `AbortError`
   */
  static async open(options: RedisRecordStoreOptions): Promise<RedisRecordStore> {
    requireSizes(options);
    const { urls, signal } = options;
    const store = new RedisRecordStore(await connectRedis(urls, signal), options);
    const leave = onAbort(signal, () => store.#engine.cut());
    try {
      await store.#claim();
      await store.#measure();
      return store;
    } catch (error) {
      await store.close();
      throwIfAborted(signal);
      throw error;
    } finally {
      leave();
    }
  }

  get mark(): Uint8Array {
    this.#mark ??= markOf(concatBytes(...this.#marks.filter((mark) => mark !== undefined)));
    return this.#mark;
  }

  async put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]> {
    this.#throwIfClosed();
    if (this.#isTaken) throw new CulvertError("CULVERT_GEOMETRY_CHANGED");
    if (this.#room() > puts.length + this.#open) {
      return await Promise.all(puts.map((put) => this.#putOne(put, nowMs)));
    }
    const turn = this.#line.then(() => this.#putInTurn(puts, nowMs));
    this.#line = turn.catch(() => {});
    return await turn;
  }

  async get(address: Uint8Array, nowMs: number): Promise<StoredRecord | undefined> {
    this.#throwIfClosed();
    const { record } = this.#keysOf(address);
    const value = await this.#engine.run(GET, [record], []);
    if (!(value instanceof Uint8Array)) return undefined;
    const expiresMs = Number(String.fromCharCode(...value.subarray(0, EXPIRY_DIGITS)));
    const parsed = parseRecord(value.slice(EXPIRY_DIGITS), this.payloadSize);
    if (isFault(parsed) || !Number.isSafeInteger(expiresMs)) {
      throw new CulvertError("CULVERT_INTERNAL", "the Redis server holds what is no record");
    }
    return expiresMs > nowMs ? { record: parsed, expiresMs } : undefined;
  }

  /** Of all that the engine holds, also what other Map nodes have put there; some of it twice. */
  async *held(nowMs: number): AsyncGenerator<HeldRecord, void, void> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { index } = this.#partition(partition);
      let at = "0";
      do {
        this.#throwIfClosed();
        const reply = await this.#engine.run(HELD, [index], [at, HELD_STEP]);
        const [next, found] = listOf(reply);
        at = text(next);
        if (!/^\d+$/.test(at)) throw new CulvertError("CULVERT_INTERNAL", "no place to go on from");
        yield* heldOf(found, nowMs);
      } while (at !== "0");
    }
  }

  async sweep(nowMs: number, limit: number): Promise<SweepOutcome> {
    this.#throwIfClosed();
    const outcome = await this.#sweep(nowMs, limit);
    if (!this.#isBegunAnew) return outcome;
    this.#isBegunAnew = false;
    return { ...outcome, isBegunAnew: true };
  }

  async #sweep(nowMs: number, limit: number): Promise<SweepOutcome> {
    let removed = 0;
    for (let looked = 0; looked < PARTITIONS; looked++) {
      const step = await this.#sweepPartition(this.#sweepAt, nowMs, limit - removed);
      removed += step.removed;
      if (!step.isDone) return { removed, isDone: false };
      this.#sweepAt = (this.#sweepAt + 1) % PARTITIONS;
    }
    return { removed, isDone: true };
  }

  statistics(): StoreStatistics {
    const { entriesMax, bytesMax } = this.#options;
    let [entries, bytes] = [0, 0];
    for (const usage of this.#usage) {
      entries += usage.entries;
      bytes += usage.bytes;
    }
    return { entries, entriesMax, bytes, bytesMax, isDiskFull: this.#isEngineFull };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#engine.close();
  }

  async #putInTurn(puts: readonly RecordPut[], nowMs: number): Promise<PutOutcome[]> {
    const outcomes: PutOutcome[] = [];
    for (const put of puts) {
      if (this.#room() <= this.#open) await this.#sweep(nowMs, puts.length);
      outcomes.push(await this.#putOne(put, nowMs));
    }
    return outcomes;
  }

  async #putOne(put: RecordPut, nowMs: number): Promise<PutOutcome> {
    this.#throwIfClosed();
    const { address } = put.record;
    const { record, index, bytes, partition } = this.#keysOf(address);
    const hasRoom = this.#room() > this.#open ? 1 : 0;
    const encoding = encodeRecord(put.record);
    const { payloadSize } = this;
    this.#open += 1;
    try {
      const reply = await this.#engine.run(
        PUT,
        [record, index, bytes],
        [address, encoding, put.expiresMs, nowMs, hasRoom, EXTENSION_SHARE, payloadSize, GRACE_MS],
      );
      const [kind, expires, entries, held, gained] = listOf(reply);
      this.#note(partition, entries, held);
      this.#isEngineFull = false;
      return outcomeOf(text(kind), Number(text(expires)), Number(gained));
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_FULL")) throw error;
      this.#isEngineFull = true;
      return { kind: "full" };
    } finally {
      this.#open -= 1;
    }
  }

  async #sweepPartition(partition: number, nowMs: number, limit: number): Promise<SweepOutcome> {
    const { index, bytes, records, mark, sweeps } = this.#partition(partition);
    const seen = this.#marks[partition] ?? "";
    const sweepsMin = (this.#sweeps[partition] ?? 0) - SWEEPS_LOST_MAX;
    const fresh = systemRandom.bytes(16);
    const args = [nowMs, limit, records, this.payloadSize, fresh, seen, sweepsMin];
    const reply = await this.#engine.run(SWEEP, [index, bytes, mark, sweeps], args);
    const [removed, left, entries, held, marked, swept] = listOf(reply);
    this.#note(partition, entries, held);
    this.#sweeps[partition] = Number(swept);
    if (marked instanceof Uint8Array) await this.#noteMark(partition, marked);
    return { removed: Number(removed), isDone: left === 0 };
  }

  /** Learns how full every partition is, by sweeping none of it. */
  async #measure(): Promise<void> {
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await Promise.all(all.map((partition) => this.#sweepPartition(partition, 0, 0)));
  }

  async #noteMark(partition: number, mark: Uint8Array): Promise<void> {
    const before = this.#marks[partition];
    if (before !== undefined && equalBytes(before, mark)) return;
    if (before !== undefined) {
      // All may be gone, with what says whose engine it is.
      await this.#claim();
      this.#isBegunAnew = true;
    }
    this.#marks[partition] = mark;
    this.#mark = undefined;
  }

  /** Takes the engine for records of this size, unless it has some of another. */
  async #claim(): Promise<void> {
    const key = `${this.#prefix}{geometry}`;
    this.#isTaken = (await this.#engine.run(CLAIM, [key], [this.payloadSize])) !== this.payloadSize;
    if (this.#isTaken) throw new CulvertError("CULVERT_GEOMETRY_CHANGED");
  }

  #note(partition: number, entries: RedisReply | undefined, bytes: RedisReply | undefined): void {
    const usage = this.#usage[partition];
    if (usage === undefined || typeof entries !== "number" || typeof bytes !== "number") {
      throw new CulvertError("CULVERT_INTERNAL", "the Redis server did not answer as the script");
    }
    usage.entries = entries;
    usage.bytes = bytes;
  }

  /** How many new records there is room for. */
  #room(): number {
    const { entries, entriesMax, bytes, bytesMax } = this.statistics();
    const byBytes = Math.floor((bytesMax - bytes) / (RECORD_HEADER_BYTES + this.payloadSize));
    return Math.min(entriesMax - entries, byBytes);
  }

  #keysOf(address: Uint8Array): {
    record: Uint8Array;
    index: string;
    bytes: string;
    partition: number;
  } {
    const partition = (address[0] ?? 0) % PARTITIONS;
    const { records, index, bytes } = this.#partition(partition);
    return { record: concatBytes(utf8(records), address), index, bytes, partition };
  }

  #partition(partition: number): Readonly<Record<PartitionKey, string>> {
    const head = `${this.#prefix}{${partition}}`;
    const [records, index, bytes] = [`${head}r`, `${head}i`, `${head}b`];
    return { records, index, bytes, mark: `${head}m`, sweeps: `${head}s` };
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED", "the store is closed");
  }
}

/** Members of an index (address, then sequence) and their expiries, in turn. */
function* heldOf(found: RedisReply | undefined, nowMs: number): Generator<HeldRecord> {
  const list = listOf(found);
  for (let i = 0; i + 1 < list.length; i += 2) {
    const [member, expiresMs] = [list[i], Number(text(list[i + 1]))];
    if (!(member instanceof Uint8Array) || member.length !== 33) continue;
    if (expiresMs > nowMs) yield { address: member.slice(0, 32), expiresMs };
  }
}

/** What is no list has nothing in it. */
function listOf(reply: RedisReply | undefined): readonly RedisReply[] {
  return Array.isArray(reply) ? reply : [];
}

function outcomeOf(kind: string, expiresMs: number, gainedMs: number): PutOutcome {
  if (kind === "known" && gainedMs > 0) return { kind, expiresMs, gainedMs };
  if (kind === "stored" || kind === "known") return { kind, expiresMs };
  if (kind === "conflict" || kind === "full") return { kind };
  throw new CulvertError("CULVERT_INTERNAL", "the Redis server did not answer as the script");
}

function text(reply: RedisReply | undefined): string {
  return reply instanceof Uint8Array ? String.fromCharCode(...reply) : "";
}
