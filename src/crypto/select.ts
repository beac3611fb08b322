import { CulvertError } from "../base/index.ts";
import { nobleProvider } from "./noble.ts";
import { nodeProvider } from "./node.ts";
import type { CryptoProvider, ProviderName } from "./provider.ts";
import { passesSelfTest } from "./self-test.ts";
import { sodiumProvider } from "./sodium.ts";

type Loaders = readonly (readonly [ProviderName, () => CryptoProvider | undefined])[];

/** Fastest first. */
const LOADERS: Loaders = [
  ["sodium", sodiumProvider],
  ["node", nodeProvider],
  ["noble", () => nobleProvider],
];

/** All there are, fastest first: what `CULVERT_CRYPTO` may name beside `auto`. */
export const PROVIDER_NAMES: readonly ProviderName[] = LOADERS.map(([name]) => name);

let inUse: CryptoProvider | undefined;

/**
 * The provider in use. The first call chooses it: the one that the environment variable
 * `CULVERT_CRYPTO` names (`noble`, `node`, `sodium`), and without it, or with `auto`, the fastest.
 * One that is not there, or does not answer as noble does, gives way to the next slower one.
 *
 * @throws CulvertError `CULVERT_USAGE` when the variable names no provider
 */
export function crypto(): CryptoProvider {
  if (inUse === undefined) {
    const { CULVERT_CRYPTO: wanted = "auto" } = globalThis.process?.env ?? {};
    inUse = chooseProvider(wanted);
  }
  return inUse;
}

/** Makes `provider` the one in use, or with `undefined` lets the next call choose: for tests. */
export function useProvider(provider: CryptoProvider | undefined): void {
  inUse = provider;
}

/**
 * The first provider from `wanted` on that is there and passes the self-test.
 *
 * @throws CulvertError `CULVERT_USAGE` when `wanted` is neither `auto` nor in the list
 */
export function chooseProvider(wanted: string, loaders: Loaders = LOADERS): CryptoProvider {
  const first = wanted === "auto" ? 0 : loaders.findIndex(([name]) => name === wanted);
  if (first < 0) {
    const names = ["auto", ...PROVIDER_NAMES].join(", ");
    throw new CulvertError("CULVERT_USAGE", `CULVERT_CRYPTO is none of ${names}`);
  }
  for (const [, load] of loaders.slice(first)) {
    const provider = load();
    // noble is the measure: it would only be compared with itself.
    if (provider === nobleProvider) break;
    if (provider !== undefined && passesSelfTest(provider)) return provider;
  }
  return nobleProvider;
}

/** The named provider, untested, or `undefined` where it cannot be loaded: for comparisons. */
export function loadProvider(name: ProviderName): CryptoProvider | undefined {
  return LOADERS.find(([known]) => known === name)?.[1]();
}
