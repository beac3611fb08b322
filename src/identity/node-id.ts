import { equalBytes, requireBytes, toHex } from "../base/index.ts";
import { crypto } from "../crypto/index.ts";

/** Bytes of a {@link NodeId}. */
export const NODE_ID_BYTES = 32;

/**
 * Who a node is: SHA-256 of its ed25519 public key in canonical encoding (EGTP's nodeId, with a
 * hash of today). It is the node's place in the DHT too.
 */
export type NodeId = Uint8Array & { readonly __nodeId?: never };

/**
 * The id that belongs to `publicKey`, 32 bytes, which is borrowed; that it is a key is not checked.
 *
 * @throws TypeError for what is no `Uint8Array`
 */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  requireBytes("publicKey", publicKey);
  return crypto().sha256(publicKey);
}

/** The id in lower-case hexadecimal: a key for maps, and what people are shown. */
export function nodeIdText(id: NodeId): string {
  return toHex(id);
}

/** Whether two ids are the same. */
export function isSameNode(a: NodeId, b: NodeId): boolean {
  return equalBytes(a, b);
}
