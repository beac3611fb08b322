import { Encoder } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, isCulvertError, SeededRandom, toHex } from "../../src/base/index.ts";
import {
  type CborInput,
  type CborValue,
  type DecodeOptions,
  decodeCbor,
  encodeCbor,
} from "../../src/codec/index.ts";

/** What is written, in the form in which it comes back. */
function normal(value: CborInput): CborValue {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    const entries = Object.entries(value);
    const there = entries.filter((entry): entry is [string, CborInput] => entry[1] !== undefined);
    return Object.fromEntries(there.map(([key, item]) => [key, normal(item)]));
  }
  return value as CborValue;
}

const key = fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__proto__");
const { value } = fc.letrec<{ value: CborInput; leaf: CborInput }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
    fc.string({ unit: "grapheme", maxLength: 80 }),
    fc.uint8Array({ maxLength: 80 }),
  ),
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(key, tie("value"), { maxKeys: 6 }),
  ),
}));

function verdict(bytes: Uint8Array, options?: DecodeOptions): CborValue | "refused" {
  try {
    return decodeCbor(bytes, options);
  } catch (error) {
    if (isCulvertError(error, options?.code ?? "CULVERT_PROTOCOL")) return "refused";
    throw error;
  }
}

describe("encodeCbor and decodeCbor", () => {
  it("give back every value", () => {
    fc.assert(
      fc.property(value, (input) => {
        expect(decodeCbor(encodeCbor(input))).toEqual(normal(input));
      }),
      { numRuns: 500 },
    );
  });

  // RFC 8949, appendix A: what of it is in the subset.
  it.each<[CborInput, string]>([
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [100, "1864"],
    [1000, "1903e8"],
    [1000000, "1a000f4240"],
    [1000000000000, "1b000000e8d4a51000"],
    [18446744073709551615n, "1bffffffffffffffff"],
    [-1, "20"],
    [-100, "3863"],
    [-1000, "3903e7"],
    [1.1, "fb3ff199999999999a"],
    [1.0e300, "fb7e37e43c8800759c"],
    [-4.1, "fbc010666666666666"],
    [Number.POSITIVE_INFINITY, "fb7ff0000000000000"],
    [Number.NaN, "fb7ff8000000000000"],
    [false, "f4"],
    [true, "f5"],
    [null, "f6"],
    [Uint8Array.of(1, 2, 3, 4), "4401020304"],
    ["", "60"],
    ["IETF", "6449455446"],
    ["ü", "62c3bc"],
    ["\u{10151}", "64f0908591"],
    [[], "80"],
    [[1, [2, 3], [4, 5]], "8301820203820405"],
    [{}, "a0"],
    [{ a: 1, b: [2, 3] }, "a26161016162820203"],
    [["a", { b: "c" }], "826161a161626163"],
  ])("write and read %s as %s", (input, hex) => {
    expect(toHex(encodeCbor(input))).toBe(hex);
    expect(decodeCbor(fromHex(hex))).toEqual(normal(input));
  });

  it.each<[bigint, string]>([
    [2n ** 32n - 1n, "1affffffff"],
    [2n ** 32n, "1b0000000100000000"],
    [-(2n ** 31n) - 1n, "3a80000000"],
    [-(2n ** 32n), "3affffffff"],
    [-(2n ** 32n) - 1n, "3b0000000100000000"],
    [2n ** 53n - 1n, "1b001fffffffffffff"],
    [-(2n ** 53n) + 1n, "3b001ffffffffffffe"],
  ])("write %d the same as number and as bigint, and give the number", (integer, hex) => {
    expect(toHex(encodeCbor(integer))).toBe(hex);
    expect(toHex(encodeCbor(Number(integer)))).toBe(hex);
    expect(decodeCbor(fromHex(hex))).toBe(Number(integer));
  });

  it.each([2n ** 53n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 64n) + 1n])(
    "give %d as bigint",
    (n) => {
      expect(decodeCbor(encodeCbor(n))).toBe(n);
    },
  );

  it("leave out what is undefined", () => {
    expect(decodeCbor(encodeCbor({ a: undefined, b: 1 }))).toEqual({ b: 1 });
  });

  it("keep the names that objects have of their own", () => {
    const input = { constructor: 1, toString: "x", hasOwnProperty: null, toJSON: [2] };
    expect(decodeCbor(encodeCbor(input))).toEqual(input);
  });

  it("share no memory with the bytes, and leave no trace on them", () => {
    const bytes = encodeCbor([Uint8Array.of(1, 2, 3)]);
    const decoded = decodeCbor(bytes);
    expect(Object.keys(bytes)).toHaveLength(bytes.length);
    bytes.fill(0);
    expect(decoded).toEqual([Uint8Array.of(1, 2, 3)]);
    const first = encodeCbor("one");
    encodeCbor("two and more");
    expect(decodeCbor(first)).toBe("one");
  });
});

describe("encodeCbor", () => {
  const bad: [string, unknown][] = [
    ["a function", () => {}],
    ["a symbol", Symbol("s")],
    ["undefined", undefined],
    ["undefined in a list", [undefined]],
    ["a hole in a list", new Array(2)],
    ["a Date", new Date(0)],
    ["a Map", new Map([["a", 1]])],
    ["a Set", new Set([1])],
    ["a class's object", new (class Thing {})()],
    ["another typed array", new Uint16Array(2)],
    ["2^64", 2n ** 64n],
    ["-2^64", -(2n ** 64n)],
    ["half a surrogate pair", "\ud800"],
    ["half a surrogate pair as key", { "\udc00": 1 }],
    ["a __proto__ of its own", JSON.parse('{"__proto__": 1}')],
    ["a cycle", cycle()],
  ];
  it.each(bad)("refuses %s", (_, input) => {
    expect(() => encodeCbor(input as CborInput)).toThrow(TypeError);
  });
});

function cycle(): unknown {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

describe("decodeCbor", () => {
  it.each([
    ["nothing", ""],
    ["bytes after the end", "0000"],
    ["a cut head", "19ff"],
    ["a cut text", "6261"],
    ["a cut list", "8201"],
    ["a cut map", "a16161"],
    ["a long form of 0", "1800"],
    ["a long form of 255", "1900ff"],
    ["a long form of 65535", "1a0000ffff"],
    ["a long form of 2^32 - 1", "1b00000000ffffffff"],
    ["a long form of a length", "580101"],
    ["a long form of a count", "980100"],
    ["a length of 8 bytes", "5b000000000000000101"],
    ["an indefinite list", "9f01ff"],
    ["an indefinite map", "bf616101ff"],
    ["an indefinite text", "7f6161ff"],
    ["indefinite bytes", "5f4101ff"],
    ["a lone break", "ff"],
    ["a reserved length", "1c"],
    ["a tag", "c074323031332d30332d32315432303a30343a30305a"],
    ["a bignum", "c249010000000000000000"],
    ["a packed reference", "c600"],
    ["a record", "d9dfff83196900816161f6"],
    ["undefined", "f7"],
    ["a simple value", "f0"],
    ["a simple value of two bytes", "f8ff"],
    ["half a float", "f93c00"],
    ["a short float", "fa47c35000"],
    ["a float that is an integer", "fb3ff0000000000000"],
    ["a float that is -0", "fb8000000000000000"],
    ["another NaN", "fb7ff8000000000001"],
    ["a signalling NaN", "fb7ff0000000000001"],
    ["a key that is no text", "a10102"],
    ["a key that is bytes", "a1416101"],
    ["a key twice", "a2616101616102"],
    ["the key __proto__", "a1695f5f70726f746f5f5f01"],
    ["text that is no UTF-8", "61ff"],
    ["text that is a long form of UTF-8", "62c080"],
    ["text with half a surrogate pair", "63eda080"],
    ["keys in an order that JavaScript does not keep", "a2623130016132 02".replace(" ", "")],
    ["-2^64", "3bffffffffffffffff"],
    ["a list of 2^32 - 1 items", "9affffffff"],
    ["a map of 2^32 - 1 items", "baffffffff"],
    ["a text of 2^32 - 1 bytes", "7affffffff"],
  ])("refuses %s", (_, hex) => {
    expect(verdict(fromHex(hex))).toBe("refused");
  });

  it("bounds the length and the depth before it decodes", () => {
    const deep = (depth: number) => fromHex(`${"81".repeat(depth)}00`);
    expect(verdict(deep(16))).not.toBe("refused");
    expect(verdict(deep(17))).toBe("refused");
    expect(verdict(deep(17), { maxDepth: 17 })).not.toBe("refused");
    expect(verdict(deep(300), { maxDepth: 1e9 })).toBe("refused");
    expect(verdict(deep(1_000_000))).toBe("refused");
    expect(verdict(encodeCbor("abc"), { maxBytes: 4 })).toBe("abc");
    expect(verdict(encodeCbor("abcd"), { maxBytes: 4 })).toBe("refused");
  });

  it("refuses with the code asked for, and tells the offset", () => {
    const options = { code: "CULVERT_BAD_STATE" } as const;
    expect(() => decodeCbor(fromHex("820118ff00"), options)).toThrow(
      expect.objectContaining({
        code: "CULVERT_BAD_STATE",
        detail: { field: "cbor", offset: 4 },
      }),
    );
  });

  it("takes only what it would write itself", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = verdict(bytes);
        if (decoded !== "refused") expect(encodeCbor(decoded)).toEqual(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it("takes or refuses every document with one byte changed, cut or added", () => {
    const random = new SeededRandom(5);
    fc.assert(
      fc.property(value, (input) => {
        const whole = encodeCbor(input);
        for (let i = 0; i < 30; i++) {
          const at = random.below(whole.length);
          const changed = whole.with(at, random.below(256));
          for (const bytes of [changed, whole.subarray(0, at), whole.subarray(at)]) {
            const decoded = verdict(bytes);
            if (decoded !== "refused") expect(encodeCbor(decoded)).toEqual(bytes);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it("refuses what cbor-x writes in its own forms", () => {
    const encoder = new Encoder();
    for (const input of [new Date(0), new Set([1]), { a: 1 }, 2 ** 40, 5n]) {
      expect(verdict(new Uint8Array(encoder.encode(input)))).toBe("refused");
    }
  });

  it("takes linear time for the worst of 1 MiB", () => {
    const flat = new Uint8Array(2 ** 20).fill(0xf6);
    flat.set(fromHex("9a000ffffb"));
    expect(verdict(flat)).toHaveLength(2 ** 20 - 5);
  });
});
