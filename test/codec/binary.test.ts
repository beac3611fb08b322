import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CulvertError, isCulvertError } from "../../src/base/index.ts";
import { Reader, Writer } from "../../src/codec/index.ts";

type Field =
  | { readonly kind: "u8" | "u16" | "u32" | "u48"; readonly value: number }
  | { readonly kind: "bytes"; readonly value: Uint8Array };

const unsigned = (kind: "u8" | "u16" | "u32" | "u48", bits: number) =>
  fc
    .bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })
    .map((value): Field => ({ kind, value: Number(value) }));
const field: fc.Arbitrary<Field> = fc.oneof(
  unsigned("u8", 8),
  unsigned("u16", 16),
  unsigned("u32", 32),
  unsigned("u48", 48),
  fc.uint8Array({ maxLength: 80 }).map((value): Field => ({ kind: "bytes", value })),
);

function write(writer: Writer, item: Field): void {
  if (item.kind === "bytes") writer.bytes(item.value);
  else writer[item.kind](item.value);
}

function read(reader: Reader, item: Field): number | Uint8Array {
  return item.kind === "bytes"
    ? reader.bytes(item.value.length, "item")
    : reader[item.kind]("item");
}

describe("Writer and Reader", () => {
  it("give back every sequence of fields", () => {
    fc.assert(
      fc.property(fc.array(field), (items) => {
        const writer = new Writer(1);
        for (const item of items) write(writer, item);
        const bytes = writer.finish();
        const reader = new Reader(bytes);
        for (const item of items) expect(read(reader, item)).toEqual(item.value);
        expect(reader.remaining).toBe(0);
        reader.expectEnd();
      }),
    );
  });

  it("write the same into a given buffer", () => {
    fc.assert(
      fc.property(fc.array(field), (items) => {
        const grown = new Writer();
        for (const item of items) write(grown, item);
        const expected = grown.finish();
        const room = new Uint8Array(expected.length + 5).fill(0xaa);
        const given = Writer.into(room.subarray(2));
        for (const item of items) write(given, item);
        expect(given.finish()).toEqual(expected);
        expect(given.finish().buffer).toBe(room.buffer);
        expect([...room.subarray(0, 2), ...room.subarray(-3)]).toEqual([170, 170, 170, 170, 170]);
      }),
    );
  });

  it("are big-endian", () => {
    const bytes = new Writer()
      .u8(1)
      .u16(0x0203)
      .u32(0x04050607)
      .u48(0x08090a0b0c0d)
      .zeros(2)
      .finish();
    expect([...bytes.subarray(0, 13)]).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
    expect([...bytes.subarray(13)]).toEqual([0, 0]);
  });
});

describe("Reader", () => {
  it("refuses every cut with field and offset, and nothing else is thrown", () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1 }), fc.nat(), (items, cut) => {
        const writer = new Writer();
        for (const item of items) write(writer, item);
        const whole = writer.finish();
        fc.pre(whole.length > 0);
        const reader = new Reader(whole.subarray(0, cut % whole.length));
        let before = 0;
        try {
          for (const item of items) {
            before = reader.offset;
            read(reader, item);
          }
        } catch (error) {
          if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
          expect(error.detail).toEqual({ field: "item", offset: before });
          return;
        }
        throw new Error("read beyond the end");
      }),
    );
  });

  it("reads a view with an offset of its own", () => {
    const reader = new Reader(Uint8Array.of(9, 9, 1, 2, 3).subarray(2));
    expect(reader.u16("a")).toBe(0x0102);
    expect([...reader.rest()]).toEqual([3]);
    expect(reader.remaining).toBe(0);
  });

  it("gives views, not copies", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const reader = new Reader(bytes);
    const view = reader.bytes(2, "view");
    bytes[0] = 7;
    expect(view[0]).toBe(7);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    "refuses %d bytes",
    (length) => {
      expect(() => new Reader(new Uint8Array(4)).bytes(length, "some")).toThrow(CulvertError);
    },
  );

  it("refuses what is left over, and what its user refuses", () => {
    const reader = new Reader(Uint8Array.of(1, 2));
    reader.u8("version");
    expect(() => reader.expectEnd()).toThrow(
      expect.objectContaining({ code: "CULVERT_PROTOCOL", detail: { field: "end", offset: 1 } }),
    );
    expect(() => reader.refuse("version", "is 1")).toThrow(
      expect.objectContaining({
        detail: { field: "version", offset: 1 },
        message: "version: is 1",
      }),
    );
  });
});

describe("Writer", () => {
  const calls: [string, (writer: Writer) => void][] = [
    ["u8 256", (writer) => writer.u8(256)],
    ["u8 -1", (writer) => writer.u8(-1)],
    ["u8 0.5", (writer) => writer.u8(0.5)],
    ["u16 65536", (writer) => writer.u16(65536)],
    ["u32 2^32", (writer) => writer.u32(2 ** 32)],
    ["u48 2^48", (writer) => writer.u48(2 ** 48)],
    ["u48 NaN", (writer) => writer.u48(Number.NaN)],
    ["zeros -1", (writer) => writer.zeros(-1)],
  ];
  it.each(calls)("refuses %s", (_, call) => {
    const writer = new Writer();
    expect(() => call(writer)).toThrow(RangeError);
    expect(writer.finish()).toEqual(new Uint8Array(0));
  });

  it("refuses more than a given buffer holds", () => {
    const writer = Writer.into(new Uint8Array(3)).u16(1);
    expect(() => writer.u16(1)).toThrow(RangeError);
    expect(writer.u8(5).finish()).toEqual(Uint8Array.of(0, 1, 5));
  });
});
