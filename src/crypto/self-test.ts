import { concatBytes, fromHex, toHex, utf8 } from "../base/index.ts";
import type { CryptoProvider } from "./provider.ts";
import { GROUP_ORDER, littleEndian, toLittleEndian } from "./scalar.ts";

/** True when `provider` answers as noble does, on fixed inputs to each of its methods. */
export function passesSelfTest(provider: CryptoProvider): boolean {
  try {
    const given = selfTestAnswers(provider);
    return Object.entries(NOBLE_ANSWERS).every(([name, answer]) => given[name] === answer);
  } catch {
    return false; // what throws here cannot be used either
  }
}

/** What `provider` makes of the fixed inputs, as text. */
export function selfTestAnswers(provider: CryptoProvider): Readonly<Record<string, string>> {
  const message = utf8("culvert self-test");
  const scalar = Uint8Array.from({ length: 32 }, (_, i) => (i < 31 ? i + 1 : 1));
  const nonce = scalar.subarray(0, 24);
  const box = provider.secretboxSeal(scalar, nonce, message);
  const damaged = box.with(0, (box[0] as number) ^ 1);
  const iv = scalar.subarray(0, 12);
  const sealed = provider.aeadSeal(scalar, iv, message, { aad: nonce });
  const sealedBadly = sealed.with(0, (sealed[0] as number) ^ 1);
  const into = new Uint8Array(sealed.length);
  const [publicKey = NEUTRAL] = provider.ed25519MultiplyBase([scalar]);
  const s = littleEndian(SIGNATURE.subarray(32));
  const malleated = concatBytes(SIGNATURE.subarray(0, 32), toLittleEndian(s + GROUP_ORDER));
  return {
    sha256: toHex(provider.sha256(message)),
    sha512: toHex(provider.sha512(message)),
    sha512t256: toHex(provider.sha512t256(message)),
    blake2b512: toHex(provider.blake2b512(message)),
    hkdf: toHex(provider.hkdfBlake2b({ ikm: scalar, salt: message, info: nonce, length: 96 })),
    box: toHex(box),
    boxInPlace: toHex(sealInPlace(provider, { key: scalar, nonce, message })),
    chacha20: toHex(provider.chacha20Xor(scalar, iv, message)),
    opened: text(provider.secretboxOpen(scalar, nonce, box)),
    openedInPlace: text(provider.secretboxOpen(scalar, nonce, box.slice(), { isInPlace: true })),
    openedDamaged: text(provider.secretboxOpen(scalar, nonce, damaged)),
    sealed: toHex(sealed),
    sealedInto: toHex(provider.aeadSeal(scalar, iv, message, { into })),
    unsealed: text(provider.aeadOpen(scalar, iv, sealed, { aad: nonce })),
    unsealedInPlace: text(openedInPlace(provider, { key: scalar, iv, sealed, aad: nonce })),
    unsealedBadly: text(provider.aeadOpen(scalar, iv, sealedBadly, { aad: nonce })),
    unsealedWithout: text(provider.aeadOpen(scalar, iv, sealed)),
    publicKey: toHex(publicKey),
    product: text(provider.ed25519MultiplyPoint([scalar], publicKey)?.[0]),
    publicKeys: [publicKey, NEUTRAL].map(provider.ed25519IsPublicKey).join(),
    verified: String(provider.ed25519Verify(PUBLIC_KEY, message, SIGNATURE)),
    verifiedOther: String(provider.ed25519Verify(PUBLIC_KEY, nonce, SIGNATURE)),
    verifiedMalleated: String(provider.ed25519Verify(PUBLIC_KEY, message, malleated)),
    x25519OfEd25519: [publicKey, NEUTRAL].map((key) => text(provider.x25519OfEd25519(key))).join(),
    x25519PublicKey: toHex(provider.x25519PublicKey(scalar)),
    x25519: text(provider.x25519(scalar, PUBLIC_KEY)),
    x25519Zero: text(provider.x25519(scalar, new Uint8Array(32))),
  };
}

function openedInPlace(
  provider: CryptoProvider,
  { key, iv, sealed, aad }: Readonly<Record<"key" | "iv" | "sealed" | "aad", Uint8Array>>,
): Uint8Array | undefined {
  return provider.aeadOpen(key, iv, sealed.slice(), { aad, isInPlace: true });
}

function sealInPlace(
  provider: CryptoProvider,
  { key, nonce, message }: { key: Uint8Array; nonce: Uint8Array; message: Uint8Array },
): Uint8Array {
  const box = concatBytes(new Uint8Array(16), message);
  return provider.secretboxSeal(key, nonce, box.subarray(16), box);
}

function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "none" : toHex(bytes);
}

/** The point of order 1: no public key. */
const NEUTRAL = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0));
const PUBLIC_KEY = fromHex("ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c");
const SIGNATURE = fromHex(
  "bf44a181065b79b1acf90560629b61eaeeb9b7c5e97afb901dfb8461397d365d" +
    "c27c7893e79cff9c50c35fcfafb94ae781a48fd6e6784c58e6b32a849611df07",
);

/** What noble says: a test computes it anew, so a start pays for the tested provider only. */
export const NOBLE_ANSWERS: Readonly<Record<string, string>> = {
  sha256: "20734b2943f74db1554e50e8d8a901b7d3062124cd0c51a48d30fe114c8316b8",
  sha512:
    "374889af02308b5a3a76b739f43b70151ce2193a7d7c4a0337f6384e21be55af" +
    "90f71599960d22837fb50aa2d37c215d34e052f9ebd92683ca55aa7473cf8d0d",
  sha512t256: "f1c17d1f082aca24d012c8dea115e89c0904d47027101df30bc94d9cb2d655de",
  blake2b512:
    "a7eb8cd2c3831ee84e8a82a3b055ab608c38a283b17fd763e7503e1b5fc8b082" +
    "03c6bd063dfdca4bae0a7f45e08ecd62a3d465d3475a8bafd89dd14a56ff85c2",
  hkdf:
    "c1260b8e330325393abbb53a91e791e566a8c5ab0248e0ae826ebcad6fd03d30" +
    "39df65524ba2814542f52eb1d45c7af5a4c1da5edc76a7c1116a9be9cd1f3818" +
    "43e2e8b81a38bd048e3833c3db2c364ce19bdb7a9fd132cbaaf5c3cc1c912839",
  box: "b49516b6a8eb3f246ef48d7258dc4f499d6067ad0010d0e1fd780d79855bfed35e",
  boxInPlace: "b49516b6a8eb3f246ef48d7258dc4f499d6067ad0010d0e1fd780d79855bfed35e",
  chacha20: "10542e8be00e17d67307bb3492f2178d72",
  opened: "63756c766572742073656c662d74657374",
  openedInPlace: "63756c766572742073656c662d74657374",
  openedDamaged: "none",
  sealed: "07db95918ffb9bebde5af08a3cda3ee829b8e57405008ea0835725cccbd50d00ab",
  sealedInto: "07db95918ffb9bebde5af08a3cda3ee82962f6821fd7f7b4d7aa6b655cbe2f1503",
  unsealed: "63756c766572742073656c662d74657374",
  unsealedInPlace: "63756c766572742073656c662d74657374",
  unsealedBadly: "none",
  unsealedWithout: "none",
  publicKey: "aab0ae1e220b78972b167a0cd1dd447be17eaee749463762e4959eef1b0433ea",
  product: "5c64f0e7bca699929a2451fd0408388bdd32ee292924de228b5413e9eaac18e6",
  publicKeys: "true,false",
  verified: "true",
  verifiedOther: "false",
  verifiedMalleated: "false",
  x25519OfEd25519: "57501098556e29f370580f4fbaa23fa4df2703fbebbefacc56c2bdcf164b6035,none",
  x25519PublicKey: "79bd9e6d07298c3d576403eaedb309d1de63225ebe5e8af5f5435386ec109f2c",
  x25519: "fb495a50cef31732a544e6f8ef5a6a239dbc552ac46b8f0e3f763d7a08af4618",
  x25519Zero: "none",
};
