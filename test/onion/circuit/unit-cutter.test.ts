import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { UnitCutter } from "../../../src/onion/circuit/unit-cutter.ts";

describe("a cutter of units", () => {
  it("gives views of a chunk that is all cells, and copies of one that keeps much else", () => {
    for (const besideBytes of [0, 200]) {
      const memory = new ArrayBuffer(90 + besideBytes);
      const cutter = new UnitCutter({ firstBytes: 30, cellBytes: 20 });
      const units = cutter.push(new Uint8Array(memory, 0, 90));
      expect(units.map(({ buffer }) => buffer === memory)).toEqual(
        units.map(() => besideBytes === 0),
      );
      expect(units.map(({ length }) => length)).toEqual([30, 20, 20, 20]);
    }
  });

  it("gives the same units however the bytes come", () => {
    const bytes = new SeededRandom(1).bytes(30 + 3 * 20 + 7);
    for (const step of [1, 7, 29, 30, 31, 97]) {
      const cutter = new UnitCutter({ firstBytes: 30, cellBytes: 20 });
      const units: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        units.push(...cutter.push(bytes.subarray(at, at + step)));
      }
      expect(units.map(({ length }) => length)).toEqual([30, 20, 20, 20]);
      expect(units.flatMap((unit) => [...unit])).toEqual([...bytes.subarray(0, 90)]);
    }
  });
});
