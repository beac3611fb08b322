/**
 * What a storage node costs, as ratios to one verification and one fdatasync of the same run.
 *
 * Run: `npm run -s bench -- storage`. A million records: `npm run -s bench -- storage-million`.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { SeededRandom } from "../src/base/index.ts";
import {
  BlindedSigner,
  loadProvider,
  type ProviderName,
  useProvider,
} from "../src/crypto/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { defer } from "../src/io/defer.ts";
import { nativeSigner } from "../src/io/native-signer.ts";
import {
  asideVerifier,
  encodeRecord,
  isFault,
  LevelRecordStore,
  type MapAnswer,
  type MapRecord,
  MapService,
  MemoryRecordStore,
  parseRecord,
  type RecordStore,
  SEQUENCE,
  signedBytes,
  verifyRecord,
} from "../src/mapservice/index.ts";
import { NO_STAMP } from "../src/mapservice/record/work-stamp.ts";
import {
  atLeast,
  atMost,
  check,
  median,
  printTable,
  type Verdict,
  writeResults,
} from "./harness.ts";
import { fastest, NATIVE_PROVIDERS } from "./providers.ts";
import { UNLIMITED } from "./unlimited.ts";

const PAYLOAD_SIZE = 1_024;
const CONCURRENCY = 64;
/** Of a round: at its end fewer than 64 are at once, and the last wait for the disk alone. */
const PUTS = 1_024;
const ROUNDS = 12;
/** Before them: the compiler is done with a put after some thousand. */
const WARM_ROUNDS = 3;
/** Records that are stored in one step where only sweeping them counts. */
const BATCH = 256;
/** Times of a put or get, as multiples of one verification. */
const ASKED: Readonly<Record<string, number>> = {
  "put, level, durable, 64 at once": 1.3,
  "put again": 0.05,
  "get again": 0.05,
};

type Row = Readonly<Record<"what", string> & Record<"us" | "ratio", number>>;

const random = new SeededRandom(1);
const rows: Row[] = [];
const verdicts: Verdict[] = [];
const folder = mkdtempSync(join(tmpdir(), "culvert-bench-"));

/** Genuine records, signed by the fastest provider there is. */
async function signRecords(count: number): Promise<MapRecord[]> {
  useProvider(fastest());
  const seed = random.bytes(32);
  return Array.from({ length: count }, () => {
    const signer = BlindedSigner.of(seed, random.bytes(32));
    const payload = random.bytes(PAYLOAD_SIZE);
    const signature = signer.sign(signedBytes(SEQUENCE.cell, payload));
    const address = signer.address;
    return { address, signature, seq: SEQUENCE.cell, ttlSeconds: 3_600, payload };
  });
}

/** A service with one asker, of whom at most `CONCURRENCY` requests are in flight. */
class Bench {
  readonly #service: MapService;
  readonly #waiting = new Map<number, (answer: MapAnswer) => void>();
  readonly #requester: NonNullable<ReturnType<MapService["open"]>>;
  #requests = 0;

  constructor(store: RecordStore) {
    const signer = nativeSigner(new Uint8Array(32).fill(1));
    this.#service = new MapService(
      { store, clock: systemClock, signer, defer, verifyAside: asideVerifier() },
      UNLIMITED,
    );
    const requester = this.#service.open("bench", {
      answer: (request, answer) => {
        const settle = this.#waiting.get(request);
        this.#waiting.delete(request);
        settle?.(answer);
      },
      ready: () => {},
      closed: () => {},
    });
    if (requester === undefined) throw new Error("benchmark: no requester");
    this.#requester = requester;
  }

  /** Microseconds for each of `records`. */
  async put(records: readonly Uint8Array[]): Promise<number> {
    return await this.#run(records.length, (request, i) => {
      const bytes = records[i];
      if (bytes !== undefined) this.#requester.put(request, bytes, NO_STAMP);
    });
  }

  /** The same for gets. */
  async get(addresses: readonly Uint8Array[]): Promise<number> {
    return await this.#run(addresses.length, (request, i) => {
      const address = addresses[i];
      if (address !== undefined) this.#requester.get(request, address, 0);
    });
  }

  async close(): Promise<void> {
    await this.#service.close();
  }

  #run(count: number, send: (request: number, i: number) => void): Promise<number> {
    return new Promise((resolve) => {
      const from = process.hrtime.bigint();
      let sent = 0;
      let done = 0;
      const next = (): void => {
        if (sent >= count) return;
        const i = sent++;
        const request = ++this.#requests;
        this.#waiting.set(request, (answer) => {
          check(answer.kind === "stored" || answer.kind === "found", `answered ${answer.kind}`);
          done += 1;
          if (done === count) resolve(Number(process.hrtime.bigint() - from) / 1e3 / count);
          else next();
        });
        send(request, i);
      };
      for (let i = 0; i < CONCURRENCY; i++) next();
    });
  }
}

function timeVerify(records: readonly MapRecord[]): number {
  const from = process.hrtime.bigint();
  for (const record of records) check(verifyRecord(record), "a genuine record verifies");
  return Number(process.hrtime.bigint() - from) / 1e3 / records.length;
}

function timeParseAndVerify(records: readonly Uint8Array[]): number {
  const from = process.hrtime.bigint();
  for (const bytes of records) {
    const record = parseRecord(bytes, PAYLOAD_SIZE);
    check(typeof record !== "string" && verifyRecord(record), "a genuine record verifies");
  }
  return Number(process.hrtime.bigint() - from) / 1e3 / records.length;
}

/** As a node does it: on other threads, so many at once, where that is worth it. */
async function timeParseAndVerifyAside(records: readonly Uint8Array[]): Promise<number> {
  const verify = asideVerifier();
  if (verify === undefined) return timeParseAndVerify(records);
  const from = process.hrtime.bigint();
  const bytesOf = records.values();
  const lane = async (): Promise<void> => {
    for (const bytes of bytesOf) {
      const record = parseRecord(bytes, PAYLOAD_SIZE);
      if (isFault(record)) throw new Error("a genuine record is one");
      check(await new Promise<boolean>((done) => verify(record, done)), "it verifies");
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return Number(process.hrtime.bigint() - from) / 1e3 / records.length;
}

async function openLevel(name: string): Promise<LevelRecordStore> {
  const path = join(folder, name);
  const sizes = { payloadSize: PAYLOAD_SIZE, entriesMax: 1_000_000, bytesMax: 2 ** 33 };
  return await LevelRecordStore.open({ path, ...sizes });
}

/** Puts with the signatures checked: in turns with plain verifications, so that noise hits both. */
async function benchPuts(provider: ProviderName): Promise<void> {
  const records = await signRecords(PUTS * (WARM_ROUNDS + ROUNDS));
  const chosen = loadProvider(provider);
  if (chosen === undefined) return;
  useProvider(chosen);
  const [durable, volatile] = [
    new Bench(await openLevel(`puts-${provider}`)),
    new Bench(
      new MemoryRecordStore({ payloadSize: PAYLOAD_SIZE, entriesMax: 1e6, bytesMax: 1e10 }),
    ),
  ];
  const samples: Record<string, number[]> = {};
  const add = (what: string, us: number): void => {
    samples[what] = [...(samples[what] ?? []), us];
  };
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round++) {
    const batch = records.slice(round * PUTS, (round + 1) * PUTS);
    const bytes = batch.map((record) => encodeRecord(record));
    const addresses = batch.map(({ address }) => address);
    const timed = {
      verify: timeVerify(batch),
      "parse, verify": timeParseAndVerify(bytes),
      "parse, verify, 16 at once": await timeParseAndVerifyAside(bytes),
      "put, memory": await volatile.put(bytes),
      "put, level, durable, 64 at once": await durable.put(bytes),
      "put again": await durable.put(bytes),
      "get again": await durable.get(addresses),
    };
    if (round >= WARM_ROUNDS) for (const [what, us] of Object.entries(timed)) add(what, us);
  }
  await durable.close();
  await volatile.close();
  const least = (what: string): number => Math.min(...(samples[what] ?? []));
  const verifyUs = least("verify");
  for (const what of Object.keys(samples)) {
    rows.push({ what: `${provider}: ${what}`, us: least(what), ratio: least(what) / verifyUs });
  }
  for (const [what, asked] of Object.entries(ASKED)) {
    verdicts.push(atMost(`${provider}: ${what}, over verify`, least(what) / verifyUs, asked));
  }
  if (provider !== "node") return;
  const perSecond = 1e6 / least("parse, verify, 16 at once");
  verdicts.push(atLeast("node: parsed and verified a second", perSecond, 8_000));
}

/** One durable put at a time, in turns with a write and fdatasync of as many bytes. */
async function benchAlone(): Promise<void> {
  const records = await signRecords(500);
  const store = await openLevel("alone");
  const file = await open(join(folder, "plain"), "w");
  const [plain, alone]: [number[], number[]] = [[], []];
  for (const record of records) {
    const bytes = encodeRecord(record);
    await file.write(bytes);
    let from = process.hrtime.bigint();
    await file.datasync();
    plain.push(Number(process.hrtime.bigint() - from) / 1e3);
    const nowMs = Date.now();
    from = process.hrtime.bigint();
    const [outcome] = await store.put([{ record, expiresMs: nowMs + 60_000 }], nowMs);
    alone.push(Number(process.hrtime.bigint() - from) / 1e3);
    check(outcome?.kind === "stored", "the put is stored");
  }
  await file.close();
  await store.close();
  const [syncUs, putUs] = [median(plain), median(alone)];
  rows.push({ what: "fdatasync", us: syncUs, ratio: 1 });
  rows.push({ what: "durable put alone", us: putUs, ratio: putUs / syncUs });
  verdicts.push(atMost("durable put alone, over fdatasync", putUs / syncUs, 2));
}

/** Expiry of most of a store, and the disk that is left. */
async function benchExpiry(): Promise<void> {
  const [count, livingEvery] = [100_000, 5];
  const store = await openLevel("expiry");
  const nowMs = 1_750_000_000_000;
  const signature = random.bytes(64);
  const payload = random.bytes(PAYLOAD_SIZE);
  for (let i = 0; i < count; i += BATCH) {
    const puts = Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => {
      const record = { address: random.bytes(32), signature, seq: SEQUENCE.cell, ttlSeconds: 1 };
      const ttlMs = (i + j) % livingEvery === 0 ? 86_400_000 : 60_000 + (i / count) * 600_000;
      return { record: { ...record, payload }, expiresMs: Math.floor(nowMs + ttlMs) };
    });
    await store.put(puts, nowMs);
  }
  await settled("expiry");
  const before = diskBytes("expiry");
  const laterMs = nowMs + 3_600_000;
  let [removed, sweepUs, compactUs] = [0, 0, 0];
  for (let isDone = false; !isDone; ) {
    const from = process.hrtime.bigint();
    const step = await store.sweep(laterMs, 1_024);
    const us = Number(process.hrtime.bigint() - from) / 1e3;
    // The last step also gives the disk back.
    if (step.isDone) compactUs = us;
    else sweepUs += us;
    removed += step.removed;
    isDone = step.isDone;
  }
  const { entries, bytes } = store.statistics();
  check(entries === count / livingEvery, `${entries} live`);
  const after = diskBytes("expiry");
  const given = (sweepUs + compactUs) / removed;
  rows.push({ what: "expiry, an entry", us: sweepUs / removed, ratio: Number.NaN });
  rows.push({ what: "expiry, an entry, disk given back", us: given, ratio: Number.NaN });
  rows.push({ what: "disk after expiry / live", us: Number.NaN, ratio: after / bytes });
  rows.push({ what: "disk before expiry / live", us: Number.NaN, ratio: before / bytes });
  verdicts.push(atMost("expiry, us an entry", sweepUs / removed, 2));
  verdicts.push(atMost("disk after expiry, over what lives", after / bytes, 1.2));
  await store.close();
}

/** Waits until the engine has sorted what was put: what expires was put long before. */
async function settled(name: string): Promise<void> {
  for (let [bytes, last] = [0, -1]; bytes !== last; ) {
    await setTimeout(500);
    [bytes, last] = [diskBytes(name), bytes];
  }
}

function diskBytes(name: string): number {
  const path = join(folder, name);
  // The engine may remove a file while we look.
  const bytesOf = (file: string): number =>
    statSync(join(path, file), { throwIfNoEntry: false })?.size ?? 0;
  return readdirSync(path).reduce((sum, file) => sum + bytesOf(file), 0);
}

try {
  for (const provider of NATIVE_PROVIDERS) await benchPuts(provider);
  await benchAlone();
  await benchExpiry();
} finally {
  rmSync(folder, { recursive: true });
}
printTable(`storage node, ${PAYLOAD_SIZE} bytes a cell (ratio to verify, to fdatasync)`, rows);
writeResults("storage", rows, verdicts);
