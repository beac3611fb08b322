export type {
  HostPort,
  PathConnection,
  PathEvents,
  TcpListener,
  TcpNetwork,
  UdpNetwork,
  UdpSocket,
  UdpSocketEvents,
  UdpStreamIds,
} from "./carrier/carrier.ts";
export type {
  AttachOptions,
  CloseOptions,
  DatagramListener,
  DialTarget,
  Link,
  LinkHost,
  LinkPath,
  LinkStream,
  Observation,
  OpenStreamOptions,
  Priority,
  ProbePort,
  StreamHandler,
  UpgradePath,
} from "./contract.ts";
export type { LinkHostOptions } from "./host/open-link-host.ts";
export { openLinkHost } from "./host/open-link-host.ts";
export type { LinkLimits } from "./limits.ts";
export { LINK_LIMITS, resolveLinkLimits } from "./limits.ts";
export type { SeenAddress, Sighting } from "./observations.ts";
export { Observations } from "./observations.ts";
export type { PunchLimits, RendezvousLimits } from "./punch/limits.ts";
export { PUNCH_LIMITS, RENDEZVOUS_LIMITS } from "./punch/limits.ts";
export type { PunchedPath } from "./punch/probe-exchange.ts";
export type { PunchEffect, PunchFailure, PunchInput, PunchStatistics } from "./punch/protocol.ts";
export type { PunchCoreOptions } from "./punch/punch-core.ts";
export { PunchCore } from "./punch/punch-core.ts";
export type { ReachOptions, ReachTarget } from "./reach/reach.ts";
export { Reach } from "./reach/reach.ts";
export type { LegEffect, LegId } from "./relay/circuit.ts";
export type { RelayRefusal } from "./relay/frames.ts";
export { RELAY_REFUSALS } from "./relay/frames.ts";
export type {
  HolderCoreOptions,
  HolderEffect,
  HolderInput,
  ReservationLoss,
} from "./relay/holder-core.ts";
export { HolderCore } from "./relay/holder-core.ts";
export type { RelayLimits } from "./relay/limits.ts";
export { RELAY_LIMITS } from "./relay/limits.ts";
export type { RelayEffect, RelayInput, RelayStatistics } from "./relay/protocol.ts";
export type { RelayCoreOptions } from "./relay/relay-core.ts";
export { RelayCore } from "./relay/relay-core.ts";
export type { VoucherClaims } from "./relay/voucher.ts";
export { Voucher } from "./relay/voucher.ts";
