import type { OpenedBackward } from "./backward.ts";
import type { PacketOutcome } from "./packet-protocol.ts";

/**
 * What a backward unit says of a packet that went over so many hops. A reply counts only from the
 * destination; a hop half-way can but fail.
 */
export function outcomeOf(opened: OpenedBackward | undefined, hops: number): PacketOutcome {
  if (opened === undefined) return { kind: "failure", failure: { reason: "protocol" } };
  const { hop, content } = opened;
  if (content.kind === "failure") {
    return { kind: "failure", failure: { reason: content.reason, hop } };
  }
  if (hop !== hops - 1) {
    return { kind: "failure", failure: { reason: "protocol", hop, isProven: true } };
  }
  return { kind: "reply", content: content.content };
}
