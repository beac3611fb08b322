export type { ExchangeId } from "./exchange/exchange-desk.ts";
export { DHT_LIMITS, type DhtLimits } from "./limits.ts";
export type { DhtResult } from "./lookup/operation.ts";
export {
  type DhtNetwork,
  type DhtRequestOptions,
  dhtNetworkOver,
  type SendDhtMessage,
} from "./node/dht-network.ts";
export {
  DhtNode,
  type DhtNodeComponents,
  type DhtNodeOptions,
  type DhtPutReply,
} from "./node/dht-node.ts";
export { DhtNodeCore, type DhtNodeCoreOptions } from "./node/dht-node-core.ts";
export type {
  AskerExchange,
  DhtEffect,
  DhtInput,
  DhtStatistics,
  OperationId,
} from "./node/protocol.ts";
export {
  HandOverCore,
  type HandOverEffect,
  type HandOverInput,
  type OfferAnswer,
  type StoreNotice,
} from "./placement/hand-over-core.ts";
export type { OfferId } from "./placement/offer-desk.ts";
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
export type { KnownNeighbours } from "./placement/record-watch-core.ts";
export { sortByDistance } from "./table/closest.ts";
export { restoreContacts, SAVED_CONTACTS_MAX, saveContacts } from "./table/table-state.ts";
export { VALUE_LIMITS, type ValueLimits } from "./values/value-limits.ts";
export type { RecordRule } from "./values/value-store.ts";
export {
  allocationAt,
  CONTACT_LIMITS,
  Contact,
  type IsWanted,
  type Reach,
} from "./wire/contact.ts";
export { type KeyText, keyOf } from "./wire/key.ts";
export type {
  DhtAsker,
  DhtRequest,
  DhtResponse,
  DhtValue,
  StoreRefusal,
  ValueKind,
} from "./wire/message.ts";
export {
  DHT_MESSAGE_BYTES_MAX,
  decodeDhtRequest,
  decodeDhtResponse,
  encodeDhtRequest,
  encodeDhtResponse,
  type ReadRequest,
  VALUE_BYTES_MAX,
} from "./wire/wire.ts";
