import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/testing/index.ts";
import { ValueStore } from "../../src/voidphone/value-store.ts";

const keyOf = (index: number): Uint8Array => new Uint8Array(32).fill(index);
const bytesOf = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);

function storeOf(limits: { valuesMax?: number; bytesMax?: number } = {}) {
  const clock = new VirtualClock();
  const store = new ValueStore(clock, limits);
  const put = (index: number, source = "a", { bytes = 10, ttlSeconds = 60 } = {}): void =>
    store.put({ key: keyOf(index), value: bytesOf(bytes), source, ttlSeconds });
  const has = (...indexes: number[]): number[] =>
    indexes.filter((index) => store.get(keyOf(index)) !== undefined);
  return { clock, store, put, has };
}

describe("the values of a stand-alone peer", () => {
  test("live as long as was asked, to the second, and the last write wins", () => {
    const { clock, store, put, has } = storeOf();
    put(1, "a", { ttlSeconds: 10 });
    put(2, "a", { ttlSeconds: 65_535 });
    put(1, "b", { ttlSeconds: 20, bytes: 3 });
    clock.advance(19_999);
    expect(store.get(keyOf(1))).toEqual(bytesOf(3));
    clock.advance(1);
    expect(has(1, 2)).toEqual([2]);
    expect(store.size).toBe(1);
  });

  test("are copies", () => {
    const { store } = storeOf();
    const value = bytesOf(4);
    store.put({ key: keyOf(1), value, source: "a", ttlSeconds: 9 });
    value.fill(0);
    expect(store.get(keyOf(1))).toEqual(bytesOf(4));
  });

  test("of others survive a flood from one source, in number and in bytes", () => {
    for (const limits of [{ valuesMax: 10 }, { bytesMax: 100 }]) {
      const { store, put, has } = storeOf(limits);
      for (const index of [1, 2, 3]) put(index, "quiet");
      for (let index = 10; index < 110; index++) put(index, "flood");
      expect(has(1, 2, 3)).toEqual([1, 2, 3]);
      expect(has(102, 103, 108, 109)).toEqual([103, 108, 109]);
      expect(store.size).toBe(10);
    }
  });

  test("that are large survive a flood of small ones, and small ones a flood of large ones", () => {
    const { put, has } = storeOf({ valuesMax: 10, bytesMax: 10_000 });
    put(1, "quiet", { bytes: 1_000 });
    for (let index = 10; index < 110; index++) put(index, "flood", { bytes: 1 });
    expect(has(1)).toEqual([1]);
    const other = storeOf({ valuesMax: 100, bytesMax: 1_000 });
    for (const index of [1, 2, 3]) other.put(index, "quiet", { bytes: 1 });
    for (let index = 10; index < 20; index++) other.put(index, "flood", { bytes: 500 });
    expect(other.has(1, 2, 3)).toEqual([1, 2, 3]);
  });

  test("that have expired make room before anything else does", () => {
    const { clock, put, has } = storeOf({ valuesMax: 4 });
    put(1, "b", { ttlSeconds: 1 });
    for (const index of [2, 3, 4]) put(index);
    clock.advance(2_000);
    put(5);
    expect(has(1, 2, 3, 4, 5)).toEqual([2, 3, 4, 5]);
  });

  test("are none that is larger than all the room", () => {
    const { store, put } = storeOf({ bytesMax: 100 });
    put(1, "a", { bytes: 101 });
    expect(store.size).toBe(0);
  });
});
