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
} from "./carrier.ts";
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
export type { LinkLimits } from "./limits.ts";
export { LINK_LIMITS, resolveLinkLimits } from "./limits.ts";
