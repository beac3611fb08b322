import { assert } from "../src/base/index.ts";
import {
  type CryptoProvider,
  loadProvider,
  PROVIDER_NAMES,
  type ProviderName,
} from "../src/crypto/index.ts";

/** Every provider of cryptography that there is, the slowest first. */
export const PROVIDERS: readonly ProviderName[] = PROVIDER_NAMES.toReversed();

/** Those that a node has: what there always is, and the optional one. */
export const NATIVE_PROVIDERS: readonly ProviderName[] = ["node", "sodium"];

/** The provider of this name. */
export function installed(name: ProviderName): CryptoProvider {
  const provider = loadProvider(name);
  assert(provider !== undefined, `${name} is installed`);
  return provider;
}

/** The fastest that is installed. */
export function fastest(): CryptoProvider {
  return loadProvider("sodium") ?? installed("node");
}
