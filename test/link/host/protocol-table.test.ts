import { describe, expect, it } from "vitest";
import { ProtocolTable } from "../../../src/link/host/protocol-table.ts";

const [first, second, another] = [() => {}, () => {}, () => {}] as const;

describe("who takes what comes for a protocol", () => {
  it("is the one that was named last", () => {
    const table = new ProtocolTable<() => void>();
    table.set("map", first);
    table.set("map", second);
    table.set("rpc", another);
    expect(table.get("map")).toBe(second);
    expect(table.get("rpc")).toBe(another);
    expect(table.get("onion")).toBeUndefined();
  });

  it("is nobody once the last one has taken itself back", () => {
    const table = new ProtocolTable<() => void>();
    const cancelFirst = table.set("map", first);
    const cancelSecond = table.set("map", second);
    cancelFirst();
    expect(table.get("map")).toBe(second);
    cancelSecond();
    expect(table.get("map")).toBeUndefined();
    cancelSecond();
    cancelFirst();
    expect(table.get("map")).toBeUndefined();
  });

  it("is for names that fit a frame alone", () => {
    const table = new ProtocolTable<() => void>();
    for (const name of ["", "Map", "m ap", "x".repeat(65)]) {
      expect(() => table.set(name, first)).toThrow(RangeError);
    }
    expect(table.get("Map")).toBeUndefined();
  });
});
