export type { TransportCounts, TransportEvent } from "./counting-transport.ts";
export { CountingTransport } from "./counting-transport.ts";
export type { LossyTransportOptions } from "./lossy-transport.ts";
export { LossyTransport } from "./lossy-transport.ts";
export type { MemoryTransportOptions } from "./memory-transport.ts";
export { MEMORY_TRANSPORT_DEFAULTS, MemoryTransport } from "./memory-transport.ts";
export type { GetOptions, PutOptions, Receipt, Transport, TransportKeys } from "./transport.ts";
