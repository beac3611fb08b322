import { Reader, Writer } from "../../codec/index.ts";
import { NODE_ID_BYTES, type NodeId } from "../../identity/index.ts";

/** Why a signal did not reach the node that it was for. */
export type SignalFailure = "not-linked" | "busy";

/** What two nodes with a link between them say about punching. */
export type SignalMessage =
  /** Pass this on to a peer of yours, or take it if it is for you. */
  | { readonly kind: "to"; readonly node: NodeId; readonly body: Uint8Array }
  /** A peer of mine says this to you. */
  | { readonly kind: "from"; readonly node: NodeId; readonly body: Uint8Array }
  /** I did not pass it on. */
  | { readonly kind: "failed"; readonly node: NodeId; readonly reason: SignalFailure };

const REASONS: readonly SignalFailure[] = ["not-linked", "busy"];

/** The protocol of links whose datagrams carry signals. */
export const SIGNAL_PROTOCOL = "punch";

export function encodeSignal(message: SignalMessage): Uint8Array {
  const writer = new Writer(512);
  switch (message.kind) {
    case "to":
      return writer.u8(1).bytes(message.node).bytes(message.body).finish();
    case "from":
      return writer.u8(2).bytes(message.node).bytes(message.body).finish();
    case "failed":
      return writer.u8(3).bytes(message.node).u8(REASONS.indexOf(message.reason)).finish();
  }
}

/**
 * The body is a view of `bytes`.
 *
 * @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no signal
 */
export function decodeSignal(bytes: Uint8Array): SignalMessage {
  const reader: Reader = new Reader(bytes);
  const type = reader.u8("type");
  const node = reader.bytes(NODE_ID_BYTES, "node");
  if (type === 1) return { kind: "to", node, body: reader.rest() };
  if (type === 2) return { kind: "from", node, body: reader.rest() };
  if (type !== 3) reader.refuse("type", "is unknown");
  const reason = REASONS[reader.u8("reason")];
  if (reason === undefined) reader.refuse("reason", "is unknown");
  reader.expectEnd();
  return { kind: "failed", node, reason };
}
