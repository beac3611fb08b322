/** Every bound of a relay and of those who use it. Sizes in bytes, times in milliseconds. */
export interface RelayLimits {
  /** Reservations at once; then the network that has most gives one up to one with fewer. */
  readonly reservationsMax: number;
  /** Reservations of one network (an IPv4 /24, an IPv6 /56). */
  readonly reservationsPerNetworkMax: number;
  /** The life of a reservation; it is renewed in time. */
  readonly reservationMs: number;
  /** What may pass for one reservation in its life, both directions. */
  readonly quotaBytes: number;
  /** The same for each second in the long run, and in one burst. */
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** Circuits at once; then the network of callers that has most gives one up likewise. */
  readonly circuitsMax: number;
  /** Circuits at once to one holder of a reservation; then the same. */
  readonly circuitsPerHolderMax: number;
  /** Circuits at once of one caller. */
  readonly circuitsPerCallerMax: number;
  /** Circuits at once of the callers of one network (an IPv4 /24, an IPv6 /56). */
  readonly circuitsPerNetworkMax: number;
  /** The same to one holder. */
  readonly circuitsPerNetworkToHolderMax: number;
  /** Bytes of one direction of a circuit that wait for the receiver; then the sender waits. */
  readonly circuitBufferBytes: number;
  /** Time for a request to be complete, and for a holder to answer a call. */
  readonly answerMs: number;
  /** Life of a circuit that nothing passes through. */
  readonly circuitIdleMs: number;
  /** Streams of one peer that have not said yet what they are for. */
  readonly openingsPerPeerMax: number;
  /** Bytes between two reports of what a holder has used. */
  readonly reportBytes: number;
  /** How much more than a holder has counted a relay may claim: what is under way, and a little. */
  readonly disputeBytes: number;
  /** The same for each circuit that has ended: what was on its way to the holder then. */
  readonly underWayBytes: number;
}

/**
 * Tuned for a home line of 10 Mbit/s that serves a hundred neighbours: a circuit costs 128 KiB at
 * the worst, all of them together 32 MiB.
 */
export const RELAY_LIMITS: RelayLimits = Object.freeze({
  reservationsMax: 128,
  reservationsPerNetworkMax: 16,
  reservationMs: 3_600_000,
  quotaBytes: 1_073_741_824,
  bytesPerSecond: 1_048_576,
  bytesBurst: 4_194_304,
  circuitsMax: 256,
  circuitsPerHolderMax: 32,
  circuitsPerCallerMax: 8,
  circuitsPerNetworkMax: 64,
  circuitsPerNetworkToHolderMax: 16,
  circuitBufferBytes: 65_536,
  answerMs: 10_000,
  circuitIdleMs: 600_000,
  openingsPerPeerMax: 8,
  reportBytes: 16_777_216,
  disputeBytes: 8_388_608,
  underWayBytes: 1_048_576,
});
