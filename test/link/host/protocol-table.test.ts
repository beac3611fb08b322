import { describe, expect, it } from "vitest";
import { ProtocolTable } from "../../../src/link/host/protocol-table.ts";

describe("who takes what comes for a protocol", () => {
  it("is the one that was named last", () => {
    const table = new ProtocolTable<string>();
    table.set("map", "the first");
    table.set("map", "the second");
    table.set("rpc", "another one");
    expect(table.get("map")).toBe("the second");
    expect(table.get("rpc")).toBe("another one");
    expect(table.get("onion")).toBeUndefined();
  });

  it("is nobody once the last one has taken itself back", () => {
    const table = new ProtocolTable<string>();
    const cancelFirst = table.set("map", "the first");
    const cancelSecond = table.set("map", "the second");
    cancelFirst();
    expect(table.get("map")).toBe("the second");
    cancelSecond();
    expect(table.get("map")).toBeUndefined();
    cancelSecond();
    cancelFirst();
    expect(table.get("map")).toBeUndefined();
  });

  it("is for names that fit a frame alone", () => {
    const table = new ProtocolTable<string>();
    for (const name of ["", "Map", "m ap", "x".repeat(65)]) {
      expect(() => table.set(name, "anybody")).toThrow(RangeError);
    }
    expect(table.get("Map")).toBeUndefined();
  });
});
