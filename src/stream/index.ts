export type { ReadyState, SocketAddress, SocketEvents } from "../io/socket-duplex.ts";
export type { StreamProgress } from "./core/progress.ts";
export type { StreamCapabilities } from "./duplex/assemble.ts";
export type { BufferedStreamOptions } from "./duplex/buffered-stream.ts";
export { BUFFERED_DEFAULTS, BufferedStream } from "./duplex/buffered-stream.ts";
export type { StreamOpenOptions, StreamStoreOptions } from "./duplex/open-options.ts";
export type { StreamEvents } from "./duplex/stream.ts";
export { Stream } from "./duplex/stream.ts";
export { Mode } from "./mode.ts";
export { Broadcast } from "./multicast/broadcast.ts";
export type { BroadcastProgress } from "./multicast/broadcast-core.ts";
export type { BroadcastOpenOptions, BroadcastStoreOptions } from "./multicast/broadcast-parts.ts";
export {
  capabilityToText,
  type GivenCapability,
  generateCapability,
} from "./multicast/capability-text.ts";
export type { BroadcastEvents, SubscriptionEvents } from "./multicast/events.ts";
export type {
  BroadcastOptions,
  LagPolicy,
  SubscriptionOptions,
} from "./multicast/options.ts";
export { BROADCAST_DEFAULTS, SUBSCRIPTION_DEFAULTS } from "./multicast/options.ts";
export type { SubscriptionStoreOptions } from "./multicast/subscription.ts";
export { Subscription } from "./multicast/subscription.ts";
export type { SubscriptionOpenOptions } from "./multicast/subscription-parts.ts";
export type { SubscriptionProgress } from "./multicast/subscription-progress.ts";
export type { StreamOptions } from "./options.ts";
export { DEFAULTS } from "./options.ts";
export { MemoryJournalStore } from "./saved/memory-journal.ts";
export type { WaitOptions } from "./saved/state-waits.ts";
export { generateSecret, secretFromText, secretToText } from "./secret.ts";
