export type { CircuitEnding } from "./circuit/circuit.ts";
export { Circuit } from "./circuit/circuit.ts";
export type { CircuitEffect, CircuitInput } from "./circuit/circuit-core.ts";
export { CircuitCore } from "./circuit/circuit-core.ts";
export type { CircuitLimits } from "./circuit/circuit-limits.ts";
export { CIRCUIT_LIMITS } from "./circuit/circuit-limits.ts";
export type { PathOptions } from "./circuit/circuit-pool.ts";
export { CircuitPool, PATH_DEFAULTS } from "./circuit/circuit-pool.ts";
export { UnitCutter } from "./circuit/unit-cutter.ts";
export { buildWatched } from "./circuit/watched-circuit.ts";
export type { ChannelEvents, OnionChannel, OnionLinks } from "./links.ts";
export type { ExitChecks, StoredOutcome } from "./map/exit-checks.ts";
export type { ExitMap } from "./map/map-exit.ts";
export { serveMap } from "./map/map-exit.ts";
export type { OnionRecord } from "./map/map-operation.ts";
export {
  OPERATION_PAYLOAD_BYTES_MAX,
  RECEIPTS_BYTES_MAX,
  requestCellsFor,
} from "./map/map-operation.ts";
export type { OnionCarrierComponents } from "./map/onion-carrier.ts";
export { OnionCarrier } from "./map/onion-carrier.ts";
export type { OnionCarrierOptions } from "./map/onion-carrier-options.ts";
export { ONION_CARRIER_DEFAULTS, resolveOnionCarrierOptions } from "./map/onion-carrier-options.ts";
export { IncomingMessage, type ReplyWay } from "./message/message.ts";
export type { MessageOptions, ReplyMode } from "./message/message-desk.ts";
export { MessageDesk } from "./message/message-desk.ts";
export type { WriterPort } from "./message/message-writer.ts";
export { MessageWriter } from "./message/message-writer.ts";
export type { BackwardContent, FailureReason } from "./packet/backward.ts";
export type { Failure } from "./packet/failure.ts";
export { failureOf } from "./packet/failure.ts";
export type { OnionGeometry } from "./packet/geometry.ts";
export { ONION_GEOMETRY, packetBytes, requestBytes } from "./packet/geometry.ts";
export type { HeaderHop, HopCommand, HopTarget, Routing } from "./packet/header.ts";
export type { EpochKey } from "./packet/key-ring.ts";
export { EPOCH_LEAD_MS, EPOCH_MS, epochOf, KeyRing } from "./packet/key-ring.ts";
export type {
  BuiltPacket,
  DropReason,
  HopComponents,
  OnionParts,
  PeeledPacket,
  Peeling,
} from "./packet/packet.ts";
export { buildPacket, contentBytesMax, hopsOf, openPayload, Peeler } from "./packet/packet.ts";
export { PacketCore } from "./packet/packet-core.ts";
export type {
  PacketEffect,
  PacketInput,
  PacketLimits,
  PacketOutcome,
} from "./packet/packet-protocol.ts";
export { PACKET_LIMITS } from "./packet/packet-protocol.ts";
export type { PacketHandlers } from "./packet/packet-shell.ts";
export type { ReplayTags } from "./packet/replay-tags.ts";
export type { OnionSuite } from "./packet/suite.ts";
export type { Surb, SurbOpener } from "./packet/surb.ts";
export { makeSurb, openReply, useSurb } from "./packet/surb.ts";
export { WideBlock } from "./packet/wide-block.ts";
export { RelayCore } from "./relay/relay-core.ts";
export { RELAY_DEFAULTS, type RelayOptions } from "./relay/relay-options.ts";
export type {
  ChannelId,
  CircuitId,
  RelayEffect,
  RelayInput,
  RelayLimits,
} from "./relay/relay-protocol.ts";
export { ONION_RELAY_LIMITS } from "./relay/relay-protocol.ts";
export type { CircuitHandlers, IncomingCircuit } from "./relay/relay-shell.ts";
export { BlameLedger } from "./route/blame.ts";
export type { AskGuard, RouteOptions } from "./route/descriptor-routes.ts";
export { DescriptorRoutes, ROUTE_DEFAULTS } from "./route/descriptor-routes.ts";
export type { OnionPeer, Route, RouteProvider, RouteRequest } from "./route/route.ts";
export { peerOf } from "./route/route.ts";
export { StaticRoutes } from "./route/static-routes.ts";
export type { TunnelComponents, TunnelHandlers, TunnelOptions } from "./tunnel-service.ts";
export { TunnelService } from "./tunnel-service.ts";
