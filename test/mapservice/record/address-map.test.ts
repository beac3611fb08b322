import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { AddressHash } from "../../../src/mapservice/record/address-hash.ts";
import { AddressMap } from "../../../src/mapservice/record/address-map.ts";
import { AddressTable } from "../../../src/mapservice/record/address-table.ts";

const hash = new AddressHash(new SeededRandom(7).bytes(165));

/** Under which all addresses are in one chain. */
const oneChain = { of: () => 5 } as unknown as AddressHash;

describe.each([
  ["many chains", hash],
  ["one chain", oneChain],
])("a map from addresses, of %s", (_, by) => {
  it.each([1, 2, 3])("finds what the engine's own map finds (seed %d)", (seed) => {
    const random = new SeededRandom(seed);
    const map = new AddressMap<number>(by);
    const model = new Map<string, number>();
    const addresses = Array.from({ length: 90 }, () => random.bytes(32));
    for (let step = 0; step < 3_000; step++) {
      const address = addresses[random.below(addresses.length)] as Uint8Array;
      // By turns more comes than goes, and more goes than comes.
      if (random.below(10) < (step % 1_000 < 500 ? 7 : 2)) {
        map.set(Uint8Array.from(address), step + 1);
        model.set(toHex(address), step + 1);
      } else {
        map.delete(address);
        model.delete(toHex(address));
      }
      for (const each of [address, addresses[step % addresses.length] as Uint8Array]) {
        expect(map.get(each)).toBe(model.get(toHex(each)));
        expect(map.has(each)).toBe(model.has(toHex(each)));
      }
      expect(map.size).toBe(model.size);
    }
    expect([...map.values()].sort()).toEqual([...model.values()].sort());
    map.clear();
    expect([map.size, map.values(), map.has(addresses[0] as Uint8Array)]).toEqual([0, [], false]);
  });
});

describe("a table of addresses", () => {
  it("copies them, tells them apart by every byte, and takes no others", () => {
    const table = new AddressTable(oneChain);
    const address = new SeededRandom(1).bytes(32);
    const number = table.findOrAdd(address);
    const before = Uint8Array.from(address);
    address.fill(0);
    expect(table.find(before)).toBe(number);
    expect(table.addressOf(number)).toEqual(before);
    for (let at = 0; at < 32; at++) {
      const other = before.with(at, (before[at] as number) ^ 1);
      expect(table.find(other), `byte ${at}`).toBeUndefined();
    }
    const other = new AddressTable(hash);
    expect(() => other.find(new Uint8Array(31))).toThrow("an address has its length");
    expect(() => other.findOrAdd(new Uint8Array(33))).toThrow("an address has its length");
  });

  it("uses numbers again, so that arrays by them stay short", () => {
    const random = new SeededRandom(2);
    const table = new AddressTable(hash);
    const numbers = Array.from({ length: 20 }, () => table.findOrAdd(random.bytes(32)));
    for (let round = 0; round < 1_000; round++) {
      table.remove(numbers.shift() as number);
      numbers.push(table.findOrAdd(random.bytes(32)));
    }
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect([table.size, table.capacity]).toEqual([20, 32]);
  });

  it("gives its memory back once it is empty, if that is much", () => {
    const random = new SeededRandom(3);
    const table = new AddressTable(hash);
    for (const [count, left] of [
      [1_024, 1_024],
      [1_025, 0],
    ] as const) {
      const addresses = Array.from({ length: count }, () => random.bytes(32));
      const numbers = addresses.map((address) => table.findOrAdd(address));
      for (const number of numbers) table.remove(number);
      expect([table.size, table.capacity]).toEqual([0, left]);
      expect(addresses.some((address) => table.find(address) !== undefined)).toBe(false);
    }
  });
});
