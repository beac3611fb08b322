import { resolveLimits } from "../base/index.ts";

/** Every bound of links and of the host that holds them. Sizes in bytes, times in milliseconds. */
export interface LinkLimits {
  /** Links at once; the longest idle one that nobody uses makes room. */
  readonly linksMax: number;
  /** Links at once with one peer, both directions; one more that it asks for ends the oldest. */
  readonly linksPerPeerMax: number;
  /** Links at once that came in from one address, or its network for IPv6. */
  readonly linksPerAddressMax: number;
  /** Idle links that are kept for later use. */
  readonly idleLinksKept: number;
  /** Life of a link that nobody uses, once so many others were used later. */
  readonly surplusIdleMs: number;
  /** Handshakes at once that others began. */
  readonly handshakesMax: number;
  /** Handshakes at once that one address, or its network for IPv6, began. */
  readonly handshakesPerAddressMax: number;
  /** Handshakes each second that one address may begin in the long run, and in one burst. */
  readonly handshakesPerSecond: number;
  readonly handshakesBurst: number;
  /** Addresses whose rate is remembered; the longest quiet one is forgotten first. */
  readonly addressesMax: number;
  /** Time for a connection and its handshake. */
  readonly handshakeMs: number;
  /** Head start of each address over the next one when several are dialled. */
  readonly staggerMs: number;
  /** Quiet after which a ping keeps NATs and the peer informed. */
  readonly keepAliveMs: number;
  /** Silence of a peer that owes an acknowledgement, after which the path counts as dead. */
  readonly silenceMs: number;
  /**
   * Time for a lost path to be replaced before the link ends. The other end may have another
   * address too, and learns that by its link to the relay only `keepAliveMs` and `silenceMs` later.
   */
  readonly resumeMs: number;
  /** Life of a link that nobody uses. */
  readonly idleMs: number;
  /** Time for open streams to end when a link is closed gracefully; for one that was left, too. */
  readonly drainMs: number;
  /** Streams at once that the peer may have opened; more are refused. */
  readonly streamsInMax: number;
  /** Streams at once that we open on one link; more wait. */
  readonly streamsOutMax: number;
  /** Streams that we open on one link in its life; then it closes, and a dial makes another. */
  readonly streamsOpenedMax: number;
  /** Openings that wait for a free stream on one link; more are refused. */
  readonly openingsWaitingMax: number;
  /** What a peer may send on a stream before anybody reads it, at first. */
  readonly streamWindowBytes: number;
  /** To what that grows while the reader keeps up. */
  readonly streamWindowBytesMax: number;
  /** To what the windows of all streams of one link may grow; first windows come on top. */
  readonly linkWindowBytesMax: number;
  /** Bytes sent that the peer has not acknowledged yet, 200 a record at least; then it waits. */
  readonly unackedBytesMax: number;
  /** Bytes handed to the path ahead of what it could send, unless it knows its rate. */
  readonly pathBytesMax: number;
  /** Payload of one datagram. */
  readonly datagramBytesMax: number;
}

/** Each end has half of the numbers of 32 bits. */
const STREAMS_NUMBERED = 2 ** 31;

/**
 * Tuned for a node of one core and 512 peers. A link costs some 40 KiB idle, and at the worst
 * `linkWindowBytesMax` for a reader that stopped and `unackedBytesMax` for a peer that never
 * acknowledges.
 */
export const LINK_LIMITS: LinkLimits = Object.freeze({
  linksMax: 512,
  linksPerPeerMax: 4,
  linksPerAddressMax: 64,
  idleLinksKept: 32,
  surplusIdleMs: 120_000,
  handshakesMax: 256,
  handshakesPerAddressMax: 16,
  handshakesPerSecond: 20,
  handshakesBurst: 64,
  addressesMax: 4_096,
  handshakeMs: 10_000,
  staggerMs: 250,
  keepAliveMs: 25_000,
  silenceMs: 10_000,
  resumeMs: 45_000,
  idleMs: 600_000,
  drainMs: 5_000,
  streamsInMax: 256,
  streamsOutMax: 256,
  streamsOpenedMax: STREAMS_NUMBERED,
  openingsWaitingMax: 1_024,
  streamWindowBytes: 64 * 1_024,
  streamWindowBytesMax: 16 * 2 ** 20,
  linkWindowBytesMax: 32 * 2 ** 20,
  unackedBytesMax: 16 * 2 ** 20,
  pathBytesMax: 256 * 1_024,
  datagramBytesMax: 1_024,
});

/** The limits with defaults for what is left out. */
export function resolveLinkLimits(given: Partial<LinkLimits> = {}): LinkLimits {
  const limits = resolveLimits(LINK_LIMITS, given);
  if (limits.streamWindowBytes > limits.streamWindowBytesMax) {
    throw new RangeError("streamWindowBytes must not exceed streamWindowBytesMax");
  }
  if (limits.streamsInMax * limits.streamWindowBytes > limits.linkWindowBytesMax) {
    throw new RangeError("linkWindowBytesMax must hold streamsInMax windows");
  }
  if (limits.streamsOpenedMax > STREAMS_NUMBERED) {
    throw new RangeError(`streamsOpenedMax must not exceed ${STREAMS_NUMBERED}`);
  }
  return limits;
}
