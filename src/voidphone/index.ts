export { VoidphoneApiClient } from "./api/api-client.ts";
export { apiGateway } from "./api/api-gateway.ts";
export type { ApiReply, ApiRequest } from "./api/api-messages.ts";
export {
  API_VALUE_BYTES_MAX,
  encodeApiReply,
  encodeApiRequest,
  readApiReply,
  readApiRequest,
} from "./api/api-messages.ts";
export type { ModuleAddresses, VoidphoneConfig } from "./config.ts";
export { readVoidphoneConfig } from "./config.ts";
export type { VoidphoneDht, VoidphoneEntry, VoidphonePeer } from "./dht.ts";
export { REPLICATION_MAX, TTL_SECONDS_DEFAULT } from "./dht.ts";
export type { VoidphoneServerStatistics } from "./gateway-room.ts";
export type { GatewayEndpoints, GatewayName, GatewayNode, GatewayOptions } from "./gateways.ts";
export { VoidphoneGateways } from "./gateways.ts";
export type { SessionLimits } from "./limits.ts";
export { VOIDPHONE_API_LIMITS, VOIDPHONE_ONION_LIMITS, VOIDPHONE_PEER_LIMITS } from "./limits.ts";
export type { OnionClientEvents } from "./onion/onion-client.ts";
export { VoidphoneOnionClient } from "./onion/onion-client.ts";
export type { OnionGateway } from "./onion/onion-gateway.ts";
export { onionGateway } from "./onion/onion-gateway.ts";
export type { OnionNotice, OnionRequest, TunnelTarget } from "./onion/onion-messages.ts";
export {
  encodeOnionNotice,
  encodeOnionRequest,
  readOnionNotice,
  readOnionRequest,
  TUNNEL_DATA_BYTES_MAX,
} from "./onion/onion-messages.ts";
export { callPeer } from "./peer/call-peer.ts";
export { FINAL, MIDTERM } from "./peer/dialects.ts";
export { peerGateway } from "./peer/peer-gateway.ts";
export type {
  PeerAddress,
  PeerDialect,
  PeerError,
  PeerFault,
  PeerReply,
  PeerRequest,
  PeerSender,
  VoidphoneContact,
} from "./peer/peer-messages.ts";
export { CONTACTS_MAX } from "./peer/peer-messages.ts";
export type { CallPeer, PeerNetworkComponents, PeerNetworkOptions } from "./peer/peer-network.ts";
export { PEER_VALUE_BYTES_MAX, VoidphonePeerNetwork } from "./peer/peer-network.ts";
export type { PeerNetworkLimits } from "./peer/peer-network-core.ts";
export { VOIDPHONE_NETWORK_LIMITS } from "./peer/peer-network-core.ts";
export { VoidphoneRpsClient } from "./rps/rps-client.ts";
export { rpsGateway } from "./rps/rps-gateway.ts";
export type { PortMapping, SampledPeer } from "./rps/rps-messages.ts";
export { encodeRpsPeer, encodeRpsQuery, readRpsPeer, readRpsQuery } from "./rps/rps-messages.ts";
export type { VoidphoneServerOptions } from "./server.ts";
export { peerCertificate, VoidphoneServer } from "./server.ts";
export type { Gateway, Servant, SessionHandle, SessionPort } from "./session.ts";
export { Session } from "./session.ts";
export type { ServerDialect, SessionEnd } from "./session-core.ts";
export type { StandaloneOptions } from "./standalone.ts";
export { StandalonePeer } from "./standalone.ts";
export type {
  TunnelEvents,
  VoidphonePeerSampling,
  VoidphoneTunnel,
  VoidphoneTunnels,
} from "./tunnels.ts";
export type { ValueStoreLimits } from "./value-store.ts";
export { VOIDPHONE_STORE_LIMITS } from "./value-store.ts";
