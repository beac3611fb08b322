import { describe, expect, it } from "vitest";
import { type CborInput, decodeCbor, encodeCbor, Fields } from "../../src/codec/index.ts";

const fieldsOf = (value: CborInput) =>
  Fields.of(decodeCbor(encodeCbor(value)), "CULVERT_BAD_STATE");

const state = fieldsOf({
  version: 1,
  offset: 2n ** 40n,
  big: 2n ** 63n,
  rate: 0.5,
  ended: false,
  name: "listener",
  key: new Uint8Array(32),
  list: [1, 2],
  inner: { deep: { count: -3 } },
  frames: [{ index: 1 }, { index: "two" }],
  mixed: [{}, 5],
  nothing: null,
});

describe("Fields", () => {
  it("gives each field as its type", () => {
    expect(state.integer("version")).toBe(1);
    expect(state.integer("offset")).toBe(2 ** 40);
    expect(state.number("rate")).toBe(0.5);
    expect(state.boolean("ended")).toBe(false);
    expect(state.text("name")).toBe("listener");
    expect(state.bytes("key", 32)).toEqual(new Uint8Array(32));
    expect(state.bytes("key")).toHaveLength(32);
    expect(state.list("list")).toEqual([1, 2]);
    expect(state.fields("inner").fields("deep").integer("count", { min: -3 })).toBe(-3);
    expect(state.fieldsList("frames")[0]?.integer("index")).toBe(1);
    expect(state.has("name")).toBe(true);
    expect(state.has("toString")).toBe(false);
  });

  const wrong: [string, () => unknown, string][] = [
    ["is missing", () => state.integer("nowhere"), "nowhere"],
    ["inherited", () => state.text("constructor"), "constructor"],
    ["is null", () => state.text("nothing"), "nothing"],
    ["a fraction", () => state.integer("rate"), "rate"],
    ["too large", () => state.integer("offset", { max: 10 }), "offset"],
    ["too small", () => state.integer("version", { min: 2 }), "version"],
    ["not safe", () => state.integer("big"), "big"],
    ["text for a number", () => state.number("name"), "name"],
    ["a number for text", () => state.text("version"), "version"],
    ["a number for a boolean", () => state.boolean("version"), "version"],
    ["bytes of another length", () => state.bytes("key", 31), "key"],
    ["text for bytes", () => state.bytes("name"), "name"],
    ["a map for a list", () => state.list("inner"), "inner"],
    ["a list for a map", () => state.fields("list"), "list"],
    ["bytes for a map", () => state.fields("key"), "key"],
    ["null for a map", () => state.fields("nothing"), "nothing"],
    ["deep below", () => state.fields("inner").fields("deep").integer("count"), "inner.deep.count"],
    ["in a list", () => state.fieldsList("frames")[1]?.integer("index"), "frames[1].index"],
    ["no map in a list", () => state.fieldsList("mixed"), "mixed[1]"],
  ];
  it.each(wrong)("names the field that is wrong: %s", (_, access, field) => {
    expect(access).toThrow(
      expect.objectContaining({ code: "CULVERT_BAD_STATE", detail: { field } }),
    );
  });

  it.each<[string, CborInput]>([
    ["a list", []],
    ["text", "map"],
    ["null", null],
    ["bytes", new Uint8Array(1)],
  ])("refuses %s for a document", (_, value) => {
    expect(() => fieldsOf(value)).toThrow(expect.objectContaining({ code: "CULVERT_BAD_STATE" }));
  });
});
