import { CulvertError } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { type OnionGeometry, packetBytes, TAG_BYTES } from "./geometry.ts";
import { isTagged, type OnionParts } from "./packet.ts";
import { WideBlock } from "./wide-block.ts";

/** The first byte of a backward unit. */
export const BACKWARD_VERSION = 2;

/** Version, a random byte, the name of the packet on this edge. */
const HEAD_BYTES = 18;

/** Tag, kind, reason, detail, length. */
const BODY_HEAD_BYTES = TAG_BYTES + 5;

/** Why a hop could not do its part, by the byte that stands for it; zero is no failure. */
export const FAILURE_REASONS = [
  "next-unreachable",
  "timeout",
  "overload",
  "expired",
  "policy",
  "destination-refused",
  "protocol",
] as const;

/** Why a hop could not do its part. */
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** What travels back to the origin of a packet that asked for it. */
export type BackwardContent =
  | { readonly kind: "reply"; readonly content: Uint8Array }
  | { readonly kind: "failure"; readonly reason: FailureReason; readonly detail: number };

/** A backward unit with the number of the hop that made it: 0 is the first hop. */
export interface OpenedBackward {
  readonly hop: number;
  readonly content: BackwardContent;
}

/** Bytes of a reply that a backward unit carries. */
export function backwardBytesMax(geometry: OnionGeometry): number {
  return packetBytes(geometry) - HEAD_BYTES - BODY_HEAD_BYTES;
}

/** The first backward unit of a packet, by the hop that has something to say. */
export function makeBackward(
  { suite, geometry }: OnionParts,
  unit: {
    /** 16 bytes: the packet on the edge that it came from. */
    readonly edge: Uint8Array;
    readonly key: Uint8Array;
    readonly content: BackwardContent;
    readonly filler: number;
  },
): Uint8Array {
  const bytes = new Uint8Array(packetBytes(geometry));
  writeHead(bytes, unit.edge, unit.filler);
  const body = bytes.subarray(HEAD_BYTES);
  const writer = Writer.into(body).zeros(TAG_BYTES);
  const { content } = unit;
  if (content.kind === "reply") {
    writer.u8(1).u8(0).u8(0).u16(content.content.length).bytes(content.content);
  } else {
    writer.u8(2).u8(reasonCode(content.reason));
    writer.u8(content.detail).u16(0);
  }
  new WideBlock(suite, unit.key).encrypt(body);
  return bytes;
}

/** The name under which a backward unit arrives; `undefined` when it is none of this network. */
export function backwardEdge(geometry: OnionGeometry, unit: Uint8Array): Uint8Array | undefined {
  if (unit.length !== packetBytes(geometry) || unit[0] !== BACKWARD_VERSION) return undefined;
  return unit.subarray(2, HEAD_BYTES);
}

/** The unit as the neighbour before gets it: another name, one layer more. */
export function passBackward(
  { suite }: OnionParts,
  unit: Uint8Array,
  back: { readonly edge: Uint8Array; readonly key: Uint8Array; readonly filler: number },
): Uint8Array {
  const passed = unit.slice();
  writeHead(passed, back.edge, back.filler);
  new WideBlock(suite, back.key).encrypt(passed.subarray(HEAD_BYTES));
  return passed;
}

/**
 * Takes layer after layer off; the one that shows the tag names the hop. `undefined` when none
 * does: somebody on the way has changed the unit, or made it.
 *
 * @param layers the backward keys of the route, first hop first
 */
export function openBackward(
  { suite }: OnionParts,
  unit: Uint8Array,
  layers: readonly Uint8Array[],
): OpenedBackward | undefined {
  const body = unit.slice(HEAD_BYTES);
  for (const [hop, layer] of layers.entries()) {
    new WideBlock(suite, layer).decrypt(body);
    if (!isTagged(body)) continue;
    const content = readContent(body);
    return content === undefined ? undefined : { hop, content };
  }
  return undefined;
}

/** The byte that stands for a reason. */
export function reasonCode(reason: FailureReason): number {
  return 1 + FAILURE_REASONS.indexOf(reason);
}

/** The reason that a byte on the wire stands for; an unknown one is a breach by whoever sent it. */
export function reasonOf(code: number): FailureReason {
  return FAILURE_REASONS[code - 1] ?? "protocol";
}

function readContent(body: Uint8Array): BackwardContent | undefined {
  const reader = new Reader(body);
  try {
    reader.bytes(TAG_BYTES, "tag");
    const kind = reader.u8("kind");
    const reason = reasonOf(reader.u8("reason"));
    const detail = reader.u8("detail");
    const content = reader.bytes(reader.u16("length"), "content");
    if (kind === 1) return { kind: "reply", content };
    return kind === 2 ? { kind: "failure", reason, detail } : undefined;
  } catch (error) {
    if (error instanceof CulvertError) return undefined;
    throw error;
  }
}

function writeHead(bytes: Uint8Array, edge: Uint8Array, filler: number): void {
  bytes[0] = BACKWARD_VERSION;
  bytes[1] = filler;
  bytes.set(edge, 2);
}
