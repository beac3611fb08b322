import { CulvertError, fromHex, requireBytes, requireObject, requireText } from "../base/index.ts";
import { formatNodeAddress, type NodeAddress, parseNodeAddress } from "./node-address.ts";
import { NODE_ID_BYTES, type NodeId, nodeIdText } from "./node-id.ts";

/** A node as people write it down: where it is, and who has to answer there. */
export interface NodeContact {
  /** Nobody else is believed to be it. */
  readonly id: NodeId;
  readonly address: NodeAddress;
}

/**
 * Reads `ID@udp://192.0.2.1:7000`; the id is 64 hexadecimal digits.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
export function parseNodeContact(text: string): NodeContact {
  requireText("a node", text);
  const at = text.indexOf("@");
  if (at < 0) throw new CulvertError("CULVERT_USAGE", "a node is written ID@udp://192.0.2.1:7000");
  return { id: parseId(text.slice(0, at)), address: parseNodeAddress(text.slice(at + 1)) };
}

/** The text that {@link parseNodeContact} reads. */
export function formatNodeContact(contact: NodeContact): string {
  requireObject("contact", contact);
  const { id, address } = contact;
  requireBytes("id", id, NODE_ID_BYTES);
  return `${nodeIdText(id)}@${formatNodeAddress(address)}`;
}

function parseId(text: string): NodeId {
  if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text);
  throw new CulvertError("CULVERT_USAGE", "a node's id has 64 hexadecimal digits");
}
