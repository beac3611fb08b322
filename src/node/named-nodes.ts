import { isBytes, requireArray } from "../base/index.ts";
import { type NodeContact, parseNodeContact } from "../identity/index.ts";

/** A node to begin with, as it is known to a program or as `culvert node` prints it. */
export type NamedNode = NodeContact | string;

/**
 * @throws CulvertError `CULVERT_USAGE` for a text that is no `ID@udp://HOST:PORT`
 * @throws TypeError for what is no node
 */
export function contactsOf(nodes: readonly NamedNode[]): readonly NodeContact[] {
  requireArray("bootstrap", nodes);
  return nodes.map((node) => (typeof node === "string" ? parseNodeContact(node) : contact(node)));
}

function contact(node: NodeContact): NodeContact {
  const { id, address }: Partial<NodeContact> = Object(node);
  if (isBytes(id) && typeof address?.host === "string") return node;
  throw new TypeError("a node has an id and an address");
}
