import { ed25519 } from "@noble/curves/ed25519.js";
import { LruMap, toHex } from "../base/index.ts";
import { isBelowOrder, isPlausiblePoint } from "./ed25519-rule.ts";
import { FixedBase } from "./fixed-base.ts";
import { requireLength } from "./provider.ts";

/** A point of edwards25519 as noble holds it. */
type Point = ReturnType<typeof ed25519.Point.fromBytes>;

/** Roots whose table is remembered, of 220 kB each. */
const ROOTS_MAX = 64;

/** By the hex form of the encoding, which is public. */
const roots = new LruMap<string, FixedBase>(ROOTS_MAX);

let basePoint: FixedBase | undefined;

/**
 * scalar · B for each scalar, encoded; the table of B is built at the first call.
 *
 * @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L
 */
export function multiplyBase(scalars: readonly Uint8Array[]): Uint8Array[] {
  scalars.forEach(requireScalar);
  basePoint ??= new FixedBase(ed25519.Point.BASE);
  return basePoint.multiply(scalars);
}

/**
 * scalar · point for each scalar, encoded, or `undefined` when `point` is not a valid public key.
 * To make a table takes less time than one product without; and a stream has one root for each
 * direction.
 *
 * @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L
 */
export function multiplyPoint(
  scalars: readonly Uint8Array[],
  point: Uint8Array,
): Uint8Array[] | undefined {
  scalars.forEach(requireScalar);
  return tableOf(point)?.multiply(scalars);
}

/** The point of a valid public key, or `undefined`. */
export function decodePoint(encoded: Uint8Array): Point | undefined {
  if (!isPlausiblePoint(encoded)) return undefined;
  try {
    return ed25519.Point.fromBytes(encoded);
  } catch {
    return undefined; // no point of the curve has this y
  }
}

function tableOf(encoded: Uint8Array): FixedBase | undefined {
  const name = toHex(encoded);
  const known = roots.get(name);
  if (known !== undefined) return known;
  const point = decodePoint(encoded);
  if (point === undefined) return undefined;
  const table = new FixedBase(point);
  roots.set(name, table);
  return table;
}

/** @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L */
export function requireScalar(scalar: Uint8Array): void {
  requireLength(scalar, 32, "ed25519 scalar");
  if (!isBelowOrder(scalar, 0) || scalar.every((byte) => byte === 0)) {
    throw new RangeError("ed25519 scalar is not between 1 and L - 1");
  }
}
