import { resolveLimits } from "../../base/index.ts";

/** Every bound of the connections that requests go over. */
export interface ConnectionLimits {
  /** Connections at once, those that are being dialled included; then the longest idle one goes. */
  readonly connectionsMax: number;
  /** Idle connections that are kept; beyond them the longest idle ones are closed. */
  readonly idleKept: number;
  /** How long an idle connection is kept. */
  readonly idleMs: number;
  /** Time between two clean-ups. */
  readonly cleanUpMs: number;
  /** Bytes of messages that wait for one peer; more cannot be sent, which is told at once. */
  readonly queuedBytesPerPeerMax: number;
  /** The same, of all peers; then whoever has most loses its oldest. */
  readonly queuedBytesMax: number;
  /** Bytes that wait for a peer from which on nothing more is read from it, until half has gone. */
  readonly queuedBytesHigh: number;
  /** Bytes that one connection carries each second in the long run, and in one burst. */
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** The same of all connections together. */
  readonly totalBytesPerSecond: number;
  readonly totalBytesBurst: number;
}

/** Tuned for a node of a DHT: hundreds of peers, each asked now and then. */
export const CONNECTION_LIMITS: ConnectionLimits = Object.freeze({
  connectionsMax: 512,
  idleKept: 32,
  idleMs: 600_000,
  cleanUpMs: 5_000,
  queuedBytesPerPeerMax: 4 * 2 ** 20,
  queuedBytesMax: 64 * 2 ** 20,
  queuedBytesHigh: 2 ** 20,
  bytesPerSecond: 64 * 2 ** 20,
  bytesBurst: 16 * 2 ** 20,
  totalBytesPerSecond: 256 * 2 ** 20,
  totalBytesBurst: 64 * 2 ** 20,
});

/** The limits with defaults for what is left out. */
export function resolveConnectionLimits(given: Partial<ConnectionLimits> = {}): ConnectionLimits {
  return resolveLimits(CONNECTION_LIMITS, given, "idleKept");
}
