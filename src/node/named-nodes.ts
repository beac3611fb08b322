import { type NodeContact, parseNodeContact } from "../identity/index.ts";

/** A node to begin with, as it is known to a program or as `culvert node` prints it. */
export type NamedNode = NodeContact | string;

/** @throws CulvertError `CULVERT_USAGE` for a text that is no `ID@udp://HOST:PORT` */
export function contactsOf(nodes: readonly NamedNode[]): readonly NodeContact[] {
  return nodes.map((node) => (typeof node === "string" ? parseNodeContact(node) : node));
}
