import { ed25519 } from "@noble/curves/ed25519.js";
import { toHex } from "../base/index.ts";
import { isBelowOrder, isPlausiblePoint } from "./ed25519-rule.ts";
import { FixedBase } from "./fixed-base.ts";
import { requireLength } from "./provider.ts";
import { littleEndian } from "./scalar.ts";

/** A point of edwards25519 as noble holds it. */
type Point = ReturnType<typeof ed25519.Point.fromBytes>;

/** Roots whose decoded point is remembered; the most that tables take is 13 MB. */
const ROOTS_MAX = 64;

/** The use at which a root gets a table: building it costs about as much as four first products. */
const USES_FOR_TABLE = 4;

interface Root {
  readonly point: Point;
  uses: number;
  table: FixedBase | undefined;
}

/** By the hex form of the encoding, which is public; the least recently used comes first. */
const roots = new Map<string, Root>();

let basePoint: FixedBase | undefined;

/**
 * scalar · B, encoded; the table of B is built at the first call.
 *
 * @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L
 */
export function multiplyBase(scalar: Uint8Array): Uint8Array {
  requireScalar(scalar);
  basePoint ??= new FixedBase(ed25519.Point.BASE);
  return basePoint.multiply(scalar);
}

/**
 * scalar · point, encoded, or `undefined` when `point` is not a valid public key. A stream has one
 * root for each direction, so a point that comes again gets a table.
 *
 * @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L
 */
export function multiplyPoint(scalar: Uint8Array, point: Uint8Array): Uint8Array | undefined {
  requireScalar(scalar);
  const root = rootOf(point);
  if (root === undefined) return undefined;
  root.uses += 1;
  if (root.uses === USES_FOR_TABLE) root.table = new FixedBase(root.point);
  return root.table?.multiply(scalar) ?? root.point.multiply(littleEndian(scalar)).toBytes();
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

function rootOf(encoded: Uint8Array): Root | undefined {
  const name = toHex(encoded);
  const known = roots.get(name);
  if (known !== undefined) {
    roots.delete(name);
    roots.set(name, known);
    return known;
  }
  const point = decodePoint(encoded);
  if (point === undefined) return undefined;
  if (roots.size >= ROOTS_MAX) {
    const oldest = roots.keys().next();
    if (!oldest.done) roots.delete(oldest.value);
  }
  const root: Root = { point, uses: 0, table: undefined };
  roots.set(name, root);
  return root;
}

/** @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L */
export function requireScalar(scalar: Uint8Array): void {
  requireLength(scalar, 32, "ed25519 scalar");
  if (!isBelowOrder(scalar, 0) || scalar.every((byte) => byte === 0)) {
    throw new RangeError("ed25519 scalar is not between 1 and L - 1");
  }
}
