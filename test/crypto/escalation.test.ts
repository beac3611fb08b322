import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, SeededRandom, toHex, utf8 } from "../../src/base/index.ts";
import {
  blindingFactor,
  crypto,
  deriveDirection,
  ReadCapability,
  WriteCapability,
} from "../../src/crypto/index.ts";
import {
  clampedScalar,
  GROUP_ORDER,
  littleEndian,
  toLittleEndian,
  wideScalar,
} from "../../src/crypto/scalar.ts";

/*
 * The reference's Map gives a reader a secret scalar: root · f("read"), where f is the blinding
 * factor of a public constant. A writer's is root · f("write"). Who can multiply by a known number
 * can divide by it, so every reader has the root, and with it the write key of every address. These
 * tests run that attack, against the reference's own vectors and against our capabilities.
 */

interface ReferenceCapability {
  readonly address: string;
  readonly mapId: string;
  readonly message: string;
  readonly readOnlyCapSecretScalar: string;
  readonly rootPublicKey: string;
  readonly writeKeyScalar: string;
  readonly writeOnlyCapSecretScalar: string;
  readonly writeSignature: string;
  readonly writeVerifier: string;
}

const vectors: { capabilities: readonly ReferenceCapability[] } = JSON.parse(
  readFileSync(new URL("../vectors/katzenpost-stream-map.json", import.meta.url), "utf8"),
);

/** The factor of any bytes: the reference blinds by constants and addresses of any length. */
function factorOf(input: Uint8Array): bigint {
  return clampedScalar(crypto().sha512t256(input));
}

function multiply(...factors: bigint[]): bigint {
  return factors.reduce((product, factor) => (product * factor) % GROUP_ORDER, 1n);
}

/** 1 / value mod L, by Fermat. */
function inverse(value: bigint): bigint {
  let result = 1n;
  let base = value % GROUP_ORDER;
  for (let exponent = GROUP_ORDER - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

function publicKeyOf(scalar: bigint): Uint8Array {
  return crypto().ed25519MultiplyBase([toLittleEndian(scalar)])[0] as Uint8Array;
}

/** Signs with a raw scalar as the reference does. */
function signWith(scalar: bigint, message: Uint8Array): Uint8Array {
  const { sha512 } = crypto();
  const prefix = sha512(toLittleEndian(scalar));
  const nonce = wideScalar(sha512(concatBytes(prefix.subarray(32), message, prefix.subarray(33))));
  const r = publicKeyOf(nonce);
  const k = wideScalar(sha512(concatBytes(r, publicKeyOf(scalar), message)));
  return concatBytes(r, toLittleEndian((nonce + k * scalar) % GROUP_ORDER));
}

/** What a reader of the reference does to write. */
function rootFromReadCapability(readScalar: bigint): bigint {
  return multiply(readScalar, inverse(factorOf(utf8("read"))));
}

describe.each(vectors.capabilities.map((capability, number) => ({ number, capability })))(
  "the read capability $number of the reference",
  ({ capability }) => {
    const address = fromHex(capability.address);
    const message = fromHex(capability.message);
    const root = rootFromReadCapability(littleEndian(fromHex(capability.readOnlyCapSecretScalar)));

    it("yields the root's secret scalar", () => {
      expect(toHex(publicKeyOf(root))).toBe(capability.rootPublicKey);
      expect(toHex(publicKeyOf(multiply(root, factorOf(address))))).toBe(capability.mapId);
    });

    it("yields the write capability and a write signature", () => {
      const writeCapability = multiply(root, factorOf(utf8("write")));
      const writeKey = multiply(writeCapability, factorOf(address));
      expect(toHex(toLittleEndian(writeCapability))).toBe(capability.writeOnlyCapSecretScalar);
      expect(toHex(toLittleEndian(writeKey))).toBe(capability.writeKeyScalar);
      const forged = signWith(writeKey, message);
      expect(toHex(forged)).toBe(capability.writeSignature);
      const verifier = fromHex(capability.writeVerifier);
      expect(crypto().ed25519Verify(verifier, message, forged)).toBe(true);
    });
  },
);

describe("our read capability", () => {
  const { seed, chain } = deriveDirection(new SeededRandom(3).bytes(32), "listener");
  const write = WriteCapability.of(seed, chain);
  const read = ReadCapability.fromBytes(write.readCapability().toBytes());
  const context = utf8("data");
  const message = utf8("not the reader's to write");

  /*
   * Ours holds the root's public key and a chain state. All numbers that a reader knows are factors
   * that it multiplies points by; dividing them out of an address leads back to the root's public
   * key, a point, and from a point to its scalar there is no way but the discrete logarithm. The
   * reference failed because its reader was given a product that has the secret scalar in it.
   */
  const known = knownScalars();

  function knownScalars(): bigint[] {
    const bytes = read.toBytes();
    const state = read.chain.toBytes();
    const frameId = read.chain.frameId(context);
    const secrets = [frameId, read.chain.frameKey(context), read.address(context)];
    for (let at = 0; at + 32 <= bytes.length; at += 4) secrets.push(bytes.subarray(at, at + 32));
    for (const at of [8, 40, 72]) secrets.push(state.subarray(at, at + 32));
    return secrets.flatMap((secret) => [
      littleEndian(secret) % GROUP_ORDER,
      clampedScalar(secret),
      clampedScalar(crypto().sha512(secret)),
      factorOf(secret),
    ]);
  }

  it("has no scalar of the root in it, whichever known factor is divided out", () => {
    const factors = [
      1n,
      factorOf(utf8("read")),
      factorOf(utf8("write")),
      littleEndian(blindingFactor(read.chain.frameId(context))),
    ];
    const targets = new Set([toHex(read.root), toHex(read.address(context))]);
    for (const scalar of known) {
      for (const factor of factors) {
        const guess = multiply(scalar, inverse(factor));
        expect(targets.has(toHex(publicKeyOf(guess)))).toBe(false);
        expect(targets.has(toHex(publicKeyOf(multiply(scalar, factor))))).toBe(false);
      }
    }
  });

  it("signs nothing that verifies under the address", () => {
    const address = read.address(context);
    expect(crypto().ed25519Verify(address, message, write.sign(context, message))).toBe(true);
    for (const scalar of known) {
      const root = rootFromReadCapability(scalar);
      const key = multiply(root, littleEndian(blindingFactor(read.chain.frameId(context))));
      expect(crypto().ed25519Verify(address, message, signWith(key, message))).toBe(false);
    }
  });

  it("leads back from an address to the root's public key only", () => {
    const factor = littleEndian(blindingFactor(read.chain.frameId(context)));
    const back = crypto().ed25519MultiplyPoint(
      [toLittleEndian(inverse(factor))],
      read.address(context),
    );
    expect(back).toEqual([read.root]);
  });

  it("offers no way to sign", () => {
    expect("sign" in read).toBe(false);
    expect("signer" in read).toBe(false);
  });
});
