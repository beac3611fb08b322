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
export type {
  PunchCoreOptions,
  PunchEffect,
  PunchedPath,
  PunchFailure,
  PunchInput,
  PunchLimits,
  PunchStatistics,
  RendezvousLimits,
} from "./punch/index.ts";
export { PUNCH_LIMITS, PunchCore, RENDEZVOUS_LIMITS } from "./punch/index.ts";
export type { ReachOptions, ReachTarget } from "./reach/reach.ts";
export { Reach } from "./reach/reach.ts";
export type {
  HolderCoreOptions,
  HolderEffect,
  HolderInput,
  LegEffect,
  LegId,
  RelayCoreOptions,
  RelayEffect,
  RelayInput,
  RelayLimits,
  RelayRefusal,
  RelayStatistics,
  ReservationLoss,
  VoucherClaims,
} from "./relay/index.ts";
export { HolderCore, RELAY_LIMITS, RELAY_REFUSALS, RelayCore, Voucher } from "./relay/index.ts";
