import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assert, concatBytes, fromHex, SeededRandom, toHex, utf8 } from "../../src/base/index.ts";
import {
  type CryptoProvider,
  equalSecret,
  loadProvider,
  PROVIDER_NAMES,
  type ProviderName,
} from "../../src/crypto/index.ts";
import { nobleProvider } from "../../src/crypto/noble.ts";
import { toLittleEndian } from "../../src/crypto/scalar.ts";

const L = ed25519.Point.Fn.ORDER;

type Triple = [Uint8Array, Uint8Array, Uint8Array];

const random = (length: number) => new SeededRandom(length).bytes(length);
const bytes = (constraints: { minLength?: number; maxLength?: number } = {}) =>
  fc.uint8Array({ maxLength: 300, ...constraints });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const scalar = fc.bigInt({ min: 1n, max: L - 1n });

function load(name: ProviderName): CryptoProvider {
  const provider = loadProvider(name);
  assert(provider !== undefined, `${name} is installed here`);
  return provider;
}

describe.each(PROVIDER_NAMES)("provider %s", (name) => {
  const provider = load(name);

  it("says its name", () => {
    expect(provider.name).toBe(name);
  });

  it("hashes the published examples", () => {
    // FIPS 180-4 examples
    expect(toHex(provider.sha256(utf8("abc")))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(toHex(provider.sha512(utf8("abc")))).toBe(
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    );
    expect(toHex(provider.sha512t256(utf8("abc")))).toBe(
      "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
    );
  });

  it("seals the example of RFC 8439, 2.8.2", () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
    const nonce = fromHex("070000004041424344454647");
    const aad = fromHex("50515253c0c1c2c3c4c5c6c7");
    const message = utf8(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " +
        "future, sunscreen would be it.",
    );
    const box = fromHex(
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
        "3ff4def08e4b7a9de576d26586cec64b6116" +
        "1ae10b594f09e26a7e902ecbd0600691",
    );
    expect(provider.aeadSeal(key, nonce, message, { aad })).toEqual(box);
    expect(provider.aeadOpen(key, nonce, box, { aad })).toEqual(message);
  });

  it("seals with an AEAD as noble does, and opens nothing that was touched", () => {
    fc.assert(
      fc.property(bytesOf(32), bytesOf(12), bytes(), bytes(), (key, nonce, message, aad) => {
        const box = provider.aeadSeal(key, nonce, message, { aad });
        expect(box).toEqual(nobleProvider.aeadSeal(key, nonce, message, { aad }));
        expect(provider.aeadOpen(key, nonce, box, { aad })).toEqual(message);
        const at = (key[0] ?? 0) % box.length;
        const damaged = box.with(at, (box[at] ?? 0) ^ 1);
        expect(provider.aeadOpen(key, nonce, damaged, { aad })).toBeUndefined();
        expect(provider.aeadOpen(key, nonce, box.subarray(1), { aad })).toBeUndefined();
      }),
    );
    const into = new Uint8Array(17);
    expect(() => provider.aeadSeal(random(32), random(12), random(2), { into })).toThrow(
      RangeError,
    );
    expect(() => provider.aeadSeal(random(31), random(12), random(2))).toThrow(RangeError);
    expect(provider.aeadOpen(random(32), random(12), random(15))).toBeUndefined();
  });

  it("finds the X25519 key of an ed25519 one", () => {
    fc.assert(
      fc.property(bytesOf(32), (seed) => {
        const scalar = provider.sha512(seed).subarray(0, 32);
        const publicKey = ed25519.getPublicKey(seed);
        expect(provider.x25519OfEd25519(publicKey)).toEqual(provider.x25519PublicKey(scalar));
      }),
      { numRuns: 20 },
    );
    const notOnCurve = fromHex(`02${"00".repeat(31)}`);
    expect(provider.ed25519IsPublicKey(notOnCurve)).toBe(false);
    expect(provider.x25519OfEd25519(notOnCurve)).toBeUndefined();
    expect(provider.x25519OfEd25519(random(31))).toBeUndefined();
  });

  it("hashes as noble does, at every length around a block", () => {
    const random = new SeededRandom(1);
    for (let length = 0; length < 300; length++) {
      const message = random.bytes(length);
      expect(provider.sha256(message)).toEqual(nobleProvider.sha256(message));
      expect(provider.sha512(message)).toEqual(nobleProvider.sha512(message));
      expect(provider.sha512t256(message)).toEqual(nobleProvider.sha512t256(message));
    }
  });

  it("hashes and enciphers the examples of RFC 7693 and RFC 8439", () => {
    expect(toHex(provider.blake2b512(utf8("abc")))).toBe(
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1" +
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
    );
    // Appendix A.1, test vector 1: the keystream of a zero key and nonce
    const keystream = provider.chacha20Xor(
      new Uint8Array(32),
      new Uint8Array(12),
      new Uint8Array(64),
    );
    expect(toHex(keystream)).toBe(
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    );
  });

  it("enciphers as noble does, at every length around a block, where the bytes lie too", () => {
    const dice = new SeededRandom(8);
    for (let length = 0; length < 200; length++) {
      const [key, nonce, message] = [dice.bytes(32), dice.bytes(12), dice.bytes(length)];
      const expected = nobleProvider.chacha20Xor(key, nonce, message);
      const hash = nobleProvider.blake2b512(message);
      expect(provider.blake2b512(message)).toEqual(hash);
      const into = new Uint8Array(64);
      expect(provider.blake2b512(message, into)).toBe(into);
      expect(into).toEqual(hash);
      expect(provider.chacha20Xor(key, nonce, message)).toEqual(expected);
      expect(provider.chacha20Xor(key, nonce, message, message)).toBe(message);
      expect(message).toEqual(expected);
    }
  });

  it("has no room for a hash of another length", () => {
    for (const length of [0, 63, 65]) {
      expect(() => provider.blake2b512(utf8("abc"), new Uint8Array(length))).toThrow(RangeError);
    }
  });

  it("derives as RFC 5869 with HMAC-BLAKE2b-512 says", () => {
    fc.assert(
      fc.property(
        bytes(),
        fc.option(bytes(), { nil: undefined }),
        fc.option(bytes(), { nil: undefined }),
        fc.integer({ min: 1, max: 200 }),
        (ikm, salt, info, length) => {
          const options = { ikm, length, ...(salt && { salt }), ...(info && { info }) };
          const derived = provider.hkdfBlake2b(options);
          expect(derived).toEqual(hkdf(blake2b, ikm, salt, info, length));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([127, 128, 129, 300])(
    "derives with a salt of %d bytes, around HMAC's block",
    (length) => {
      const ikm = new Uint8Array(32).fill(1);
      const salt = new SeededRandom(length).bytes(length);
      expect(provider.hkdfBlake2b({ ikm, salt, length: 96 })).toEqual(
        hkdf(blake2b, ikm, salt, undefined, 96),
      );
    },
  );

  it("seals into the room that it is given", () => {
    const [key, nonce, plaintext] = [random(32), random(24), random(50)];
    const room = new Uint8Array(70).fill(7);
    const box = provider.secretboxSeal(key, nonce, plaintext, room.subarray(2, 68));
    expect(box).toEqual(provider.secretboxSeal(key, nonce, plaintext));
    expect(box.buffer).toBe(room.buffer);
    expect([...room.subarray(0, 2), ...room.subarray(68)]).toEqual([7, 7, 7, 7]);
    expect(() => provider.secretboxSeal(key, nonce, plaintext, room)).toThrow(RangeError);
  });

  it.each([1, 63, 64, 65, 1_000, 32_768])("seals %d bytes where they lie", (length) => {
    const [key, nonce, plaintext] = [random(32), random(24), random(length)];
    const room = new Uint8Array(16 + length);
    room.set(plaintext, 16);
    provider.secretboxSeal(key, nonce, room.subarray(16), room);
    expect(room).toEqual(provider.secretboxSeal(key, nonce, plaintext));
  });

  it("does not touch what it borrows, and gives what it does not keep", () => {
    const ikm = new Uint8Array(32).fill(5);
    const first = provider.hkdfBlake2b({ ikm, salt: ikm, info: ikm, length: 96 });
    const copy = first.slice();
    provider.hkdfBlake2b({ ikm: new Uint8Array(32), length: 96 });
    expect(first).toEqual(copy);
    expect(ikm).toEqual(new Uint8Array(32).fill(5));
  });

  it("seals the secretbox of NaCl's own test", () => {
    // tests/secretbox.c of NaCl: the first and the last bytes of the box
    const key = fromHex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    const nonce = fromHex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
    const plaintext = fromHex(
      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc" +
        "e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31" +
        "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde" +
        "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864" +
        "5e0705",
    );
    const box = provider.secretboxSeal(key, nonce, plaintext);
    expect(toHex(box.subarray(0, 32))).toBe(
      "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce",
    );
    expect(provider.secretboxOpen(key, nonce, box)).toEqual(plaintext);
  });

  it("seals and opens a box where it lies, at whatever address that is", () => {
    for (const length of [0, 1, 31, 32, 33, 64, 100, 1_000]) {
      for (let from = 0; from < 5; from++) {
        const [key, nonce, plaintext] = [32, 24, length].map((n) => random(n)) as Triple;
        const place = new Uint8Array(from + 16 + length).subarray(from);
        place.set(plaintext, 16);
        provider.secretboxSeal(key, nonce, place.subarray(16), place);
        expect(place).toEqual(nobleProvider.secretboxSeal(key, nonce, plaintext));
        const damaged = place.with(0, (place[0] as number) ^ 1);
        const before = damaged.slice();
        const isInPlace = true;
        expect(provider.secretboxOpen(key, nonce, damaged, { isInPlace })).toBeUndefined();
        expect(damaged).toEqual(before);
        expect(provider.secretboxOpen(key, nonce, place, { isInPlace })).toEqual(plaintext);
      }
    }
  });

  it("writes to no box that was lent to it, of whatever kind", () => {
    const [key, nonce, plaintext] = [32, 24, 100].map((n) => random(n)) as Triple;
    const sealed = provider.secretboxSeal(key, nonce, plaintext);
    for (const box of [sealed.slice(), Buffer.from(sealed)]) {
      provider.secretboxOpen(key, nonce, box)?.fill(0);
      expect(toHex(box)).toBe(toHex(sealed));
    }
  });

  it("opens what the others seal, and nothing that was changed", () => {
    fc.assert(
      fc.property(
        bytesOf(32),
        bytesOf(24),
        bytes({ maxLength: 2000 }),
        fc.nat(),
        (key, nonce, plaintext, at) => {
          const box = nobleProvider.secretboxSeal(key, nonce, plaintext);
          expect(provider.secretboxSeal(key, nonce, plaintext)).toEqual(box);
          expect(provider.secretboxOpen(key, nonce, box)).toEqual(plaintext);
          const damaged = box.slice();
          const place = at % box.length;
          damaged[place] = (damaged[place] as number) ^ (1 << (at % 8));
          expect(provider.secretboxOpen(key, nonce, damaged)).toBeUndefined();
          expect(provider.secretboxOpen(key, nonce, box.subarray(0, place))).toBeUndefined();
        },
      ),
      { numRuns: 40 },
    );
  });

  it("refuses keys, nonces and scalars of our own that are wrong", () => {
    const good = new Uint8Array(32).fill(1);
    const calls = [
      () => provider.secretboxSeal(good.subarray(1), good.subarray(8), good),
      () => provider.secretboxSeal(good, good, good),
      () => provider.secretboxOpen(good.subarray(1), good.subarray(8), good),
      () => provider.ed25519MultiplyBase([good.subarray(1)]),
      () => provider.ed25519MultiplyBase([good.with(31, 0), new Uint8Array(32)]),
      () => provider.ed25519MultiplyBase([toLittleEndian(L)]),
      () => provider.ed25519MultiplyPoint([new Uint8Array(32).fill(255)], good),
      () => provider.chacha20Xor(good.subarray(1), good.subarray(20), good),
      () => provider.chacha20Xor(good, good, good),
      () => provider.chacha20Xor(good, good.subarray(20), good, good.subarray(1)),
      () => provider.x25519(good.subarray(1), good),
      () => provider.x25519PublicKey(good.subarray(1)),
      () => provider.hkdfBlake2b({ ikm: good, length: 0 }),
      () => provider.hkdfBlake2b({ ikm: good, length: 255 * 64 + 1 }),
    ];
    for (const call of calls) expect(call).toThrow(RangeError);
  });

  it("multiplies the base point as noble does", () => {
    const edges = [1n, 2n, 15n, 16n, 17n, 31n, 32n, 33n, 2n ** 252n, L / 2n, L - 2n, L - 1n];
    for (const factor of edges) {
      const expected = ed25519.Point.BASE.multiply(factor).toBytes();
      expect(provider.ed25519MultiplyBase([toLittleEndian(factor)])).toEqual([expected]);
    }
    fc.assert(
      fc.property(scalar, (factor) => {
        const expected = ed25519.Point.BASE.multiply(factor).toBytes();
        expect(provider.ed25519MultiplyBase([toLittleEndian(factor)])).toEqual([expected]);
      }),
      { numRuns: 30 },
    );
  });

  it("multiplies another point as noble does, the first time and with a table", () => {
    const torsion = ed25519.Point.fromHex(ORDER_8);
    for (const mixed of [false, true]) {
      const prime = ed25519.Point.BASE.multiply(987654321n);
      const point = mixed ? prime.add(torsion) : prime;
      for (let use = 1n; use <= 10n; use++) {
        const factor = (L - 1n) / use;
        const scalars = [factor, factor - 1n].map(toLittleEndian);
        expect(provider.ed25519MultiplyPoint(scalars, point.toBytes())).toEqual([
          point.multiply(factor).toBytes(),
          point.multiply(factor - 1n).toBytes(),
        ]);
      }
    }
  });

  it("keeps its answers when more roots come than it remembers", () => {
    const factor = toLittleEndian(12345n);
    for (const round of [1, 2]) {
      for (let root = 1n; root <= 70n; root++) {
        const point = ed25519.Point.BASE.multiplyUnsafe(root + 1000n);
        const product = provider.ed25519MultiplyPoint([factor], point.toBytes());
        if (root % 10n !== 0n) continue;
        expect(product, `round ${round}`).toEqual([point.multiplyUnsafe(12345n).toBytes()]);
      }
    }
  });

  it("agrees on secrets by X25519 as RFC 7748 says", () => {
    const secret = fromHex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const u = fromHex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    expect(toHex(provider.x25519(secret, u) ?? u)).toBe(
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    );
    fc.assert(
      fc.property(bytesOf(32), bytesOf(32), (ours, theirs) => {
        const publicKey = x25519.getPublicKey(theirs);
        expect(provider.x25519PublicKey(theirs)).toEqual(publicKey);
        expect(provider.x25519(ours, publicKey)).toEqual(x25519.getSharedSecret(ours, publicKey));
        // Any 32 bytes are a u coordinate: not canonical, or on the twist.
        expect(provider.x25519(ours, theirs)).toEqual(nobleProvider.x25519(ours, theirs));
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ])("gives no X25519 secret for the small-order key %s", (key) => {
    expect(provider.x25519(new Uint8Array(32).fill(3), fromHex(key))).toBeUndefined();
    expect(provider.x25519(new Uint8Array(32).fill(3), fromHex(key.slice(2)))).toBeUndefined();
  });
});

describe("equalSecret", () => {
  it("says what a comparison of bytes says", () => {
    fc.assert(
      fc.property(bytes(), bytes(), (a, b) => {
        expect(equalSecret(a, a.slice())).toBe(true);
        expect(equalSecret(a, b)).toBe(toHex(a) === toHex(b));
        expect(equalSecret(a, concatBytes(a, Uint8Array.of(0)))).toBe(false);
      }),
    );
  });
});

const ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
