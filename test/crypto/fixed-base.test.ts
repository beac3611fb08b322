import { ed25519 } from "@noble/curves/ed25519.js";
import { expect, test } from "vitest";
import { SeededRandom, toHex } from "../../src/base/index.ts";
import { FixedBase } from "../../src/crypto/fixed-base.ts";
import { GROUP_ORDER, toLittleEndian, wideScalar } from "../../src/crypto/scalar.ts";

const { Point } = ed25519;
const random = new SeededRandom(12);

/** Scalars whose digits carry always, never, at every other place, or as far as there is. */
const EDGES = ["07", "08", "09", "0f", "70", "78", "80", "87", "88", "8f", "f0", "f7", "f8", "ff"]
  .map((byte) => BigInt(`0x${byte.repeat(31)}`))
  .concat([1n, 2n, 15n, 16n, 2n ** 252n, GROUP_ORDER - 2n, GROUP_ORDER - 1n])
  .map((scalar) => scalar % GROUP_ORDER);

const ORDER_8 = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
const POINTS = {
  base: Point.BASE,
  another: Point.BASE.multiply(wideScalar(random.bytes(64))),
  "with a part of small order": Point.BASE.multiply(12_345n).add(ORDER_8),
  "of small order": ORDER_8,
};

test.each(Object.entries(POINTS))("products with a point are noble's: %s", (_name, point) => {
  const { x, y } = point.toAffine();
  const fixed = new FixedBase({ x, y });
  const scalars = [...EDGES, ...Array.from({ length: 60 }, () => wideScalar(random.bytes(64)))];
  const expected = scalars.map((scalar) => point.multiplyUnsafe(scalar).toHex());
  const alone = scalars.flatMap((scalar) => fixed.multiply([toLittleEndian(scalar)]));
  expect(alone.map(toHex)).toEqual(expected);
  for (const length of [0, 1, 2, 3, scalars.length]) {
    const together = fixed.multiply(scalars.slice(0, length).map(toLittleEndian));
    expect(together.map(toHex)).toEqual(expected.slice(0, length));
  }
});

test("a product changes neither its scalar nor the next product", () => {
  const fixed = new FixedBase(Point.BASE.toAffine());
  const scalar = toLittleEndian(wideScalar(random.bytes(64)));
  const before = scalar.slice();
  const first = fixed.multiply([scalar]);
  expect(fixed.multiply([toLittleEndian(5n)])).not.toEqual(first);
  expect(fixed.multiply([scalar])).toEqual(first);
  expect(scalar).toEqual(before);
});
