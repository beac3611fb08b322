import { resolveLimits } from "../base/index.ts";

/** Every bound of the requests of one node. Sizes in bytes, times in the unit of the name. */
export interface RequestLimits {
  /** How long a request lives if its caller does not say; a node's own requests are short. */
  readonly hardMs: number;
  /** The longest life that a caller may ask for, and that a receiver grants a handler. */
  readonly hardMsMax: number;
  /** The soft timeout while nothing was measured. */
  readonly softMs: number;
  /** Copies of a request that fit its life: the pause between two is never longer than a part. */
  readonly copiesMin: number;
  /** The pause before the first repetition while no round trip is known. */
  readonly retryMs: number;
  /** How long an acknowledgement may wait for the next request to carry it. */
  readonly settleMs: number;
  /** How long a handler may go on after its signal was aborted. */
  readonly cutOffMs: number;
  /** Longest payload of a request or reply. */
  readonly bodyBytesMax: number;
  /** Requests of this node that are open, in all and at one peer; more fail at once. */
  readonly openMax: number;
  readonly openPerPeerMax: number;
  /** Handlers that run, in all and for one peer; more are answered `busy`. */
  readonly runningMax: number;
  readonly runningPerPeerMax: number;
  /** Replies kept for one peer until they are acknowledged; then its requests wait. */
  readonly repliesPerPeerMax: number;
  /** Replies kept of all peers; then whoever has most of them loses its oldest. */
  readonly repliesMax: number;
  /** Bytes of replies that are kept, of all peers; then the same. */
  readonly replyBytesMax: number;
  /** Of one peer; then its new requests are answered `busy`. */
  readonly replyBytesPerPeerMax: number;
  /** Peers with a session, either way; the one that was quiet for longest is forgotten. */
  readonly peersMax: number;
  /** A session that was not used for so long is not used any more. */
  readonly sessionIdleMs: number;
  /** Pairs of peer and type whose times are remembered. */
  readonly timesMax: number;
}

/**
 * Tuned for nodes that ask each other for small things over the internet. Worst case of memory:
 * kept replies 32 MiB, open requests and running handlers 4,096 times their body and 1 KiB each.
 */
export const REQUEST_LIMITS: RequestLimits = Object.freeze({
  hardMs: 30_000,
  hardMsMax: 3_600_000,
  softMs: 10_000,
  copiesMin: 64,
  retryMs: 1_000,
  settleMs: 200,
  cutOffMs: 100,
  bodyBytesMax: 2 ** 20,
  openMax: 4_096,
  openPerPeerMax: 1_024,
  runningMax: 4_096,
  runningPerPeerMax: 256,
  repliesPerPeerMax: 1_024,
  repliesMax: 65_536,
  replyBytesMax: 32 * 2 ** 20,
  replyBytesPerPeerMax: 8 * 2 ** 20,
  peersMax: 4_096,
  sessionIdleMs: 600_000,
  timesMax: 8_192,
});

/** The life of a request that a person waits for, as long as nobody says otherwise. */
export const USER_HARD_MS = 300_000;

/** The limits with defaults for what is left out. */
export function resolveRequestLimits(given: Partial<RequestLimits> = {}): RequestLimits {
  const limits = resolveLimits(REQUEST_LIMITS, given);
  if (limits.hardMs > limits.hardMsMax) throw new RangeError("hardMs must not exceed hardMsMax");
  return limits;
}
