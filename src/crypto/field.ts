import { assert } from "../base/index.ts";

/**
 * Numbers modulo p = 2^255 - 19 as sums of twelve doubles: a product takes a third of the time that
 * it takes with bigints, the same for all numbers, and leaves nothing to be collected.
 *
 * Limb i is a multiple of 2^e(i), e(i) = ⌈21.25 i⌉, and as large as what it stands for: no weights
 * are left out. Its sign is free, and it is no larger than half of 2^e(i + 1), which is what a
 * rounding to multiples of that leaves. A product of limbs i and j is a multiple of 2^e(i + j), so
 * that the twelve of one sum, 19 times those above 2^255 among them, have less than 49 bits there.
 * Doubles have 53: both factors may be sums or differences of three such numbers.
 *
 * Numbers lie in arrays of the caller's, twelve doubles from an index on. A result may go where an
 * operand is.
 *
 * Source: Bernstein, "Floating-point arithmetic and message authentication", 2004.
 */
export const LIMBS: number = 12;

const P = 2n ** 255n - 19n;

/** What 2^255 is modulo p, over 2^255. */
const WRAP = 19 * 2 ** -255;

/** By limb: added to a double and taken away again, it rounds that to a multiple of 2^e(i + 1). */
const ROUNDING = Float64Array.from({ length: LIMBS }, (_, i) => 3 * 2 ** (start(i + 1) + 51));

/** Of one product, before its carries. */
const sums = new Float64Array(LIMBS);

function start(limb: number): number {
  return Math.ceil(21.25 * limb);
}

/** Lays out a number from 0 to p - 1. */
export function loadNumber(into: Float64Array, at: number, value: bigint): void {
  assert(value >= 0n && value < P, "a number of the field");
  for (let i = 0; i < LIMBS; i++) {
    const [from, to] = [start(i), start(i + 1)];
    sums[i] = Number(BigInt.asUintN(to - from, value >> BigInt(from))) * 2 ** from;
  }
  carry(into, at);
}

/** The number from 0 to p - 1 that lies there. */
export function numberAt(a: Float64Array, i: number): bigint {
  let sum = 0n;
  for (let limb = 0; limb < LIMBS; limb++) sum += BigInt(a[i + limb] as number);
  const value = sum % P;
  return value < 0n ? value + P : value;
}

/** a + b */
export function add(
  into: Float64Array,
  at: number,
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
): void {
  for (let limb = 0; limb < LIMBS; limb++) {
    into[at + limb] = (a[i + limb] as number) + (b[j + limb] as number);
  }
}

/** a - b */
export function subtract(
  into: Float64Array,
  at: number,
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
): void {
  for (let limb = 0; limb < LIMBS; limb++) {
    into[at + limb] = (a[i + limb] as number) - (b[j + limb] as number);
  }
}

/** a · b */
export function multiply(
  into: Float64Array,
  at: number,
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
): void {
  lower(a, i, b, j);
  upper(a, i, b, j);
  carry(into, at);
}

/**
 * Lengths n of the runs in a^(2^n - 1) that lead to an inverse: each is the one before it and
 * another one.
 */
const RUNS = [1, 2, 4, 5, 10, 20, 40, 50, 100, 200, 250];

const runs = new Float64Array((RUNS.length + 2) * LIMBS);

/** a^(p - 2), which is 1 / a, or 0 for 0; p - 2 = (2^250 - 1) · 2^5 + 11. */
export function invert(into: Float64Array, at: number, a: Float64Array, i: number): void {
  runs.set(a.subarray(i, i + LIMBS));
  let to = 0;
  for (let run = 1; run < RUNS.length; run++) {
    const rest = (RUNS[run] as number) - (RUNS[run - 1] as number);
    to += LIMBS;
    square(to, to - LIMBS, rest);
    multiply(runs, to, runs, to, runs, RUNS.indexOf(rest) * LIMBS);
  }
  const [squared, eleventh] = [to + LIMBS, to + 2 * LIMBS];
  square(to, to, 5);
  square(squared, 0, 1);
  square(eleventh, squared, 2);
  multiply(runs, eleventh, runs, eleventh, runs, squared);
  multiply(runs, eleventh, runs, eleventh, runs, 0);
  multiply(into, at, runs, to, runs, eleventh);
  runs.fill(0);
}

/** Among `runs`: a to the power of 2^times. */
function square(at: number, a: number, times: number): void {
  multiply(runs, at, runs, a, runs, a);
  for (let n = 1; n < times; n++) multiply(runs, at, runs, at, runs, at);
}

/** The part that the first six limbs of `a` have in a · b. */
function lower(a: Float64Array, i: number, b: Float64Array, j: number): void {
  const a0 = a[i + 0] as number;
  const a1 = a[i + 1] as number;
  const a2 = a[i + 2] as number;
  const a3 = a[i + 3] as number;
  const a4 = a[i + 4] as number;
  const a5 = a[i + 5] as number;
  const b0 = b[j + 0] as number;
  const b1 = b[j + 1] as number;
  const b2 = b[j + 2] as number;
  const b3 = b[j + 3] as number;
  const b4 = b[j + 4] as number;
  const b5 = b[j + 5] as number;
  const b6 = b[j + 6] as number;
  const b7 = b[j + 7] as number;
  const b8 = b[j + 8] as number;
  const b9 = b[j + 9] as number;
  const b10 = b[j + 10] as number;
  const b11 = b[j + 11] as number;
  sums[0] = a0 * b0 + WRAP * (a1 * b11 + a2 * b10 + a3 * b9 + a4 * b8 + a5 * b7);
  sums[1] = a0 * b1 + a1 * b0 + WRAP * (a2 * b11 + a3 * b10 + a4 * b9 + a5 * b8);
  sums[2] = a0 * b2 + a1 * b1 + a2 * b0 + WRAP * (a3 * b11 + a4 * b10 + a5 * b9);
  sums[3] = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + WRAP * (a4 * b11 + a5 * b10);
  sums[4] = a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 + WRAP * (a5 * b11);
  sums[5] = a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0;
  sums[6] = a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1;
  sums[7] = a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2;
  sums[8] = a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3;
  sums[9] = a0 * b9 + a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4;
  sums[10] = a0 * b10 + a1 * b9 + a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5;
  sums[11] = a0 * b11 + a1 * b10 + a2 * b9 + a3 * b8 + a4 * b7 + a5 * b6;
}

/** The part of the others. */
function upper(a: Float64Array, i: number, b: Float64Array, j: number): void {
  const a6 = a[i + 6] as number;
  const a7 = a[i + 7] as number;
  const a8 = a[i + 8] as number;
  const a9 = a[i + 9] as number;
  const a10 = a[i + 10] as number;
  const a11 = a[i + 11] as number;
  const b0 = b[j + 0] as number;
  const b1 = b[j + 1] as number;
  const b2 = b[j + 2] as number;
  const b3 = b[j + 3] as number;
  const b4 = b[j + 4] as number;
  const b5 = b[j + 5] as number;
  const b6 = b[j + 6] as number;
  const b7 = b[j + 7] as number;
  const b8 = b[j + 8] as number;
  const b9 = b[j + 9] as number;
  const b10 = b[j + 10] as number;
  const b11 = b[j + 11] as number;
  sums[0] =
    (sums[0] as number) + WRAP * (a6 * b6 + a7 * b5 + a8 * b4 + a9 * b3 + a10 * b2 + a11 * b1);
  sums[1] =
    (sums[1] as number) + WRAP * (a6 * b7 + a7 * b6 + a8 * b5 + a9 * b4 + a10 * b3 + a11 * b2);
  sums[2] =
    (sums[2] as number) + WRAP * (a6 * b8 + a7 * b7 + a8 * b6 + a9 * b5 + a10 * b4 + a11 * b3);
  sums[3] =
    (sums[3] as number) + WRAP * (a6 * b9 + a7 * b8 + a8 * b7 + a9 * b6 + a10 * b5 + a11 * b4);
  sums[4] =
    (sums[4] as number) + WRAP * (a6 * b10 + a7 * b9 + a8 * b8 + a9 * b7 + a10 * b6 + a11 * b5);
  sums[5] =
    (sums[5] as number) + WRAP * (a6 * b11 + a7 * b10 + a8 * b9 + a9 * b8 + a10 * b7 + a11 * b6);
  sums[6] =
    (sums[6] as number) + a6 * b0 + WRAP * (a7 * b11 + a8 * b10 + a9 * b9 + a10 * b8 + a11 * b7);
  sums[7] =
    (sums[7] as number) + a6 * b1 + a7 * b0 + WRAP * (a8 * b11 + a9 * b10 + a10 * b9 + a11 * b8);
  sums[8] =
    (sums[8] as number) + a6 * b2 + a7 * b1 + a8 * b0 + WRAP * (a9 * b11 + a10 * b10 + a11 * b9);
  sums[9] =
    (sums[9] as number) + a6 * b3 + a7 * b2 + a8 * b1 + a9 * b0 + WRAP * (a10 * b11 + a11 * b10);
  sums[10] =
    (sums[10] as number) + a6 * b4 + a7 * b3 + a8 * b2 + a9 * b1 + a10 * b0 + WRAP * (a11 * b11);
  sums[11] = (sums[11] as number) + a6 * b5 + a7 * b4 + a8 * b3 + a9 * b2 + a10 * b1 + a11 * b0;
}

/** Rounds each sum, and carries what that takes away to the next. */
function carry(into: Float64Array, at: number): void {
  let over = 0;
  for (let i = 0; i < LIMBS; i++) {
    const sum = (sums[i] as number) + over;
    over = sum + (ROUNDING[i] as number) - (ROUNDING[i] as number);
    into[at + i] = sum - over;
  }
  const first = (into[at] as number) + WRAP * over;
  const second = first + (ROUNDING[0] as number) - (ROUNDING[0] as number);
  into[at] = first - second;
  into[at + 1] = (into[at + 1] as number) + second;
}
