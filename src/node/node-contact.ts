import { CulvertError, fromHex } from "../base/index.ts";
import {
  formatNodeAddress,
  type NodeAddress,
  type NodeId,
  nodeIdText,
  parseNodeAddress,
} from "../identity/index.ts";

/** A node as people write it down: where it is, and who has to answer there. */
export interface NodeContact {
  /** Absent when whoever answers is believed: the first meeting, on a network of one's own. */
  readonly id?: NodeId;
  readonly address: NodeAddress;
}

/**
 * Reads `ID@udp://192.0.2.1:7000`, or without `ID@`; the id is 64 hexadecimal digits.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
export function parseNodeContact(text: string): NodeContact {
  const at = text.indexOf("@");
  if (at < 0) return { address: parseNodeAddress(text) };
  return { id: parseId(text.slice(0, at)), address: parseNodeAddress(text.slice(at + 1)) };
}

/** The text that {@link parseNodeContact} reads. */
export function formatNodeContact({ id, address }: NodeContact): string {
  const where = formatNodeAddress(address);
  return id === undefined ? where : `${nodeIdText(id)}@${where}`;
}

function parseId(text: string): NodeId {
  if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text);
  throw new CulvertError("CULVERT_USAGE", "a node's id has 64 hexadecimal digits");
}
