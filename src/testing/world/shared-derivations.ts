import { type CryptoProvider, crypto, useProvider } from "../../crypto/index.ts";
import { placeKey } from "./virtual-map.ts";

type HkdfOptions = Parameters<CryptoProvider["hkdfBlake2b"]>[0];

/** Derivations that are remembered: about a thousand frames of both directions use six each. */
const REMEMBERED_MAX = 200_000;

/**
 * Remembers what HKDF gave. All worlds of the simulator use one secret, so the same derivations
 * come again in every run of a process; sealing and opening are done each time.
 */
export function shareDerivations(): void {
  const provider = crypto();
  const known = new Map<string, Uint8Array>();
  const remembering = Object.create(provider) as typeof provider;
  remembering.hkdfBlake2b = (options: HkdfOptions): Uint8Array => {
    const key = keyOf(options);
    let derived = known.get(key);
    if (derived === undefined) {
      derived = provider.hkdfBlake2b(options);
      if (known.size < REMEMBERED_MAX) known.set(key, derived);
    }
    return derived.slice();
  };
  useProvider(remembering);
}

function keyOf({ ikm, salt, info, length }: HkdfOptions): string {
  const labels = [salt, info].map((label) => (label === undefined ? "" : placeKey(label)));
  return `${placeKey(ikm)}|${labels.join("|")}|${length}`;
}
