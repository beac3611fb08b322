import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assert, concatBytes, fromHex, toHex, utf8 } from "../../src/base/index.ts";
import { type CryptoProvider, loadProvider, PROVIDER_NAMES } from "../../src/crypto/index.ts";
import { toLittleEndian, wideScalar } from "../../src/crypto/scalar.ts";

/*
 * The cases where ed25519 libraries part ways, made the way "Taming the Many EdDSAs" makes them.
 * All providers have to answer each the same, or nodes of one Map would disagree on what it holds.
 */

const { Point } = ed25519;
type Point = typeof Point.BASE;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;

const providers: CryptoProvider[] = [];
for (const name of PROVIDER_NAMES) {
  const provider = loadProvider(name);
  assert(provider !== undefined, `${name} is installed here`);
  providers.push(provider);
}

/** What the threads of a provider say; it must not be at once. */
async function verifyAside(
  provider: CryptoProvider,
  ...signed: [Uint8Array, Uint8Array, Uint8Array]
): Promise<boolean> {
  const verify = provider.ed25519VerifyAside;
  // noble, and a machine of one core, have no use for them, and nothing to test.
  if (verify === undefined) return provider.ed25519Verify(...signed);
  let isOver = false;
  return await new Promise((done) => {
    verify(...signed, (isGenuine) => {
      isOver = true;
      done(isGenuine);
    });
    expect(isOver).toBe(false);
  });
}

/** i times a point of order 8. */
function torsion(i: number): Point {
  const generator = Point.fromHex(
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  );
  let sum = Point.ZERO;
  for (let n = 0; n < i; n++) sum = sum.add(generator);
  return sum;
}

interface Signed {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** SB = R + kA holds exactly, not only after multiplying by 8. */
  readonly isCofactorless: boolean;
}

/** Signs with A = aB + torsion and R = rB + torsion: what only the cofactored equation forgives. */
function sign(options: {
  a: bigint;
  r: bigint;
  torsionA: number;
  torsionR: number;
  message: Uint8Array;
}): Signed {
  const { a, r, message } = options;
  const torsionA = torsion(options.torsionA);
  const torsionR = torsion(options.torsionR);
  const publicKey = Point.BASE.multiplyUnsafe(a).add(torsionA).toBytes();
  const nonce = Point.BASE.multiplyUnsafe(r).add(torsionR).toBytes();
  const k = challenge(nonce, publicKey, message);
  const signature = concatBytes(nonce, toLittleEndian((r + k * a) % L));
  const isCofactorless = torsionR.add(torsionA.multiplyUnsafe(k)).is0();
  return { publicKey, message, signature, isCofactorless };
}

function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const [oracle] = providers;
  assert(oracle !== undefined, "there are providers");
  return wideScalar(oracle.sha512(concatBytes(r, publicKey, message)));
}

/** The first of many messages for which the cofactorless equation holds, or does not. */
function search(options: Omit<Parameters<typeof sign>[0], "message">, holds: boolean): Signed {
  for (let i = 0; i < 200; i++) {
    const signed = sign({ ...options, message: utf8(`message ${i}`) });
    if (signed.isCofactorless === holds) return signed;
  }
  throw new Error("no such message among the first 200");
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

const honest = sign({ a: 5n ** 80n, r: 7n ** 70n, torsionA: 0, torsionR: 0, message: utf8("hi") });
const zeroKey = torsion(0).toBytes();
const { publicKey: A, signature: RS } = honest;
const withS = (s: bigint) => concatBytes(RS.subarray(0, 32), toLittleEndian(s));
const s = littleEndian(RS.subarray(32));

describe("the rule for ed25519 signatures", () => {
  const accepted: [string, Signed][] = [
    ["an honest signature", honest],
    [
      "a key with a small-order part, where the equation holds",
      search({ a: 3n, r: 4n, torsionA: 1, torsionR: 0 }, true),
    ],
    [
      "key and nonce with small-order parts that cancel",
      search({ a: 3n, r: 4n, torsionA: 1, torsionR: 3 }, true),
    ],
    ["an empty message", sign({ a: 9n, r: 8n, torsionA: 0, torsionR: 0, message: utf8("") })],
    ["the secret scalar 1", sign({ a: 1n, r: 2n, torsionA: 0, torsionR: 0, message: utf8("1") })],
  ];
  it.each(accepted)("takes %s", async (_, { publicKey, message, signature }) => {
    for (const provider of providers) {
      const verdicts = [
        provider.ed25519Verify(publicKey, message, signature),
        await verifyAside(provider, publicKey, message, signature),
      ];
      expect(verdicts, provider.name).toEqual([true, true]);
    }
  });

  const m = honest.message;
  const refused: [string, Uint8Array, Uint8Array, Uint8Array][] = [
    ["another message", A, utf8("ho"), RS],
    ["another key", Point.BASE.toBytes(), m, RS],
    ["a changed R", A, m, RS.with(0, (RS[0] as number) ^ 1)],
    ["a changed S", A, m, RS.with(32, (RS[32] as number) ^ 1)],
    ["S + L", A, m, withS(s + L)],
    ["S + 2L", A, m, withS(s + 2n * L)],
    ["S + 8L", A, m, withS(s + 8n * L)],
    ["S = L, which is 0", A, m, withS(L)],
    ["a short signature", A, m, RS.subarray(0, 63)],
    ["a long signature", A, m, concatBytes(RS, Uint8Array.of(0))],
    ["no signature", A, m, new Uint8Array(0)],
    ["a short key", A.subarray(0, 31), m, RS],
    ["a long key", concatBytes(A, Uint8Array.of(0)), m, RS],
    ["a key off the curve", fromHex(`02${"00".repeat(31)}`), m, RS],
    ["all zeros", new Uint8Array(32), m, new Uint8Array(64)],
    // Signatures that fit every message: SB = R + kA with A = R = 0 and S = 0.
    ["key and R neutral, S = 0", zeroKey, m, concatBytes(zeroKey, new Uint8Array(32))],
    ["R neutral under an honest key", ...neutralNonce()],
  ];
  for (let i = 0; i < 8; i++) {
    const small = sign({ a: 0n, r: 6n, torsionA: i, torsionR: 0, message: utf8("any") });
    refused.push([`small-order key ${i}`, small.publicKey, small.message, small.signature]);
    const smallR = sign({ a: 6n, r: 0n, torsionA: 0, torsionR: i, message: utf8("any") });
    refused.push([`small-order R ${i}`, smallR.publicKey, smallR.message, smallR.signature]);
  }
  for (const [torsionA, torsionR] of [
    [1, 0],
    [0, 1],
    [4, 0],
    [0, 4],
    [3, 5],
    [2, 2],
  ] as const) {
    const signed = search({ a: 11n, r: 12n, torsionA, torsionR }, false);
    refused.push([
      `a signature that is valid times 8 only (${torsionA}, ${torsionR})`,
      signed.publicKey,
      signed.message,
      signed.signature,
    ]);
  }
  for (const encoded of nonCanonical()) {
    refused.push([`the non-canonical key ${toHex(encoded)}`, encoded, m, RS]);
    const sameR = concatBytes(encoded, RS.subarray(32));
    refused.push([`the non-canonical R ${toHex(encoded)}`, A, m, sameR]);
  }
  it.each(refused)("refuses %s", async (_, publicKey, message, signature) => {
    for (const provider of providers) {
      const verdicts = [
        provider.ed25519Verify(publicKey, message, signature),
        await verifyAside(provider, publicKey, message, signature),
      ];
      expect(verdicts, provider.name).toEqual([false, false]);
    }
  });

  it("is one rule for any mixture of small-order parts", () => {
    const part = fc.integer({ min: 0, max: 7 });
    const scalar = fc.bigInt({ min: 1n, max: L - 1n });
    fc.assert(
      fc.property(
        scalar,
        scalar,
        part,
        part,
        fc.uint8Array(),
        (a, r, torsionA, torsionR, message) => {
          const signed = sign({ a, r, torsionA, torsionR, message });
          for (const provider of providers) {
            const verdict = provider.ed25519Verify(signed.publicKey, message, signed.signature);
            expect(verdict, provider.name).toBe(signed.isCofactorless);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("the rule for ed25519 public keys", () => {
  it("takes points of large order, with a small-order part or without", () => {
    for (let i = 0; i < 8; i++) {
      const key = Point.BASE.multiplyUnsafe(77n).add(torsion(i)).toBytes();
      for (const provider of providers) expect(provider.ed25519IsPublicKey(key)).toBe(true);
    }
  });

  const bad: [string, Uint8Array][] = [
    ["31 bytes", A.subarray(1)],
    ["33 bytes", concatBytes(A, A.subarray(0, 1))],
    ["nothing", new Uint8Array(0)],
    ["a y without a point", fromHex(`02${"00".repeat(31)}`)],
    ["x = 0 with a sign, y = 1", fromHex(`01${"00".repeat(30)}80`)],
    ["x = 0 with a sign, y = -1", fromHex(`ec${"ff".repeat(31)}`)],
  ];
  for (let i = 0; i < 8; i++) bad.push([`point ${i} of small order`, torsion(i).toBytes()]);
  for (const encoded of nonCanonical()) bad.push([`non-canonical ${toHex(encoded)}`, encoded]);
  it.each(bad)("refuses %s", (_, encoded) => {
    for (const provider of providers) {
      expect(provider.ed25519IsPublicKey(encoded), provider.name).toBe(false);
      expect(provider.ed25519MultiplyPoint([toLittleEndian(3n)], encoded)).toBeUndefined();
    }
  });

  it("has eight points of small order, with five values of y", () => {
    const all = Array.from({ length: 8 }, (_, i) => toHex(torsion(i).toBytes()));
    expect(new Set(all).size).toBe(8);
    const ys = Array.from({ length: 8 }, (_, i) => torsion(i).toAffine().y);
    expect(new Set(ys).size).toBe(5);
  });

  it("says the same of random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (encoded) => {
        const verdicts = providers.map((provider) => provider.ed25519IsPublicKey(encoded));
        const products = providers.map((provider) =>
          provider.ed25519MultiplyPoint([toLittleEndian(5n)], encoded),
        );
        expect(new Set(verdicts).size).toBe(1);
        expect(products.map((product) => product !== undefined)).toEqual(verdicts);
        for (const product of products) expect(product).toEqual(products[0]);
      }),
      { numRuns: 60 },
    );
  });
});

/** Every encoding of a y from 2^255 - 19 up, with and without the sign bit. */
function nonCanonical(): Uint8Array[] {
  return Array.from({ length: 19 }, (_, i) => toLittleEndian(P + BigInt(i))).flatMap((encoded) => [
    encoded,
    encoded.with(31, 0xff),
  ]);
}

/** An honest key's owner can choose r = 0; libsodium refuses that R, so all have to. */
function neutralNonce(): [Uint8Array, Uint8Array, Uint8Array] {
  const { publicKey, message, signature } = sign({
    a: 21n,
    r: 0n,
    torsionA: 0,
    torsionR: 0,
    message: utf8("r is zero"),
  });
  return [publicKey, message, signature];
}
