export { sortByDistance } from "./closest.ts";
export {
  CONTACT_LIMITS,
  Contact,
  type Reach,
} from "./contact.ts";
export { type DhtNetwork, dhtNetworkOver, type SendDhtMessage } from "./dht-network.ts";
export {
  DhtNode,
  type DhtNodeComponents,
  type DhtNodeOptions,
  type DhtPutReply,
} from "./dht-node.ts";
export { DhtNodeCore, type DhtNodeCoreOptions, type DhtStatistics } from "./dht-node-core.ts";
export type { ExchangeId } from "./exchange-desk.ts";
export { type KeyText, keyOf } from "./key.ts";
export { DHT_LIMITS, type DhtLimits } from "./limits.ts";
export type {
  DhtAsker,
  DhtRequest,
  DhtResponse,
  DhtValue,
  StoreRefusal,
  ValueKind,
} from "./message.ts";
export type { DhtResult } from "./operation.ts";
export {
  type NodeMap,
  PlacedMap,
  type PlacedMapComponents,
  type PlacedRecord,
  type PlacedReply,
  type PlacementDht,
} from "./placement/placed-map.ts";
export { PlacementCore } from "./placement/placement-core.ts";
export { PLACEMENT_LIMITS, type PlacementLimits } from "./placement/placement-limits.ts";
export type {
  Neighbourhood,
  NodeAnswer,
  NodeRequestId,
  PlacementEffect,
  PlacementId,
  PlacementInput,
  PlacementOutcome,
} from "./placement/placement-protocol.ts";
export {
  RecordWatchCore,
  type WatchEffect,
  type WatchInput,
} from "./placement/record-watch-core.ts";
export type { AskerExchange, DhtEffect, DhtInput, OperationId } from "./protocol.ts";
export { restoreContacts, SAVED_CONTACTS_MAX, saveContacts } from "./table-state.ts";
export { VALUE_LIMITS, type ValueLimits } from "./value-limits.ts";
export type { RecordRule } from "./value-store.ts";
export {
  DHT_MESSAGE_BYTES_MAX,
  decodeDhtRequest,
  decodeDhtResponse,
  encodeDhtRequest,
  encodeDhtResponse,
  type ReadRequest,
  VALUE_BYTES_MAX,
} from "./wire.ts";
