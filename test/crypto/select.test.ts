import { afterEach, describe, expect, it } from "vitest";
import {
  BlindedSigner,
  type CryptoProvider,
  crypto,
  loadProvider,
  PROVIDER_NAMES,
  type ProviderName,
  useProvider,
} from "../../src/crypto/index.ts";
import { nobleProvider } from "../../src/crypto/noble.ts";
import { chooseProvider } from "../../src/crypto/select.ts";
import { NOBLE_ANSWERS, passesSelfTest, selfTestAnswers } from "../../src/crypto/self-test.ts";

type Method = Exclude<keyof CryptoProvider, "name">;

function load(name: ProviderName): CryptoProvider {
  return loadProvider(name) ?? nobleProvider;
}

describe("the self-test", () => {
  it("expects what noble answers", () => {
    expect(selfTestAnswers(nobleProvider)).toEqual(NOBLE_ANSWERS);
  });

  it.each(PROVIDER_NAMES)("passes %s", (name) => {
    expect(passesSelfTest(load(name))).toBe(true);
  });

  const wrong: [Method, CryptoProvider][] = [
    ["sha256", { ...nobleProvider, sha256: (m) => nobleProvider.sha256(m).with(31, 0) }],
    ["sha512", { ...nobleProvider, sha512: (m) => nobleProvider.sha512(m).subarray(0, 63) }],
    ["sha512t256", { ...nobleProvider, sha512t256: nobleProvider.sha256 }],
    ["blake2b512", { ...nobleProvider, blake2b512: nobleProvider.sha512 }],
    ["chacha20Xor", { ...nobleProvider, chacha20Xor: (_key, _nonce, bytes) => bytes }],
    ["hkdfBlake2b", { ...nobleProvider, hkdfBlake2b: ({ length }) => new Uint8Array(length) }],
    [
      "secretboxSeal",
      { ...nobleProvider, secretboxSeal: (_key, _nonce, m) => new Uint8Array(m.length + 16) },
    ],
    ["secretboxOpen", { ...nobleProvider, secretboxOpen: (_key, _nonce, box) => box.subarray(16) }],
    ["ed25519Verify", { ...nobleProvider, ed25519Verify: () => true }],
    ["ed25519Verify", { ...nobleProvider, ed25519Verify: () => false }],
    ["ed25519IsPublicKey", { ...nobleProvider, ed25519IsPublicKey: () => true }],
    ["ed25519MultiplyBase", { ...nobleProvider, ed25519MultiplyBase: (all) => [...all] }],
    ["ed25519MultiplyPoint", { ...nobleProvider, ed25519MultiplyPoint: () => undefined }],
    ["x25519", { ...nobleProvider, x25519: (secret) => secret }],
    ["x25519PublicKey", { ...nobleProvider, x25519PublicKey: (secret) => secret }],
  ];
  it.each(wrong)("fails a wrong %s", (_, provider) => {
    expect(passesSelfTest(provider)).toBe(false);
  });

  it("fails what throws", () => {
    const provider: CryptoProvider = {
      ...nobleProvider,
      sha256: () => {
        throw new Error("no such digest");
      },
    };
    expect(passesSelfTest(provider)).toBe(false);
  });
});

describe("the choice of a provider", () => {
  it.each(PROVIDER_NAMES)("takes %s when it is named", (name) => {
    expect(chooseProvider(name).name).toBe(name);
  });

  it("takes the fastest that is there", () => {
    expect(chooseProvider("auto").name).toBe("sodium");
    const node = load("node");
    const missing = [
      ["sodium", () => undefined],
      ["node", () => node],
    ] as const;
    expect(chooseProvider("auto", missing)).toBe(node);
  });

  it("falls back from one that answers otherwise, and from all", () => {
    const node = load("node");
    const broken: CryptoProvider = { ...node, name: "sodium", ed25519Verify: () => true };
    const loaders = [
      ["sodium", () => broken],
      ["node", () => node],
    ] as const;
    expect(chooseProvider("sodium", loaders)).toBe(node);
    expect(chooseProvider("auto", loaders.slice(0, 1))).toBe(nobleProvider);
  });

  it("refuses a name that it does not know", () => {
    expect(() => chooseProvider("openssl")).toThrow(
      expect.objectContaining({ code: "CULVERT_USAGE" }),
    );
  });
});

describe("the provider in use", () => {
  afterEach(() => useProvider(undefined));

  it("is the one that a test set, until the next choice", () => {
    useProvider(nobleProvider);
    expect(crypto()).toBe(nobleProvider);
    useProvider(undefined);
    expect(crypto()).toBe(crypto());
  });

  it("makes no difference to addresses and signatures", () => {
    const made = PROVIDER_NAMES.map((name) => {
      useProvider(load(name));
      const signer = BlindedSigner.of(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
      return [signer.address, signer.sign(new Uint8Array(100))];
    });
    expect(made[1]).toEqual(made[0]);
    expect(made[2]).toEqual(made[0]);
  });
});
