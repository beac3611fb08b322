export { ReadCapability, WriteCapability } from "../crypto/index.ts";
export type { BoundMapClient, MapClientStatistics } from "./client/bound-map-client.ts";
export { localCarrier } from "./client/local-carrier.ts";
export {
  MAINLINE_PAYLOAD_BYTES,
  MainlineMap,
  type MainlineMapOptions,
} from "./client/mainline-map.ts";
export { MapClient, type MapClientOptions } from "./client/map-client.ts";
export type {
  CarrierGetOptions,
  CarrierPutOptions,
  RecordCarrier,
  StoredReply,
} from "./client/record-carrier.ts";
export {
  connectMap,
  connectMapBy,
  type RemoteMap,
  type RemoteMapOptions,
} from "./client/remote-map.ts";
export {
  SERVICE_CARRIER_LIMITS,
  ServiceCarrier,
  type ServiceCarrierLimits,
} from "./client/service-carrier.ts";
export { showsConflict } from "./client/shown-conflict.ts";
export { addressKey } from "./record/address-key.ts";
export {
  type Receipt,
  type ReceiptClaim,
  type ReceiptSigner,
  ReceiptVerifier,
  readReceipt,
  receiptEndsFrom,
  signReceipts,
  writeReceipt,
} from "./record/receipt.ts";
export {
  ADDRESS_BYTES,
  asideVerifier,
  encodeRecord,
  isFault,
  type MapRecord,
  PAYLOAD_BYTES_MAX,
  parseRecord,
  payloadLength,
  RECORD_HEADER_BYTES,
  type RecordFault,
  type RecordVerifier,
  SEQUENCE,
  type Sequence,
  signedBytes,
  verifyRecord,
} from "./record/record.ts";
export { type Faults, FaultyService, forgetfulStore } from "./service/faults.ts";
export { MAP_LIMITS, type MapLimits } from "./service/limits.ts";
export { MapService, type MapServiceComponents } from "./service/map-service.ts";
export type { AskerId, MapAnswer, RequestId } from "./service/protocol.ts";
export type {
  MapGreeting,
  RecordService,
  Requester,
  RequesterEvents,
} from "./service/requester.ts";
export type { MapStatistics } from "./service/statistics.ts";
export { LevelRecordStore, type LevelRecordStoreOptions } from "./store/level-record-store.ts";
export { MemoryRecordStore } from "./store/memory-record-store.ts";
export {
  decidePut,
  type HeldRecord,
  type PutDecision,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  type RecordStoreOptions,
  type StoredRecord,
  type StoreStatistics,
  type SweepOutcome,
  storeOver,
} from "./store/record-store.ts";
export {
  MAP_SERVER_DEFAULTS,
  type MapServer,
  type MapServerOptions,
  type MapServerStatistics,
  startMapServer,
} from "./wire/map-server.ts";
export {
  MapSession,
  SESSION_LIMITS,
  type SessionLimits,
  type SessionPort,
  type SessionStatistics,
} from "./wire/map-session.ts";
export {
  MapSessions,
  type MapSessionsComponents,
  type MapSessionsOptions,
} from "./wire/map-sessions.ts";
export type { DialNode } from "./wire/node-connection.ts";
export { type WirePort, WireRequester, type WireRequesterEvents } from "./wire/wire-requester.ts";
