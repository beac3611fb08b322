import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bitAt,
  byteText,
  compareDistance,
  distanceFraction,
  KEY_BITS,
  keyBeside,
  keyOf,
  sharedBits,
  textBytes,
} from "../../../src/dht/wire/key.ts";

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(keyOf);

/** The distance as one large number: slow, and beyond doubt. */
function distance(a: string, b: string): bigint {
  let sum = 0n;
  for (let at = 0; at < 32; at++) {
    sum = sum * 256n + BigInt(a.charCodeAt(at) ^ b.charCodeAt(at));
  }
  return sum;
}

describe("a key as text", () => {
  it("gives its bytes back, whatever they are", () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(textBytes(byteText(all))).toEqual(all);
  });

  it("lies in the order of its bytes", () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(a < b).toBe(
          distance(a, keyOf(new Uint8Array(32))) < distance(b, keyOf(new Uint8Array(32))),
        );
      }),
    );
  });

  it("has a length of its own", () => {
    expect(() => keyOf(new Uint8Array(31))).toThrow("32 bytes");
  });
});

describe("the XOR metric", () => {
  it("orders as the distance of whole numbers does", () => {
    fc.assert(
      fc.property(keys, keys, keys, (target, a, b) => {
        const wanted = distance(target, a) - distance(target, b);
        const order = compareDistance(target, a, b);
        expect(Math.sign(order)).toBe(wanted > 0n ? 1 : wanted < 0n ? -1 : 0);
        const heads = distanceFraction(target, a) - distanceFraction(target, b);
        if (heads !== 0) expect(Math.sign(heads)).toBe(Math.sign(order));
      }),
    );
  });

  it("measures the leading bits as a fraction of the space", () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const exact = Number((distance(a, b) * 2n ** 52n) >> 256n) / 2 ** 52;
        expect(Math.abs(distanceFraction(a, b) - exact)).toBeLessThan(2 ** -47);
      }),
    );
  });

  it("counts shared leading bits", () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const shared = sharedBits(a, b);
        for (let bit = 0; bit < Math.min(shared, KEY_BITS); bit++) {
          expect(bitAt(a, bit)).toBe(bitAt(b, bit));
        }
        if (shared < KEY_BITS) expect(bitAt(a, shared)).not.toBe(bitAt(b, shared));
      }),
    );
    expect(sharedBits("x".repeat(32), "x".repeat(32))).toBe(KEY_BITS);
  });

  it("finds keys beside another one at exactly the depth asked for", () => {
    const random = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(keys, random, fc.nat({ max: KEY_BITS - 1 }), (key, bytes, depth) => {
        expect(sharedBits(key, keyBeside(key, depth, bytes))).toBe(depth);
      }),
    );
  });
});
