import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../src/base/index.ts";
import { WatchedRecords } from "../../src/dht/placement/watched-records.ts";

const CAPACITY = 300;

describe("the table of watched records", () => {
  it.each([1, 2, 3])("holds what a plain map would hold, with seed %i", (seed) => {
    const random = new SeededRandom(seed);
    const table = new WatchedRecords(CAPACITY, random.bytes(16));
    const model = new Map<string, { at: number; keepers: readonly string[] }>();
    const addresses = Array.from({ length: 500 }, () => random.bytes(32));
    for (let step = 0; step < 6_000; step++) {
      const address = addresses[Math.floor(random.unit() * addresses.length)] as Uint8Array;
      const slot = table.find(address);
      const known = model.get(toHex(address));
      expect(slot === undefined).toBe(known === undefined);
      const [chance, at] = [random.unit(), step + 1];
      if (slot === undefined) {
        if (table.isFull) {
          const { oldest = -1 } = table;
          const [first] = model.keys();
          expect(toHex(table.addressAt(oldest))).toBe(first);
          model.delete(first ?? "");
          table.remove(oldest);
        }
        const keepers = [`k${step % 7}`];
        table.add(address, at, keepers);
        model.set(toHex(address), { at, keepers });
      } else if (chance < 0.3) {
        table.remove(slot);
        model.delete(toHex(address));
      } else if (known !== undefined) {
        expect(table.expiresAt(slot)).toBe(known.at);
        expect(table.keepersAt(slot)).toEqual(known.keepers);
        table.extend(slot, chance < 0.6 ? at : 0);
        if (chance < 0.6) known.at = at;
      }
      expect(table.size).toBe(model.size);
    }
    const left: string[] = [];
    for (let slot = table.from(0); slot !== undefined; slot = table.from(slot + 1)) {
      left.push(toHex(table.addressAt(slot)));
    }
    expect(left.sort()).toEqual([...model.keys()].sort());
    expect(left.length).toBeGreaterThan(CAPACITY / 2);
  });
});
