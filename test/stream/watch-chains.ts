import { onTestFinished } from "vitest";
import { toHex } from "../../src/base/index.ts";
import { Chain } from "../../src/crypto/index.ts";
import { collectGarbage } from "../collect-garbage.ts";

/**
 * Watches all chain states that are made from now on. The result gives those, as bytes in hex, that
 * somebody still has and can use.
 */
export function watchChains(): () => Promise<string[]> {
  const made: WeakRef<Chain>[] = [];
  // A spy would keep what it has seen.
  for (const name of ["fromBytes", "fromMaterial"] as const) {
    const make = Chain[name] as (...given: unknown[]) => Chain;
    const watched = (...given: unknown[]): Chain => {
      const chain = make(...given);
      made.push(new WeakRef(chain));
      return chain;
    };
    Object.assign(Chain, { [name]: watched });
    onTestFinished(() => void Object.assign(Chain, { [name]: make }));
  }
  return async () => {
    await collectGarbage();
    return made.flatMap((chain) => bytesOf(chain.deref()));
  };
}

/** The first states of a chain, in the same form. */
export function statesFrom(first: Uint8Array, count: number): string[] {
  const states: string[] = [];
  let chain = Chain.fromBytes(first);
  for (let i = 0; i < count; i++) {
    states.push(toHex(chain.toBytes()));
    chain = chain.next();
  }
  return states;
}

/** Nothing, of one that is gone or was wiped. */
function bytesOf(chain: Chain | undefined): string[] {
  try {
    return chain === undefined ? [] : [toHex(chain.toBytes())];
  } catch {
    return [];
  }
}
