export type { ReadyState, SocketAddress } from "../io/socket-duplex.ts";
export type { StreamCapabilities } from "./assemble.ts";
export type { BufferedStreamOptions } from "./buffered-stream.ts";
export { BUFFERED_DEFAULTS, BufferedStream } from "./buffered-stream.ts";
export { MemoryJournalStore } from "./memory-journal.ts";
export { Mode } from "./mode.ts";
export type { BroadcastStoreOptions } from "./multicast/broadcast.ts";
export { Broadcast } from "./multicast/broadcast.ts";
export type { BroadcastProgress } from "./multicast/broadcast-core.ts";
export type { BroadcastOpenOptions } from "./multicast/broadcast-parts.ts";
export { capabilityToText, generateCapability } from "./multicast/capability-text.ts";
export type {
  BroadcastOptions,
  LagPolicy,
  SubscriptionOptions,
} from "./multicast/options.ts";
export { BROADCAST_DEFAULTS, SUBSCRIPTION_DEFAULTS } from "./multicast/options.ts";
export type { SubscriptionStoreOptions } from "./multicast/subscription.ts";
export { Subscription } from "./multicast/subscription.ts";
export type { GivenCapability, SubscriptionOpenOptions } from "./multicast/subscription-parts.ts";
export type { SubscriptionProgress } from "./multicast/subscription-progress.ts";
export type { StreamOpenOptions, StreamStoreOptions } from "./open-options.ts";
export type { StreamOptions } from "./options.ts";
export { DEFAULTS } from "./options.ts";
export type { StreamProgress } from "./progress.ts";
export { generateSecret, secretFromText, secretToText } from "./secret.ts";
export type { WaitOptions } from "./state-waits.ts";
export { Stream } from "./stream.ts";
