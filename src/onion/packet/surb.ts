import { assert, concatBytes, type Random } from "../../base/index.ts";
import { Reader } from "../../codec/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { headerBytes, packetBytes, TAG_BYTES } from "./geometry.ts";
import { buildHeader, type HopTarget } from "./header.ts";
import { contentBytesMax, hopsOf, type OnionParts, openPayload } from "./packet.ts";
import { keystream, type OnionSuite } from "./suite.ts";
import { WIDE_BLOCK_KEY_BYTES, WideBlock } from "./wide-block.ts";

/** A single-use reply block, as its origin sees it. */
export interface Surb {
  /** First hop 32, header, key 32: what the destination gets. */
  readonly bytes: Uint8Array;
  /** 32 bytes, random: what the packet that comes home is called. */
  readonly name: Uint8Array;
  /** What opens the reply; secret. */
  readonly opener: SurbOpener;
}

/** Opens the one reply that a reply block can carry. */
export interface SurbOpener {
  readonly key: Uint8Array;
  /** The payload keys of the route back, first hop first. */
  readonly layers: readonly Uint8Array[];
}

/**
 * Makes a reply block whose route ends at the origin itself.
 *
 * @returns `undefined` when a hop's key is of small order
 */
export function makeSurb(
  parts: OnionParts,
  options: {
    readonly epoch: number;
    /** The last of these is the origin. */
    readonly route: readonly HopTarget[];
    readonly random: Random;
  },
): Surb | undefined {
  const { epoch, route, random } = options;
  const [first] = route;
  assert(first !== undefined, "a reply has a way");
  const name = random.bytes(32);
  const hops = hopsOf(route, { last: "home", name });
  const built = buildHeader(parts, { epoch, hops, random });
  if (built === undefined) return undefined;
  const key = random.bytes(32);
  const layers = built.keys.map((keys) => keys.payload);
  return { bytes: concatBytes(first.id, built.header, key), name, opener: { key, layers } };
}

/**
 * The packet that carries `content` along a reply block, and who gets it. No hop can tell it from
 * any other packet.
 *
 * @param surb of the network's length, from a stranger
 * @throws CulvertError `CULVERT_PROTOCOL` when it is too short or too long
 */
export function useSurb(
  { suite, geometry }: OnionParts,
  surb: Uint8Array,
  content: Uint8Array,
): { readonly first: NodeId; readonly unit: Uint8Array } {
  assert(content.length <= contentBytesMax(geometry), "the content fits the payload");
  const reader = new Reader(surb);
  const first = reader.bytes(32, "first hop").slice();
  const header = reader.bytes(headerBytes(geometry), "header");
  const key = reader.bytes(32, "key");
  reader.expectEnd();
  const unit = new Uint8Array(packetBytes(geometry));
  unit.set(header);
  const payload = unit.subarray(header.length);
  payload.set(content, TAG_BYTES);
  surbCipher(suite, key).encrypt(payload);
  return { first, unit };
}

/**
 * What the destination has put into a payload that came home. The last layer was taken off by the
 * origin's own hop.
 *
 * @param payload changed where it lies
 * @returns a view of it, or `undefined` when it was changed on its way
 */
export function openReply(
  suite: OnionSuite,
  { key, layers }: SurbOpener,
  payload: Uint8Array,
): Uint8Array | undefined {
  for (const layer of layers.toReversed()) new WideBlock(suite, layer).encrypt(payload);
  surbCipher(suite, key).decrypt(payload);
  return openPayload(payload);
}

function surbCipher(suite: OnionSuite, key: Uint8Array): WideBlock {
  return new WideBlock(suite, keystream(suite, key, WIDE_BLOCK_KEY_BYTES));
}
