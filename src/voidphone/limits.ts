/** Bounds of one kind of VoidPhone server. Sizes in bytes, times in milliseconds. */
export interface SessionLimits {
  /** Connections at once. */
  readonly connectionsMax: number;
  /** Connections at once from one source: an address, or its network for IPv6. */
  readonly connectionsPerSourceMax: number;
  /** Time for the first whole message, a TLS handshake included. */
  readonly openMs: number;
  /** Time for any message from its first byte to its last, and for a reader to make room. */
  readonly messageMs: number;
  /** A connection is closed after this time without a byte either way. */
  readonly idleMs: number;
  /** Time for an answer; then the client gets the failure that its protocol has. */
  readonly answerMs: number;
  /** Requests of one connection that are being served; then it is not read. */
  readonly openRequestsMax: number;
  /** Bytes of those requests; then it is not read. */
  readonly openBytesMax: number;
  /** Unsent bytes from which on no more requests are taken, and what may be lost is. */
  readonly unsentBytesHigh: number;
  /**
   * Unsent bytes that end a connection: its reader is too slow. Beyond `unsentBytesHigh` there has
   * to be room for the answers to all open requests, or a client would be cut for asking.
   */
  readonly unsentBytesMax: number;
  /** Messages that could not be read and were answered; the next one ends the connection. */
  readonly faultsMax: number;
}

/** For local clients, which come with one connection and keep it. 110 MiB at the worst. */
export const VOIDPHONE_API_LIMITS: SessionLimits = Object.freeze({
  connectionsMax: 64,
  connectionsPerSourceMax: 64,
  openMs: 300_000,
  messageMs: 10_000,
  idleMs: 3_600_000,
  answerMs: 15_000,
  openRequestsMax: 16,
  openBytesMax: 131_072,
  unsentBytesHigh: 262_144,
  unsentBytesMax: 1_572_864,
  faultsMax: 8,
});

/**
 * For peers, which come with one connection for each request and give an answer one second. 90 MiB
 * at the worst.
 */
export const VOIDPHONE_PEER_LIMITS: SessionLimits = Object.freeze({
  connectionsMax: 128,
  connectionsPerSourceMax: 32,
  openMs: 10_000,
  messageMs: 5_000,
  idleMs: 30_000,
  answerMs: 800,
  openRequestsMax: 4,
  openBytesMax: 131_072,
  unsentBytesHigh: 131_072,
  unsentBytesMax: 524_288,
  faultsMax: 8,
});

/** For local clients of the onion and RPS modules, which may only listen for a day. 75 MiB. */
export const VOIDPHONE_ONION_LIMITS: SessionLimits = Object.freeze({
  connectionsMax: 32,
  connectionsPerSourceMax: 32,
  openMs: 86_400_000,
  messageMs: 10_000,
  idleMs: 86_400_000,
  answerMs: 30_000,
  openRequestsMax: 16,
  openBytesMax: 262_144,
  unsentBytesHigh: 524_288,
  unsentBytesMax: 2_097_152,
  faultsMax: 8,
});
