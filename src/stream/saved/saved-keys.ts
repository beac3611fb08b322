import type { Fields } from "../../codec/index.ts";
import { CHAIN_STATE_BYTES, Chain, crypto } from "../../crypto/index.ts";
import { CHAIN_INDEX_LIMIT } from "../frame/frame-keys.ts";

/**
 * A saved chain state that others can follow.
 *
 * @throws CulvertError of the fields
 */
export function chainOf(fields: Fields, name: string): Chain {
  const chain = Chain.fromBytes(fields.bytes(name, CHAIN_STATE_BYTES));
  if (chain.index >= CHAIN_INDEX_LIMIT) throw fields.wrong(name, "is at the end");
  return chain;
}

/**
 * The saved public key of a root.
 *
 * @throws CulvertError of the fields
 */
export function rootOf(fields: Fields, name: string): Uint8Array {
  const root = fields.bytes(name, 32);
  if (!crypto().ed25519IsPublicKey(root)) throw fields.wrong(name, "is not a public key");
  return root;
}
