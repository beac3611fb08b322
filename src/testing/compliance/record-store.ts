import { assert, equalBytes, isCulvertError, SeededRandom, toHex } from "../../base/index.ts";
import {
  type MapRecord,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  SEQUENCE,
} from "../../mapservice/index.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** What a store suite needs from the implementation under test. */
export interface RecordStoreFixture extends Fixture {
  /** Empty, for cells of `payloadSize` bytes, with room for `entriesMax` of them. */
  readonly store: RecordStore;
  /**
   * The same records after the process died and another one opened them; left out by stores that do
   * not outlive their process.
   */
  restart?(): Promise<RecordStore>;
}

/** What the suite asks of a fixture. */
export interface RecordStoreGeometry {
  readonly payloadSize: number;
  readonly entriesMax: number;
}

const GEOMETRY: RecordStoreGeometry = { payloadSize: 40, entriesMax: 8 };
const NOW = 1_750_000_000_000;
/** Longer than any store may take to notice that something has expired. */
const LONG_AFTER = NOW + 86_400_000;

/**
 * The contract of {@link RecordStore}, for any implementation. `test` registers one case with the
 * test runner at hand.
 *
 * @example
 * ```ts
 * recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
 *   const store = new MemoryRecordStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
 *   return { store, teardown: () => store.close() };
 * });
 * ```
 */
export function recordStoreCompliance(
  test: RegisterTest,
  setup: (geometry: RecordStoreGeometry) => Promise<RecordStoreFixture>,
): void {
  registerCases(test, () => setup(GEOMETRY), CASES);
}

const CASES: Cases<RecordStoreFixture> = {
  "an address that was never put is absent": async ({ store }) => {
    assert((await store.get(cell(1).address, NOW)) === undefined, "nothing is there");
    assert(store.statistics().entries === 0, "nothing is counted");
  },

  "what was put is found, whole, until it expires and not a millisecond longer": async ({
    store,
  }) => {
    const record = cell(1);
    await expectOutcome(store, record, { kind: "stored", expiresMs: NOW + 5_000 });
    await expectRecord(store, record, NOW + 4_999);
    assert((await store.get(record.address, NOW + 5_000)) === undefined, "it has expired");
  },

  "every byte of an address counts": async ({ store }) => {
    for (const byte of [0, 8, 16, 31]) {
      const { address } = cell(1);
      address[byte] = 0xff & ~(address[byte] ?? 0);
      const other = { ...cell(1, 1 + byte), address };
      await put(store, other, NOW + 5_000);
      await expectRecord(store, other, NOW);
    }
    assert((await store.get(cell(1).address, NOW)) === undefined, "and none is another's");
  },

  "it tells until when a record is kept, and what it holds": async ({ store }) => {
    await put(store, cell(1), NOW + 60_000);
    await put(store, cell(2), NOW + 60_000);
    await put(store, tombstone(2), NOW + 60_000);
    await put(store, cell(3), NOW + 5_000);
    const found = await store.get(cell(1).address, NOW);
    assert(found?.expiresMs === NOW + 60_000, `until its end, not ${found?.expiresMs}`);
    if (store.held === undefined) return;
    const held = new Map<string, number>();
    for await (const { address, expiresMs } of store.held(NOW + 5_000)) {
      held.set(toHex(address), expiresMs);
    }
    assert(held.size === 2, `two that live, not ${held.size}`);
    for (const i of [1, 2]) {
      const expiresMs = held.get(toHex(cell(i).address));
      assert(expiresMs === NOW + 60_000, `with their ends, not ${expiresMs}`);
    }
  },

  "who shares no memory keeps none, and gives none away": async ({ store }) => {
    if (store.sharesNoMemory !== true) return;
    for (const make of [() => cell(1), () => tombstone(2)]) {
      const [given, record] = [make(), make()];
      await put(store, record, NOW + 60_000);
      overwrite(record);
      for (let i = 0; i < 2; i++) {
        const found = await store.get(given.address, NOW);
        assert(found !== undefined, "it is there");
        overwrite(found.record);
      }
      await expectRecord(store, given, NOW);
      await expectOutcome(store, given, { kind: "known", expiresMs: NOW + 60_000 });
    }
  },

  "the same bytes again are known, and live longer": async ({ store }) => {
    const record = cell(1);
    await put(store, record, NOW + 5_000);
    const longer = { kind: "known", expiresMs: NOW + 60_000, gainedMs: 55_000 } as const;
    await expectOutcome(store, record, longer, NOW + 60_000);
    await expectRecord(store, record, NOW + 59_999);
  },

  "the same bytes for less time do not shorten a life": async ({ store }) => {
    const record = cell(1);
    await put(store, record, NOW + 60_000);
    await expectOutcome(store, record, { kind: "known", expiresMs: NOW + 60_000 });
  },

  "an extension that gains next to nothing may be left out, and is then not promised": async ({
    store,
  }) => {
    const record = cell(1);
    await put(store, record, NOW + 640_000);
    const [outcome] = await store.put([{ record, expiresMs: NOW + 640_100 }], NOW);
    assert(outcome?.kind === "known", "it is known");
    await expectRecord(store, record, outcome.expiresMs - 1);
    assert((await store.get(record.address, outcome.expiresMs)) === undefined, "as it was told");
  },

  "other bytes conflict, and the first stay": async ({ store }) => {
    const record = cell(1);
    await put(store, record, NOW + 5_000);
    await expectOutcome(store, cell(1, 2), { kind: "conflict" }, NOW + 60_000);
    await expectRecord(store, record, NOW);
  },

  "another signature over the same bytes is no conflict": async ({ store }) => {
    const record = cell(1);
    await put(store, record, NOW + 5_000);
    const resigned = { ...record, signature: new Uint8Array(64).fill(9) };
    await expectOutcome(store, resigned, { kind: "known", expiresMs: NOW + 5_000 });
  },

  "a tombstone replaces a cell, lives as long as that, and is final": async ({ store }) => {
    await put(store, cell(1), NOW + 60_000);
    const end = tombstone(1);
    await expectOutcome(store, end, { kind: "stored", expiresMs: NOW + 60_000 });
    await expectRecord(store, end, NOW + 59_999);
    await expectOutcome(store, cell(1), { kind: "conflict" });
    await expectOutcome(store, end, { kind: "known", expiresMs: NOW + 60_000 });
    assert(store.statistics().entries === 1, "one address is one entry");
  },

  "a tombstone may come first": async ({ store }) => {
    await expectOutcome(store, tombstone(1), { kind: "stored", expiresMs: NOW + 5_000 });
    await expectOutcome(store, cell(1), { kind: "conflict" });
  },

  "an expired address is free again, before any sweep": async ({ store }) => {
    await put(store, cell(1), NOW + 5_000);
    const other = cell(1, 2);
    const [outcome] = await store.put([{ record: other, expiresMs: NOW + 20_000 }], NOW + 5_000);
    assert(outcome?.kind === "stored", "the address is free");
    await expectRecord(store, other, NOW + 5_000);
    await expectRecord(store, other, NOW + 19_999);
    await sweepAll(store, NOW + 19_999);
    await expectRecord(store, other, NOW + 19_999);
  },

  "what took the place of an expired record stays, though the clock is set back": async ({
    store,
    restart,
  }) => {
    await put(store, cell(1), NOW + 5_000);
    const other = { record: cell(1, 2), expiresMs: LONG_AFTER + 5_000 };
    const [outcome] = await store.put([other], LONG_AFTER);
    assert(outcome?.kind === "stored", "the address is free");
    await expectRecord(store, other.record, NOW);
    await expectOutcome(store, cell(1), { kind: "conflict" });
    const again = (await restart?.()) ?? store;
    await expectRecord(again, other.record, NOW);
    assert(again.statistics().entries === 1, "one address is one entry");
  },

  "puts of one batch take effect in order": async ({ store }) => {
    const outcomes = await store.put(
      [at(cell(1), 5_000), at(cell(1, 2), 5_000), at(tombstone(1), 5_000), at(cell(1), 9_000)],
      NOW,
    );
    const kinds = outcomes.map(({ kind }) => kind).join();
    assert(kinds === "stored,conflict,stored,conflict", `in order, not ${kinds}`);
    assert(store.statistics().entries === 1, "one address is one entry");
  },

  "an empty batch is nothing": async ({ store }) => {
    assert((await store.put([], NOW)).length === 0, "no outcome");
  },

  "calls that overlap do not overlook each other": async ({ store }) => {
    const calls = Array.from({ length: 20 }, (_, i) => store.put([at(cell(1, i), 5_000)], NOW));
    const outcomes = (await Promise.all(calls)).flat();
    assert(outcomes.filter(({ kind }) => kind === "stored").length === 1, "one of them was first");
    assert(outcomes.filter(({ kind }) => kind === "conflict").length === 19, "the others lost");
  },

  "a full store refuses new addresses, and nothing else": async ({ store }) => {
    await fill(store, NOW + 5_000);
    await expectOutcome(store, cell(99), { kind: "full" });
    const longer = { kind: "known", expiresMs: NOW + 9_000, gainedMs: 4_000 } as const;
    await expectOutcome(store, cell(0), longer, NOW + 9_000);
    await expectOutcome(store, cell(1, 2), { kind: "conflict" });
    await expectOutcome(store, tombstone(2), { kind: "stored", expiresMs: NOW + 5_000 });
    for (let i = 3; i < GEOMETRY.entriesMax; i++) await expectRecord(store, cell(i), NOW);
  },

  "a batch that does not fit is taken as far as it fits": async ({ store }) => {
    const puts = Array.from({ length: GEOMETRY.entriesMax + 3 }, (_, i) => at(cell(i), 5_000));
    const outcomes = await store.put(puts, NOW);
    assert(outcomes.filter(({ kind }) => kind === "full").length === 3, "three are too many");
    assert(store.statistics().entries === GEOMETRY.entriesMax, "it is full");
  },

  "what has expired makes room": async ({ store }) => {
    await fill(store, NOW + 5_000);
    const [outcome] = await store.put(
      [{ record: cell(99), expiresMs: LONG_AFTER + 1 }],
      LONG_AFTER,
    );
    assert(outcome?.kind === "stored", "there is room");
  },

  "a sweep removes what has expired, in steps, and nothing else": async ({ store }) => {
    await fill(store, NOW + 5_000);
    await put(store, cell(3), LONG_AFTER + 5_000);
    assert((await store.sweep(NOW, 100)).removed === 0, "nothing has expired yet");
    const first = await store.sweep(LONG_AFTER, 2);
    assert(first.removed >= 1 && !first.isDone, "one step is not all of it");
    await sweepAll(store, LONG_AFTER);
    const { entries, bytes } = store.statistics();
    assert(entries === 1, `one is left, not ${entries}`);
    assert(bytes === 101 + GEOMETRY.payloadSize, `and its bytes, not ${bytes}`);
    await expectRecord(store, cell(3), LONG_AFTER);
  },

  "the statistics count what is held": async ({ store }) => {
    await put(store, cell(1), NOW + 5_000);
    await put(store, cell(2), NOW + 5_000);
    await put(store, tombstone(2), NOW + 5_000);
    const { entries, entriesMax, bytes, isDiskFull } = store.statistics();
    assert(entries === 2 && entriesMax === GEOMETRY.entriesMax, "two addresses");
    assert(bytes === 2 * 101 + GEOMETRY.payloadSize, `a cell and a tombstone, not ${bytes}`);
    assert(!isDiskFull, "there is room on the disk of a test");
  },

  "a closed store refuses, and closing twice does nothing": async ({ store }) => {
    await store.close();
    await store.close();
    await expectFailure(
      attempt(() => store.put([at(cell(1), 5_000)], NOW)),
      "CULVERT_CLOSED",
    );
    await expectFailure(
      attempt(() => store.get(cell(1).address, NOW)),
      "CULVERT_CLOSED",
    );
    await expectFailure(
      attempt(() => store.sweep(NOW, 1)),
      "CULVERT_CLOSED",
    );
  },

  "what is put while the store closes is durable or refused": async ({ store }) => {
    const putting = store.put([at(cell(1), 5_000)], NOW).catch((error: unknown) => error);
    await store.close();
    const outcome = await putting;
    assert(Array.isArray(outcome) || isCulvertError(outcome, "CULVERT_CLOSED"), "one of the two");
  },

  "a restart keeps every record, count and end": async ({ store, restart }) => {
    if (restart === undefined) return;
    await put(store, cell(1), NOW + 60_000);
    await put(store, cell(2), NOW + 60_000);
    await put(store, tombstone(2), NOW + 60_000);
    await put(store, cell(3), NOW + 5_000);
    await put(store, cell(3), NOW + 600_000);
    const { bytes } = store.statistics();
    const again = await restart();
    await expectRecord(again, cell(1), NOW + 59_999);
    await expectRecord(again, tombstone(2), NOW + 59_999);
    await expectRecord(again, cell(3), NOW + 599_999);
    await expectOutcome(again, cell(2), { kind: "conflict" });
    assert(again.statistics().bytes >= bytes, "nothing is forgotten");
    await sweepAll(again, LONG_AFTER);
    assert(again.statistics().entries === 0, "and everything expires");
    assert(again.statistics().bytes === 0, "to the last byte");
  },

  "numbers go on after a restart: nothing new lands on something old": async ({
    store,
    restart,
  }) => {
    if (restart === undefined) return;
    await put(store, cell(1), NOW + 60_000);
    await put(store, cell(2), NOW + 60_000);
    const again = await restart();
    await put(again, cell(3), NOW + 60_000);
    for (const i of [1, 2, 3]) await expectRecord(again, cell(i), NOW);
  },
};

/**
 * A record of an address that `address` fixes, and bytes that `content` fixes; not really signed.
 */
function cell(address: number, content = 0): MapRecord {
  const random = new SeededRandom(1_000 * address + content);
  return {
    address: new SeededRandom(address).bytes(32),
    signature: random.bytes(64),
    seq: SEQUENCE.cell,
    ttlSeconds: 60,
    payload: random.bytes(GEOMETRY.payloadSize),
  };
}

function tombstone(address: number): MapRecord {
  return { ...cell(address), seq: SEQUENCE.tombstone, payload: new Uint8Array(0) };
}

/** As a reader does who has it for himself. */
function overwrite({ address, signature, payload }: MapRecord): void {
  for (const bytes of [address, signature, payload]) bytes.fill(0xee);
}

function at(record: MapRecord, afterMs: number): RecordPut {
  return { record, expiresMs: NOW + afterMs };
}

async function put(store: RecordStore, record: MapRecord, expiresMs: number): Promise<void> {
  const [outcome] = await store.put([{ record, expiresMs }], NOW);
  assert(outcome?.kind === "stored" || outcome?.kind === "known", "the put is taken");
}

async function fill(store: RecordStore, expiresMs: number): Promise<void> {
  for (let i = 0; i < GEOMETRY.entriesMax; i++) await put(store, cell(i), expiresMs);
}

async function sweepAll(store: RecordStore, nowMs: number): Promise<void> {
  for (let step = 0; step < 100; step++) if ((await store.sweep(nowMs, 3)).isDone) return;
  throw new Error("a sweep ends");
}

async function expectOutcome(
  store: RecordStore,
  record: MapRecord,
  expected: PutOutcome,
  expiresMs: number = NOW + 5_000,
): Promise<void> {
  const [outcome] = await store.put([{ record, expiresMs }], NOW);
  const [got, wanted] = [JSON.stringify(outcome), JSON.stringify(expected)];
  assert(got === wanted, `the outcome is ${wanted}, not ${got}`);
}

async function expectRecord(store: RecordStore, record: MapRecord, nowMs: number): Promise<void> {
  const found = (await store.get(record.address, nowMs))?.record;
  assert(found !== undefined, "the record is there");
  assert(found.seq === record.seq, "of the right sequence");
  assert(equalBytes(found.address, record.address), "with its address");
  assert(equalBytes(found.signature, record.signature), "with its signature");
  assert(equalBytes(found.payload, record.payload), "with its payload");
}

/** A store may refuse at once or by its promise. */
async function attempt(work: () => unknown): Promise<unknown> {
  return await work();
}
