export type { ApiReply, ApiRequest } from "./api-messages.ts";
export {
  API_VALUE_BYTES_MAX,
  encodeApiReply,
  encodeApiRequest,
  readApiReply,
  readApiRequest,
} from "./api-messages.ts";
export { FINAL, MIDTERM } from "./dialects.ts";
export type { OnionNotice, OnionRequest, TunnelTarget } from "./onion-messages.ts";
export {
  encodeOnionNotice,
  encodeOnionRequest,
  readOnionNotice,
  readOnionRequest,
  TUNNEL_DATA_BYTES_MAX,
} from "./onion-messages.ts";
export type {
  PeerDialect,
  PeerError,
  PeerFault,
  PeerReply,
  PeerRequest,
  PeerSender,
  VoidphoneContact,
} from "./peer-messages.ts";
export { CONTACTS_MAX } from "./peer-messages.ts";
export type { PortMapping, SampledPeer } from "./rps-messages.ts";
export { encodeRpsPeer, encodeRpsQuery, readRpsPeer, readRpsQuery } from "./rps-messages.ts";
