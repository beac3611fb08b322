import { nobleProvider } from "./noble.ts";
import type { CryptoProvider } from "./provider.ts";

let chosen: CryptoProvider | undefined;

/** The provider in use: the fastest one that works here, chosen at the first call. */
export function crypto(): CryptoProvider {
  chosen ??= nobleProvider;
  return chosen;
}

/** Makes `provider` the one in use, or with `undefined` lets the next call choose again. */
export function useProvider(provider: CryptoProvider | undefined): void {
  chosen = provider;
}
