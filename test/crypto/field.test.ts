import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import {
  add,
  invert,
  LIMBS,
  loadNumber,
  multiply,
  numberAt,
  subtract,
} from "../../src/crypto/field.ts";

const P = 2n ** 255n - 19n;
const EDGES = [
  0n,
  1n,
  2n,
  18n,
  19n,
  2n ** 128n,
  2n ** 254n,
  (P - 1n) / 2n,
  P - 19n,
  P - 2n,
  P - 1n,
];

const random = new SeededRandom(11);
const anyNumber = (): bigint => BigInt(`0x${Buffer.from(random.bytes(40)).toString("hex")}`) % P;
const NUMBERS = [...EDGES, ...Array.from({ length: 40 }, anyNumber)];

const modP = (value: bigint): bigint => ((value % P) + P) % P;

function laidOut(value: bigint): Float64Array {
  const limbs = new Float64Array(LIMBS);
  loadNumber(limbs, 0, value);
  return limbs;
}

/** The number that limbs stand for, by their definition alone. */
function exactly(limbs: Float64Array): bigint {
  return limbs.reduce((sum, limb) => sum + BigInt(limb), 0n);
}

/** What an operation makes of two numbers, as limbs. */
function made(operation: typeof multiply, a: Float64Array, b: Float64Array): Float64Array {
  const into = new Float64Array(LIMBS);
  operation(into, 0, a, 0, b, 0);
  return into;
}

describe("numbers modulo 2^255 - 19", () => {
  test("are laid out and read again", () => {
    for (const value of NUMBERS) expect(numberAt(laidOut(value), 0)).toBe(value);
    expect(() => laidOut(P)).toThrow();
    expect(() => laidOut(-1n)).toThrow();
  });

  test("are added, subtracted and multiplied as bigints are", () => {
    for (const a of NUMBERS) {
      for (const b of NUMBERS) {
        const [x, y] = [laidOut(a), laidOut(b)];
        expect(numberAt(made(add, x, y), 0)).toBe(modP(a + b));
        expect(numberAt(made(subtract, x, y), 0)).toBe(modP(a - b));
        expect(numberAt(made(multiply, x, y), 0)).toBe(modP(a * b));
      }
    }
  });

  test("are multiplied exactly when both factors are sums of three of the largest", () => {
    // Limb i of a product is rounded to half of what limb i + 1 counts, and some more for a carry.
    const largest = Float64Array.from({ length: LIMBS }, (_, i) => {
      const [from, to] = [Math.ceil(21.25 * i), Math.ceil(21.25 * (i + 1))];
      return 3 * (2 ** (to - 1) + 2 ** Math.max(from, to - 7));
    });
    for (let i = 0; i < 500; i++) {
      const signed = (): Float64Array =>
        largest.map((limb) => (i === 0 || random.unit() < 0.5 ? limb : -limb));
      const [x, y] = [signed(), signed()];
      const product = made(multiply, x, y);
      expect(numberAt(product, 0)).toBe(modP(exactly(x) * exactly(y)));
      for (const [limb, value] of product.entries()) {
        expect(Math.abs(value)).toBeLessThanOrEqual((largest[limb] as number) / 3);
      }
    }
  });

  test("have inverses, and 0 has itself", () => {
    for (const a of NUMBERS) {
      const inverse = new Float64Array(2 * LIMBS);
      invert(inverse, LIMBS, laidOut(a), 0);
      expect(modP(numberAt(inverse, LIMBS) * a)).toBe(a === 0n ? 0n : 1n);
    }
  });

  test("may be put where an operand was", () => {
    const [a, b] = [anyNumber(), anyNumber()];
    for (const operation of [add, subtract, multiply]) {
      for (const at of [0, LIMBS]) {
        const numbers = Float64Array.of(...laidOut(a), ...laidOut(b));
        const expected = numberAt(made(operation, laidOut(a), laidOut(b)), 0);
        operation(numbers, at, numbers, 0, numbers, LIMBS);
        expect(numberAt(numbers, at)).toBe(expected);
      }
    }
    const numbers = laidOut(a);
    invert(numbers, 0, numbers, 0);
    expect(modP(numberAt(numbers, 0) * a)).toBe(1n);
  });
});
