import { assert, concatBytes, equalBytes, utf8 } from "../../base/index.ts";
import { type Reader, Writer } from "../../codec/index.ts";
import { crypto } from "../../crypto/index.ts";
import type { Sequence } from "./record.ts";

/** A node's word that it keeps a record until a time. */
export interface ReceiptClaim {
  readonly address: Uint8Array;
  readonly seq: Sequence;
  /** SHA-256 of the payload. */
  readonly payloadHash: Uint8Array;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/**
 * The proof of a claim: a node signs the root of a hash tree over all claims of one durable write,
 * so a busy node pays one signature for many receipts.
 */
export interface Receipt {
  readonly expiresMs: number;
  /** Bit i says that the i-th sibling stands to the left. */
  readonly leftMask: number;
  /** The hashes beside the way from the claim to the root, from the bottom up. */
  readonly siblings: readonly Uint8Array[];
  /** By the node's own key, over the root. */
  readonly signature: Uint8Array;
}

/** Signs with a node's own ed25519 key. */
export interface ReceiptSigner {
  /** 32 bytes: who the node is. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** Receipts may end sooner than told by this much: two clocks may be an hour off, each. */
const CLOCKS_OFF_MS = 2 * 3_600_000;

/**
 * When the receipt for a life that is told now ends at the earliest, in Unix milliseconds: one that
 * ends sooner is of an earlier put, or of a shorter life.
 */
export function receiptEndsFrom(ttlSeconds: number, unixMs: number): number {
  return unixMs + 1_000 * ttlSeconds - CLOCKS_OFF_MS;
}

/** The deepest tree: more claims than any one durable write has. */
const DEPTH_MAX = 16;

const LABEL = utf8("culvert/v1/receipt");
const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

/** One receipt for each claim, in order, for the price of one signature. */
export function signReceipts(claims: readonly ReceiptClaim[], signer: ReceiptSigner): Receipt[] {
  assert(claims.length > 0 && claims.length <= 2 ** DEPTH_MAX, "a tree has leaves, not too many");
  const paths = claims.map(() => ({ leftMask: 0, siblings: [] as Uint8Array[] }));
  let level = claims.map(leafHash);
  for (let height = 0; level.length > 1; height++) {
    for (const [leaf, path] of paths.entries()) {
      const at = leaf >> height;
      const sibling = level[at ^ 1];
      // The last of an odd level has no sibling and moves up as it is.
      if (sibling === undefined) continue;
      if (at % 2 === 1) path.leftMask |= 1 << path.siblings.length;
      path.siblings.push(sibling);
    }
    level = nextLevel(level);
  }
  const signature = signer.sign(signedRoot(level[0]));
  return paths.map((path, leaf) => ({
    expiresMs: claims[leaf]?.expiresMs ?? 0,
    ...path,
    signature,
  }));
}

/**
 * Verifies the receipts of one node. It remembers the root that it verified last, so the receipts
 * of one durable write cost the reader one verification too.
 */
export class ReceiptVerifier {
  readonly #nodeKey: Uint8Array;
  #verified: { readonly root: Uint8Array; readonly signature: Uint8Array } | undefined;

  /** @param nodeKey 32 bytes, copied */
  constructor(nodeKey: Uint8Array) {
    this.#nodeKey = nodeKey.slice();
  }

  /** True when the node made `receipt` for exactly this claim. */
  verify(receipt: Receipt, claim: Omit<ReceiptClaim, "expiresMs">): boolean {
    const { signature } = receipt;
    let root = leafHash({ ...claim, expiresMs: receipt.expiresMs });
    for (const [height, sibling] of receipt.siblings.entries()) {
      const isLeft = ((receipt.leftMask >> height) & 1) === 1;
      root = isLeft ? innerHash(sibling, root) : innerHash(root, sibling);
    }
    const last = this.#verified;
    if (last !== undefined && equalBytes(last.root, root)) {
      if (equalBytes(last.signature, signature)) return true;
    }
    if (!crypto().ed25519Verify(this.#nodeKey, signedRoot(root), signature)) return false;
    this.#verified = { root, signature };
    return true;
  }
}

/** Expiry 6, depth 1, mask 2, siblings 32 each, signature 64. */
export function writeReceipt(writer: Writer, receipt: Receipt): void {
  writer.u48(receipt.expiresMs).u8(receipt.siblings.length).u16(receipt.leftMask);
  for (const sibling of receipt.siblings) writer.bytes(sibling);
  writer.bytes(receipt.signature);
}

/**
 * A receipt that owns its bytes.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readReceipt(reader: Reader): Receipt {
  const expiresMs = reader.u48("receipt expiry");
  const depth = reader.u8("receipt depth");
  if (depth > DEPTH_MAX) reader.refuse("receipt depth", `${depth} is too deep`);
  const leftMask = reader.u16("receipt mask");
  if (leftMask >> depth !== 0) reader.refuse("receipt mask", "has bits beyond the depth");
  const siblings = Array.from({ length: depth }, () => reader.bytes(32, "receipt sibling").slice());
  const signature = reader.bytes(64, "receipt signature").slice();
  return { expiresMs, leftMask, siblings, signature };
}

/** The most bytes that a receipt can have on the wire. */
export const RECEIPT_BYTES_MAX: number = 6 + 1 + 2 + 32 * DEPTH_MAX + 64;

/** Two hashes for each record that is stored: what they cover is laid out where the last was. */
function leafHash({ address, payloadHash, seq, expiresMs }: ReceiptClaim): Uint8Array {
  assert(address.length === 32 && payloadHash.length === 32, "a leaf has one length");
  leaf.set(address, LEAF_PREFIX.length);
  leaf.set(payloadHash, LEAF_PREFIX.length + 32);
  Writer.into(leaf.subarray(LEAF_PREFIX.length + 64))
    .u8(seq)
    .u48(expiresMs);
  return crypto().sha256(leaf);
}

const LEAF_PREFIX = concatBytes(LEAF, LABEL);
const leaf = concatBytes(LEAF_PREFIX, new Uint8Array(32 + 32 + 1 + 6));

function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  inner.set(left, INNER.length);
  inner.set(right, INNER.length + 32);
  return crypto().sha256(inner);
}

const inner = concatBytes(INNER, new Uint8Array(64));

function nextLevel(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = [level[i], level[i + 1]];
    assert(left !== undefined, "a level has no gaps");
    above.push(right === undefined ? left : innerHash(left, right));
  }
  return above;
}

function signedRoot(root: Uint8Array | undefined): Uint8Array {
  assert(root !== undefined, "a tree has a root");
  return concatBytes(LABEL, root);
}
