export type { BackwardContent, FailureReason } from "./backward.ts";
export { BlameLedger } from "./blame.ts";
export type { CircuitEnding } from "./circuit.ts";
export { Circuit } from "./circuit.ts";
export type { CircuitEffect, CircuitInput } from "./circuit-core.ts";
export { CircuitCore } from "./circuit-core.ts";
export type { CircuitLimits } from "./circuit-limits.ts";
export { CIRCUIT_LIMITS } from "./circuit-limits.ts";
export type { PathOptions } from "./circuit-pool.ts";
export { CircuitPool, PATH_DEFAULTS } from "./circuit-pool.ts";
export type { RouteOptions } from "./descriptor-routes.ts";
export { DescriptorRoutes, ROUTE_DEFAULTS } from "./descriptor-routes.ts";
export type { Failure } from "./failure.ts";
export { failureOf } from "./failure.ts";
export type { OnionGeometry } from "./geometry.ts";
export { ONION_GEOMETRY, packetBytes, requestBytes } from "./geometry.ts";
export type { HeaderHop, HopCommand, HopTarget, Routing } from "./header.ts";
export type { EpochKey } from "./key-ring.ts";
export { EPOCH_LEAD_MS, EPOCH_MS, epochOf, KeyRing } from "./key-ring.ts";
export type { ChannelEvents, OnionChannel, OnionLinks } from "./links.ts";
export type { ExitMap } from "./map-exit.ts";
export { serveMap } from "./map-exit.ts";
export type { OnionRecord } from "./map-operation.ts";
export {
  OPERATION_PAYLOAD_BYTES_MAX,
  RECEIPTS_BYTES_MAX,
  requestCellsFor,
} from "./map-operation.ts";
export { IncomingMessage, type ReplyWay } from "./message.ts";
export type { MessageOptions, ReplyMode } from "./message-desk.ts";
export { MessageDesk } from "./message-desk.ts";
export type { WriterPort } from "./message-writer.ts";
export { MessageWriter } from "./message-writer.ts";
export type { ExitChecks, OnionCarrierComponents, OnionCarrierOptions } from "./onion-carrier.ts";
export { ONION_CARRIER_DEFAULTS, OnionCarrier } from "./onion-carrier.ts";
export type { BuiltPacket, DropReason, OnionParts, PeeledPacket, Peeling } from "./packet.ts";
export { buildPacket, contentBytesMax, hopsOf, openPayload, Peeler } from "./packet.ts";
export { PacketCore } from "./packet-core.ts";
export type { PacketEffect, PacketInput, PacketLimits, PacketOutcome } from "./packet-protocol.ts";
export { PACKET_LIMITS } from "./packet-protocol.ts";
export type { PacketHandlers } from "./packet-shell.ts";
export type { RelayComponents } from "./relay-core.ts";
export { RelayCore } from "./relay-core.ts";
export { RELAY_DEFAULTS, type RelayOptions } from "./relay-options.ts";
export type {
  ChannelId,
  CircuitId,
  RelayEffect,
  RelayInput,
  RelayLimits,
} from "./relay-protocol.ts";
export { ONION_RELAY_LIMITS } from "./relay-protocol.ts";
export type { CircuitHandlers, IncomingCircuit } from "./relay-shell.ts";
export type { ReplayTags } from "./replay-tags.ts";
export type { OnionPeer, Route, RouteProvider, RouteRequest } from "./route.ts";
export { peerOf } from "./route.ts";
export { StaticRoutes } from "./static-routes.ts";
export type { OnionSuite } from "./suite.ts";
export type { Surb, SurbOpener } from "./surb.ts";
export { makeSurb, openReply, useSurb } from "./surb.ts";
export type { TunnelComponents, TunnelHandlers, TunnelOptions } from "./tunnel-service.ts";
export { TunnelService } from "./tunnel-service.ts";
export { UnitCutter } from "./unit-cutter.ts";
export { buildWatched } from "./watched-circuit.ts";
export { WideBlock } from "./wide-block.ts";
