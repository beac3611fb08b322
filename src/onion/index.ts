export type { BackwardContent, FailureReason, OpenedBackward } from "./backward.ts";
export {
  backwardBytesMax,
  backwardEdge,
  FAILURE_REASONS,
  makeBackward,
  openBackward,
  passBackward,
} from "./backward.ts";
export type { OnionGeometry } from "./geometry.ts";
export {
  checkedGeometry,
  headerBytes,
  ONION_GEOMETRY,
  packetBytes,
  surbBytes,
} from "./geometry.ts";
export type { BuiltHeader, HeaderHop, HopCommand, HopTarget, Routing } from "./header.ts";
export type { HopKeys } from "./hop-keys.ts";
export { edgeId } from "./hop-keys.ts";
export type { EpochKey } from "./key-ring.ts";
export { EPOCH_GRACE_MS, EPOCH_LEAD_MS, EPOCH_MS, epochOf, KeyRing } from "./key-ring.ts";
export type { BuiltPacket, DropReason, OnionParts, PeeledPacket, Peeling } from "./packet.ts";
export { buildPacket, contentBytesMax, hopsOf, openPayload, Peeler } from "./packet.ts";
export { REPLAY_TAGS_MAX, ReplayTags } from "./replay-tags.ts";
export type { OnionSuite } from "./suite.ts";
export { defaultSuite } from "./suite.ts";
export type { Surb, SurbOpener } from "./surb.ts";
export { makeSurb, openReply, useSurb } from "./surb.ts";
export { WideBlock } from "./wide-block.ts";
