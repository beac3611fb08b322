import { Encoder, EncoderStream } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, isCulvertError, SeededRandom } from "../../src/base/index.ts";
import {
  type CborInput,
  CborSequence,
  type CborValue,
  encodeCbor,
  type SequenceOptions,
} from "../../src/codec/index.ts";

const key = fc.string({ unit: "grapheme", maxLength: 8 }).filter((name) => name !== "__proto__");
const { value } = fc.letrec<{ value: CborInput }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.string({ unit: "grapheme", maxLength: 80 }),
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(key, tie("value"), { maxKeys: 6 }),
  ),
}));

/** Every value of a sequence, read from pieces of the given sizes, the last one again and again. */
function valuesOf(bytes: Uint8Array, sizes: readonly number[], options?: SequenceOptions) {
  const sequence = new CborSequence(options);
  const values: CborValue[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)] ?? 1;
    sequence.push(bytes.slice(at, at + size));
    at += size;
    for (let next = sequence.next(); next !== undefined; next = sequence.next()) values.push(next);
  }
  expect(sequence.isBetween).toBe(true);
  return values;
}

/** What a single document is refused with, or the value that it holds. */
function verdict(hex: string, options?: SequenceOptions): unknown {
  const sequence = new CborSequence(options);
  sequence.push(fromHex(hex));
  try {
    return sequence.next();
  } catch (error) {
    if (isCulvertError(error)) return error.code;
    throw error;
  }
}

/** What a stream of cbor-x writes for some values. */
async function writtenByCborX(values: readonly unknown[], options?: object): Promise<Uint8Array> {
  const stream = new EncoderStream(options);
  for (const item of values) stream.write(item);
  stream.end();
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(new Uint8Array(piece as Uint8Array));
  return concatBytes(...pieces);
}

const PLAIN: readonly CborValue[] = [
  0,
  23,
  24,
  -500,
  65_536,
  2 ** 32 + 1,
  Number.MAX_SAFE_INTEGER,
  -(2 ** 40),
  1.5,
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  2n ** 60n,
  -(2n ** 60n),
  "",
  "é".repeat(20),
  "x".repeat(70_000),
  new Uint8Array([1, 2, 3]),
  [1, [2, [null]]],
  {},
  { a: 1, b: { a: 2, b: "two" } },
  [
    { x: 1, y: 2 },
    { x: 3, y: 4 },
    { y: 5, x: 6 },
  ],
  { deep: { deep: { deep: { deep: 1 } } } },
  true,
];

describe("a CBOR sequence", () => {
  it("gives back every value, whatever the pieces are", () => {
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
        (values, sizes) => {
          const bytes = concatBytes(...values.map((value) => encodeCbor(value)));
          expect(valuesOf(bytes, sizes)).toEqual(values);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    ["as it comes", undefined],
    ["without records", { useRecords: false }],
    ["with short floats", { useRecords: false, useFloat32: 3 }],
  ])("reads what cbor-x writes for plain values, %s", async (_name, options) => {
    const bytes = await writtenByCborX(PLAIN, options);
    expect(valuesOf(bytes, [bytes.length])).toEqual(PLAIN);
    expect(valuesOf(bytes, [1])).toEqual(PLAIN);
    expect(valuesOf(bytes, [3, 7, 11])).toEqual(PLAIN);
  });

  it("reads what cbor-x writes for any objects, again and again", async () => {
    const objects = fc.array(fc.dictionary(key, value, { maxKeys: 4 }), { maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(objects, async (list) => {
        expect(valuesOf(await writtenByCborX(list), [5])).toEqual(list);
      }),
      { numRuns: 200 },
    );
    // More kinds of objects than cbor-x has numbers for.
    const many = Array.from({ length: 600 }, (_, i) => ({ [`k${i % 300}`]: i }));
    expect(valuesOf(await writtenByCborX(many), [4_096])).toEqual(many);
  });

  it("leaves out what is undefined", async () => {
    const bytes = await writtenByCborX([{ a: undefined, b: [undefined] }, undefined]);
    expect(valuesOf(bytes, [2])).toEqual([{ b: [null] }, null]);
  });

  it("reads heads and floats of any length", () => {
    expect(verdict("1b0000000000000001")).toBe(1);
    expect(verdict("9a00000001f5")).toEqual([true]);
    expect(verdict("b900016161f6")).toEqual({ a: null });
    expect(verdict("f93e00")).toBe(1.5);
    expect(verdict("f90001")).toBe(2 ** -24);
    expect(verdict("f9fc00")).toBe(Number.NEGATIVE_INFINITY);
    expect(verdict("fa40490fdb")).toBeCloseTo(Math.PI, 5);
    expect(verdict("3bffffffffffffffff")).toBe(-(2n ** 64n));
  });

  it("refuses what is not plain", () => {
    const hostile = {
      "an indefinite list": "9fff",
      "an indefinite text": "7f6161ff",
      "a break": "ff",
      "a date": "c11a00000000",
      "a bignum": "c249010000000000000000",
      "a tag on a tag": "d840d84040",
      "tag 64 on a text": "d8406161",
      "tag 64 on a list": "d84080",
      "a record that nobody has defined": "d9e0008101",
      "a record with too few values": "d9dfff8319e00082616161620a",
      "a record without a number": "d9dfff83018161610a",
      "a record without keys": "d9dfff8119e000",
      "keys of a record that are no text": "d9dfff8319e00081010a",
      "a key that is no text": "a10102",
      "a key twice": "a2616101616102",
      "__proto__ as a key": "a1695f5f70726f746f5f5f01",
      "text that is no UTF-8": "62c328",
      "a simple value": "e0",
      "a reserved head": "1c",
    };
    for (const [name, hex] of Object.entries(hostile)) {
      expect([name, verdict(hex)]).toEqual([name, "CULVERT_PROTOCOL"]);
    }
  });

  it("refuses what is too large before it is there", async () => {
    expect(verdict("5a00100001")).toBe("CULVERT_TOO_LARGE");
    expect(verdict("9bffffffffffffffff")).toBe("CULVERT_TOO_LARGE");
    expect(verdict("bb7fffffffffffffff")).toBe("CULVERT_TOO_LARGE");
    expect(verdict("830102", { maxBytes: 3 })).toBe("CULVERT_TOO_LARGE");
    expect(verdict("820102", { maxBytes: 3 })).toEqual([1, 2]);
    expect(verdict(`${"81".repeat(64)}01`, { maxDepth: 63 })).toBe("CULVERT_PROTOCOL");
    expect(verdict(`${"81".repeat(64)}01`)).not.toBe("CULVERT_PROTOCOL");
    const key100 = "x".repeat(100);
    const records = await writtenByCborX(
      Array.from({ length: 90 }, (_, i) => ({ [key100 + i]: 1 })),
    );
    expect(() => valuesOf(records, [999], { maxBytes: 8_000 })).toThrow("too many keys");
  });

  it("keeps nothing of the pieces", () => {
    const sequence = new CborSequence();
    const piece = encodeCbor(new Uint8Array([1, 2, 3]));
    sequence.push(piece);
    const bytes = sequence.next();
    piece.fill(9);
    expect(bytes).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("takes or refuses any bytes", () => {
    const random = new SeededRandom(3);
    const document = new Uint8Array(new Encoder().encode({ a: [1, "two", { a: 3 }], b: 1.5 }));
    for (let i = 0; i < 20_000; i++) {
      const bytes = random.unit() < 0.3 ? random.bytes(random.below(30)) : document.slice();
      for (let j = random.below(3); j >= 0; j--)
        bytes[random.below(bytes.length)] = random.below(256);
      const sequence = new CborSequence();
      try {
        sequence.push(bytes);
        while (sequence.next() !== undefined);
      } catch (error) {
        if (
          !isCulvertError(error, "CULVERT_PROTOCOL") &&
          !isCulvertError(error, "CULVERT_TOO_LARGE")
        )
          throw error;
      }
    }
  });
});
