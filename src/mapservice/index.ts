export { ReadCapability, WriteCapability } from "../crypto/index.ts";
export { addressKey } from "./address-key.ts";
export type { BoundMapClient, MapClientStatistics } from "./bound-map-client.ts";
export { type Faults, FaultyService, forgetfulStore } from "./faults.ts";
export { MAP_LIMITS, type MapLimits } from "./limits.ts";
export { localCarrier } from "./local-carrier.ts";
export { MAINLINE_PAYLOAD_BYTES, MainlineMap, type MainlineMapOptions } from "./mainline-map.ts";
export { MapClient, type MapClientOptions } from "./map-client.ts";
export {
  MAP_SERVER_DEFAULTS,
  type MapServer,
  type MapServerOptions,
  type MapServerStatistics,
  startMapServer,
} from "./map-server.ts";
export { MapService, type MapServiceComponents } from "./map-service.ts";
export {
  MapSession,
  SESSION_LIMITS,
  type SessionLimits,
  type SessionPort,
  type SessionStatistics,
} from "./map-session.ts";
export { MapSessions, type MapSessionsComponents } from "./map-sessions.ts";
export type { DialNode } from "./node-connection.ts";
export type { AskerId, MapAnswer, RequestId } from "./protocol.ts";
export {
  type Receipt,
  type ReceiptClaim,
  type ReceiptSigner,
  ReceiptVerifier,
  readReceipt,
  receiptEndsFrom,
  signReceipts,
  writeReceipt,
} from "./receipt.ts";
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
} from "./record.ts";
export type {
  CarrierGetOptions,
  CarrierPutOptions,
  RecordCarrier,
  StoredReply,
} from "./record-carrier.ts";
export { connectMap, connectMapBy, type RemoteMap, type RemoteMapOptions } from "./remote-map.ts";
export type { MapGreeting, RecordService, Requester, RequesterEvents } from "./requester.ts";
export {
  SERVICE_CARRIER_LIMITS,
  ServiceCarrier,
  type ServiceCarrierLimits,
} from "./service-carrier.ts";
export type { MapStatistics } from "./statistics.ts";
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
} from "./store/record-store.ts";
export { type WirePort, WireRequester, type WireRequesterEvents } from "./wire-requester.ts";
