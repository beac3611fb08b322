export type { AddressScope } from "./address-scope.ts";
export { addressScope, isAnyHost, isLoopback } from "./address-scope.ts";
export type { Discovery, Lookup, LookupOptions } from "./directory.ts";
export { DIRECTORY_NODES_MAX, Directory } from "./directory.ts";
export type { IpAddress } from "./ip-address.ts";
export { formatIp, parseIp } from "./ip-address.ts";
export type { CarrierName, NodeAddress } from "./node-address.ts";
export {
  addressPrefix,
  formatNodeAddress,
  NODE_ADDRESS_BYTES_MAX,
  parseListenAddress,
  parseNodeAddress,
  publicPrefix,
  readNodeAddress,
  requireNodeAddress,
  writeNodeAddress,
} from "./node-address.ts";
export { formatNodeContact, type NodeContact, parseNodeContact } from "./node-contact.ts";
export type { NetworkGeometry, NodeClaims, NodeRole, OnionKey } from "./node-descriptor.ts";
export { DESCRIPTOR_LIMITS, NODE_ROLES, NodeDescriptor } from "./node-descriptor.ts";
export type { NodeId } from "./node-id.ts";
export { isSameNode, NODE_ID_BYTES, nodeIdOf, nodeIdText } from "./node-id.ts";
export type { SignatureLabel } from "./node-identity.ts";
export { NodeIdentity, verifyLabelled } from "./node-identity.ts";
