export type { StreamRole } from "./bacap.ts";
export { CHAIN_STATE_BYTES, Chain, deriveDirection } from "./bacap.ts";
export {
  type AddressesOf,
  addressesOfRoot,
  addressesOfSeed,
  BlindedSigner,
  blindingFactor,
  blindPublicKey,
  rootPublicKey,
  type SigningOrder,
} from "./blinding.ts";
export { ReadCapability, WriteCapability } from "./capability.ts";
export { equalSecret } from "./equal-secret.ts";
export { hkdf } from "./hkdf.ts";
export type { CryptoProvider, ProviderName } from "./provider.ts";
export { AEAD_TAG_BYTES, SECRETBOX_NONCE_BYTES } from "./provider.ts";
export { CELL_OVERHEAD_BYTES, openCell, sealCell } from "./secretbox.ts";
export { crypto, loadProvider, PROVIDER_NAMES, useProvider } from "./select.ts";
export { SigningKey } from "./signing-key.ts";
