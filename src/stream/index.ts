export type { StreamCapabilities } from "./assemble.ts";
export { MemoryJournalStore } from "./memory-journal.ts";
export type { StreamOpenOptions, StreamStoreOptions } from "./open-options.ts";
export type { StreamOptions } from "./options.ts";
export { DEFAULTS } from "./options.ts";
export { generateSecret, secretFromText, secretToText } from "./secret.ts";
export type { ReadyState, SocketAddress } from "./socket-duplex.ts";
export { Stream } from "./stream.ts";
export type { StreamProgress } from "./stream-core.ts";
