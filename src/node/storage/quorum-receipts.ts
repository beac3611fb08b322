import { equalBytes, isCulvertError } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { crypto } from "../../crypto/index.ts";
import { type NodeId, nodeIdOf } from "../../identity/index.ts";
import {
  type MapRecord,
  type Receipt,
  ReceiptVerifier,
  readReceipt,
  writeReceipt,
} from "../../mapservice/index.ts";

/** One node's word that it keeps a record. */
export interface NodeReceipt {
  /** ed25519, 32 bytes. */
  readonly nodeKey: Uint8Array;
  readonly receipt: Receipt;
}

/** Receipts of one put, at the most. */
const RECEIPTS_MAX = 16;

/**
 * The receipts of one put as bytes: count 1, then the key 32 and the receipt of each; as many as
 * `bytesMax` has room for, the shortest first.
 */
export function encodeReceipts(receipts: readonly NodeReceipt[], bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 1;
  const shortestFirst = [...receipts].sort((a, b) => depthOf(a) - depthOf(b));
  for (const { nodeKey, receipt } of shortestFirst.slice(0, RECEIPTS_MAX)) {
    const writer = new Writer(256).bytes(nodeKey);
    writeReceipt(writer, receipt);
    const part = writer.finish();
    if (length + part.length > bytesMax) break;
    parts.push(part);
    length += part.length;
  }
  const writer = new Writer(length).u8(parts.length);
  for (const part of parts) writer.bytes(part);
  return writer.finish();
}

/** What the receipts of a put are worth that a stranger has collected. */
export interface Testimony {
  /** The nodes that have signed that they keep the record, each once. */
  readonly signers: readonly NodeId[];
  /** How many of them have signed that they keep it for as long as was asked about. */
  readonly lasting: number;
  /**
   * There is a receipt that its node did not sign, or none, or what is there are no receipts: who
   * has looked at what it collected does not hand that on.
   */
  readonly isForged: boolean;
}

/**
 * Looks at the receipts that are said to be those of a put of `record`, which is to be kept until
 * `untilUnixMs`: those of an earlier put are good too, and say less.
 */
export function testimonyOf(bytes: Uint8Array, record: MapRecord, untilUnixMs = 0): Testimony {
  const payloadHash = crypto().sha256(record.payload);
  const claim = { address: record.address, seq: record.seq, payloadHash };
  const signers: NodeId[] = [];
  const receipts = decodeReceipts(bytes);
  let isForged = receipts.length === 0;
  let lasting = 0;
  for (const { nodeKey, receipt } of receipts) {
    if (!new ReceiptVerifier(nodeKey).verify(receipt, claim)) {
      isForged = true;
      continue;
    }
    const id = nodeIdOf(nodeKey);
    if (signers.some((known) => equalBytes(known, id))) continue;
    signers.push(id);
    if (receipt.expiresMs >= untilUnixMs) lasting += 1;
  }
  return { signers, lasting, isForged };
}

function depthOf({ receipt }: NodeReceipt): number {
  return receipt.siblings.length;
}

function decodeReceipts(bytes: Uint8Array): NodeReceipt[] {
  try {
    const reader: Reader = new Reader(bytes);
    const count = reader.u8("receipts");
    if (count > RECEIPTS_MAX) return [];
    return Array.from({ length: count }, () => {
      const nodeKey = reader.bytes(32, "node key");
      return { nodeKey, receipt: readReceipt(reader) };
    });
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
    return [];
  }
}
