import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { AddressHash } from "../../../src/mapservice/record/address-hash.ts";
import { type IndexedRecord, RecordIndex } from "../../../src/mapservice/store/record-index.ts";

const hash = new AddressHash(new SeededRandom(7).bytes(165));

/** What is held, by address, with the expiry by which it is queued. */
type Model = Map<string, IndexedRecord & { dueMs: number }>;

function withoutDue({ slot, length, expiresMs }: IndexedRecord): IndexedRecord {
  return { slot, length, expiresMs };
}

/** Takes all that has expired, and checks that each was next; no two are due at one moment. */
function sweep(index: RecordIndex, model: Model, nowMs: number): number {
  let taken = 0;
  for (;;) {
    const [first] = [...model].sort(([, a], [, b]) => a.dueMs - b.dueMs);
    const isDue = first !== undefined && first[1].dueMs <= nowMs;
    expect(index.hasDue(nowMs)).toBe(isDue);
    const record = index.takeExpired(nowMs);
    if (!isDue) {
      expect(record).toBeUndefined();
      return taken;
    }
    const [address, held] = first;
    if (held.expiresMs > nowMs) {
      expect(record).toBe("queued again");
      held.dueMs = held.expiresMs;
    } else {
      expect(record).toEqual(withoutDue(held));
      model.delete(address);
      taken += 1;
    }
  }
}

describe("an index of records", () => {
  it.each([1, 2, 3])("finds all, and takes those first that expired first (seed %d)", (seed) => {
    const random = new SeededRandom(seed);
    const index = new RecordIndex(hash);
    const model: Model = new Map();
    let taken = 0;
    for (let step = 1; step < 1_500; step++) {
      // No two of them expire at one moment.
      const expiresMs = 64 * (step + random.below(400)) + (step % 64) + step / 4_096;
      const record = { slot: step, length: 101 + random.below(2), expiresMs };
      const known = [...model.keys()][random.below(2 * model.size + 1)];
      const address = known === undefined ? random.bytes(32) : Buffer.from(known, "hex");
      const entry = index.find(address);
      const before = model.get(toHex(address));
      expect(entry === undefined ? undefined : index.at(entry)).toEqual(
        before && withoutDue(before),
      );
      if (entry === undefined) index.add(address, record);
      else index.replace(entry, { ...record, expiresMs: expiresMs + index.at(entry).expiresMs });
      const lasts = before === undefined ? expiresMs : expiresMs + before.expiresMs;
      model.set(toHex(address), {
        ...record,
        expiresMs: lasts,
        dueMs: before?.dueMs ?? expiresMs,
      });
      if (random.below(3) === 0) taken += sweep(index, model, 64 * step);
      expect(index.size).toBe(model.size);
    }
    taken += sweep(index, model, Number.MAX_SAFE_INTEGER);
    expect(index.size).toBe(0);
    expect(taken).toBeGreaterThan(500);
  });

  it("grows, and becomes small again with what is left", () => {
    const random = new SeededRandom(4);
    const index = new RecordIndex(hash);
    const addresses = Array.from({ length: 5_000 }, () => random.bytes(32));
    for (const [slot, address] of addresses.entries()) {
      index.add(address, { slot, length: 101, expiresMs: 1_000 + slot });
    }
    const find = (slot: number): IndexedRecord | undefined => {
      const entry = index.find(addresses[slot] as Uint8Array);
      return entry === undefined ? undefined : index.at(entry);
    };
    const extended = index.find(addresses[10] as Uint8Array) as number;
    index.replace(extended, { slot: 10, length: 101, expiresMs: 9_000 });
    for (let slot = 0; slot < 4_900; slot++) {
      const expired = index.takeExpired(5_899);
      if (slot === 10) expect(expired).toBe("queued again");
      else expect(expired).toEqual({ slot, length: 101, expiresMs: 1_000 + slot });
    }
    expect(index.hasDue(5_899)).toBe(false);
    expect([index.size, find(10)?.expiresMs, find(4_899)]).toEqual([101, 9_000, undefined]);
    const left = Array.from({ length: 100 }, (_, i) => find(4_900 + i)?.expiresMs);
    expect(left).toEqual(Array.from({ length: 100 }, (_, i) => 5_900 + i));
    const late = random.bytes(32);
    index.add(late, { slot: 7, length: 101, expiresMs: 1 });
    expect(index.takeExpired(1)).toEqual({ slot: 7, length: 101, expiresMs: 1 });
  });
});
