import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { AddressHash } from "../../../src/mapservice/record/address-hash.ts";
import type { MapRecord } from "../../../src/mapservice/record/record.ts";
import { RecentRecords } from "../../../src/mapservice/service/recent-records.ts";

const MIB = 2 ** 20;
const PAYLOAD_BYTES = 2_000;

function record(number: number, over: Partial<MapRecord> = {}): MapRecord {
  const address = new Uint8Array(32);
  new DataView(address.buffer).setUint32(0, number);
  return {
    address,
    signature: new Uint8Array(64).fill(number),
    seq: 1,
    ttlSeconds: 60,
    payload: new Uint8Array(PAYLOAD_BYTES).fill(number),
    ...over,
  };
}

const hash = new AddressHash(new SeededRandom(7).bytes(165));
const kept = (it: MapRecord, expiresMs = 1_000) => ({ record: it, expiresMs, receipt: undefined });

describe("records at hand", () => {
  test("are what was given, however often their memory was used again", () => {
    const recent = new RecentRecords(MIB, hash);
    for (let number = 0; number < 1_200; number++) {
      const given = record(number);
      recent.set(kept(given));
      expect(recent.get(given.address, 0)?.record).toEqual(given);
      // A quarter of what fits came later: nobody has used that memory again.
      const before = record(Math.max(number - 100, 0));
      expect(recent.get(before.address, 0)?.record).toEqual(before);
    }
  });

  test("are bounded, and the first of them go first", () => {
    const recent = new RecentRecords(MIB, hash);
    const all = Array.from({ length: 2_000 }, (_, number) => record(number));
    for (const each of all) recent.set(kept(each));
    const isHere = all.map((each) => recent.get(each.address, 0) !== undefined);
    const count = isHere.filter(Boolean).length;
    expect(count * PAYLOAD_BYTES).toBeLessThanOrEqual(MIB);
    expect(count * PAYLOAD_BYTES).toBeGreaterThan(MIB / 2);
    expect(isHere.lastIndexOf(false)).toBe(all.length - count - 1);
  });

  test("are none of which the store may have let go while the clock was ahead", () => {
    const recent = new RecentRecords(MIB, hash);
    const given = record(7);
    recent.set(kept(given, 2_000));
    recent.swept(1_500);
    expect(recent.get(given.address, 1_600)).toEqual(kept(given, 2_000));
    recent.swept(3_000);
    expect(recent.get(given.address, 1_700)).toBeUndefined();
    recent.set(kept(given, 2_000));
    expect(recent.get(given.address, 1_800)).toEqual(kept(given, 2_000));
  });

  test("a later word about a record outlives the memory of the first", () => {
    const recent = new RecentRecords(MIB, hash);
    const given = record(7);
    recent.set(kept(given, 1_000));
    for (let number = 100; number < 400; number++) {
      recent.set(kept(record(number)));
    }
    recent.set(kept(given, 2_000));
    for (let number = 400; number < 700; number++) {
      recent.set(kept(record(number)));
    }
    expect(recent.get(given.address, 1_500)).toEqual(kept(given, 2_000));
  });

  test("a tombstone ends a cell, and a slow read of the cell does not bring it back", () => {
    const recent = new RecentRecords(MIB, hash);
    const cell = record(1);
    const tombstone = record(1, { seq: 2, payload: new Uint8Array(0) });
    recent.set(kept(cell));
    recent.set(kept(tombstone));
    recent.set(kept(cell, 9_000));
    expect(recent.get(cell.address, 0)?.record).toEqual(tombstone);
  });

  test("get a receipt, and keep it when a read tells no more than was known", () => {
    const recent = new RecentRecords(MIB, hash);
    const given = record(1);
    const receipt = { expiresMs: 500, leftMask: 0, siblings: [], signature: new Uint8Array(64) };
    recent.set(kept(given));
    recent.set({ ...kept(given), receipt });
    expect(recent.get(given.address, 0)?.receipt).toBe(receipt);
    recent.set(kept(given));
    expect(recent.get(given.address, 0)?.receipt).toBe(receipt);
  });

  test("are not given once they have expired, nor kept where nothing is to be kept", () => {
    const recent = new RecentRecords(MIB, hash);
    recent.set(kept(record(1), 500));
    expect(recent.get(record(1).address, 500)).toBeUndefined();
    const none = new RecentRecords(1, hash);
    none.set(kept(record(1)));
    expect(none.get(record(1).address, 0)).toBeUndefined();
  });
});
