import { ed25519 } from "@noble/curves/ed25519.js";
import { add, invert, LIMBS, loadNumber, multiply, numberAt, subtract } from "./field.ts";
import { toLittleEndian } from "./scalar.ts";

const { Fp } = ed25519.Point;
const TWICE_D = new Float64Array(LIMBS);
loadNumber(TWICE_D, 0, Fp.create(2n * ed25519.Point.CURVE().d));

/** Bits of a digit. With 5 a product multiplies an eighth less, and its table takes 1.6 times. */
const WINDOW = 4;
const HALF = 1 << (WINDOW - 1);
/** 64 digits cover 256 bits: a scalar below L has 253, so the last carry always has room. */
const DIGITS = 64;

/**
 * A point in extended coordinates is X ‖ Y ‖ Z ‖ T: x = X/Z, y = Y/Z, x·y = T/Z. As an addend, one
 * that enters sums, it is Y + X ‖ Y - X ‖ 2·d·T ‖ 2·Z. Both have so many doubles.
 */
const POINT = 4 * LIMBS;
/** An addend for each digit from 0 on. */
const ROW = (HALF + 1) * POINT;

/** Where sums are made: a point, and what leads to the next one. */
const w = new Float64Array(3 * POINT);
/** Of each product until it is encoded: its X, Y and Z, and the product of all Z up to its own. */
const SUM = 4 * LIMBS;
const [X, Y, Z, T] = [0, LIMBS, 2 * LIMBS, 3 * LIMBS];
const [A, B, C, D] = [4 * LIMBS, 5 * LIMBS, 6 * LIMBS, 7 * LIMBS];
const [E, F, G, H] = [8 * LIMBS, 9 * LIMBS, 10 * LIMBS, 11 * LIMBS];

/**
 * A point of edwards25519 that is multiplied often: with a table of its multiples a product takes
 * 64 additions and no doubling. A table takes 220 kB.
 *
 * Every scalar takes the same steps, on numbers that take the same time whatever they are; but
 * which addends are read goes by the scalar, as in noble's tables.
 * Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 2008; complete on
 * this curve, so points with a small-order part are right too.
 */
export class FixedBase {
  /** Row i has 0, 1 … 8 times 16^i · point. */
  readonly #table = new Float64Array(DIGITS * ROW);

  /** @param point affine coordinates of a point on the curve */
  constructor({ x, y }: { readonly x: bigint; readonly y: bigint }) {
    const table = this.#table;
    begin(x, y);
    for (let row = 0; row < table.length; row += ROW) {
      const [first, last] = [row + POINT, row + HALF * POINT];
      [table[row], table[row + LIMBS], table[row + 3 * LIMBS]] = [1, 1, 2];
      for (let at = first; at <= last; at += POINT) {
        makeAddend(table, at);
        addTo(table, at === last ? last : first, false);
      }
    }
  }

  /**
   * scalar · point, encoded, for each scalar: 32 bytes little-endian, below L. All of them share
   * one inversion, which is more than a quarter of a product that is made alone.
   */
  multiply(scalars: readonly Uint8Array[]): Uint8Array[] {
    const sums = new Float64Array(scalars.length * SUM);
    for (const [i, scalar] of scalars.entries()) {
      this.#add(scalar);
      sums.set(w.subarray(X, T), i * SUM);
    }
    const encoded = encodeAll(sums);
    w.fill(0);
    sums.fill(0);
    return encoded;
  }

  /** Makes scalar · point the sum. */
  #add(scalar: Uint8Array): void {
    begin(0n, 1n);
    let carry = 0;
    for (let i = 0; i < DIGITS; i++) {
      const raw = (((scalar[i >> 1] as number) >> (4 * (i & 1))) & 15) + carry;
      carry = raw > HALF ? 1 : 0;
      const digit = raw - (carry << WINDOW);
      addTo(this.#table, i * ROW + Math.abs(digit) * POINT, digit < 0);
    }
  }
}

/** Begins a sum with an affine point. */
function begin(x: bigint, y: bigint): void {
  loadNumber(w, X, x);
  loadNumber(w, Y, y);
  loadNumber(w, Z, 1n);
  multiply(w, T, w, X, w, Y);
}

/** The sum as an addend. */
function makeAddend(into: Float64Array, at: number): void {
  add(into, at, w, Y, w, X);
  subtract(into, at + LIMBS, w, Y, w, X);
  multiply(into, at + 2 * LIMBS, w, T, TWICE_D, 0);
  add(into, at + 3 * LIMBS, w, Z, w, Z);
}

/** Adds an addend, or what that is the negative of, to the sum. */
function addTo(from: Float64Array, at: number, isNegative: boolean): void {
  const [plus, minus] = isNegative ? [at + LIMBS, at] : [at, at + LIMBS];
  subtract(w, A, w, Y, w, X);
  multiply(w, A, w, A, from, minus);
  add(w, B, w, Y, w, X);
  multiply(w, B, w, B, from, plus);
  multiply(w, C, w, T, from, at + 2 * LIMBS);
  multiply(w, D, w, Z, from, at + 3 * LIMBS);
  subtract(w, E, w, B, w, A);
  subtract(w, isNegative ? G : F, w, D, w, C);
  add(w, isNegative ? F : G, w, D, w, C);
  add(w, H, w, B, w, A);
  multiply(w, X, w, E, w, F);
  multiply(w, Y, w, G, w, H);
  multiply(w, Z, w, F, w, G);
  multiply(w, T, w, E, w, H);
}

/**
 * The sums as public keys. Montgomery's trick: one inverse of the product of all Z, from which
 * that of each is a product with those of the others.
 */
function encodeAll(sums: Float64Array): Uint8Array[] {
  const last = sums.length - SUM;
  sums.copyWithin(T, Z, T);
  for (let at = SUM; at <= last; at += SUM)
    multiply(sums, at + T, sums, at - SUM + T, sums, at + Z);
  invert(w, A, sums, last + T);
  const encoded: Uint8Array[] = [];
  for (let at = last; at >= 0; at -= SUM) {
    if (at > 0) multiply(w, B, w, A, sums, at - SUM + T);
    encoded.push(encode(sums, at, at > 0 ? B : A));
    multiply(w, A, w, A, sums, at + Z);
  }
  return encoded.reverse();
}

/** A sum as a public key, by the inverse of its Z. */
function encode(sums: Float64Array, at: number, inverse: number): Uint8Array {
  multiply(sums, at + X, sums, at + X, w, inverse);
  multiply(sums, at + Y, sums, at + Y, w, inverse);
  const bytes = toLittleEndian(numberAt(sums, at + Y));
  if (Fp.isOdd?.(numberAt(sums, at + X)) === true) bytes[31] = (bytes[31] as number) | 0x80;
  return bytes;
}
