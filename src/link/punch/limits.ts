/** Every bound of punching and of the rendezvous that serves it. Times in milliseconds. */
export interface PunchLimits {
  /** Punches at once, both directions; more are refused. */
  readonly sessionsMax: number;
  /** How long the offer is repeated while no answer comes. */
  readonly answerMs: number;
  /** How long both sides probe. */
  readonly probeMs: number;
  /** The same when both are behind NATs that show everybody another port. */
  readonly hopelessMs: number;
  /** After a success, how long probes of a peer that does not know yet are answered. */
  readonly lingerMs: number;
  /** The life of an offer. */
  readonly offerLifeMs: number;
  /** How far the clocks of two nodes may be apart. */
  readonly clockSkewMs: number;
  /** Nonces of offers that are remembered until they have expired; then no offer is taken. */
  readonly noncesMax: number;
  /** Offers that the rendezvous of one network may bring in a burst, and each second. */
  readonly offersBurst: number;
  readonly offersPerSecond: number;
  /** The same of one sender through one rendezvous, whether it is who it says or not. */
  readonly offersPerWayBurst: number;
  readonly offersPerWayPerSecond: number;
  /** Offers of one peer in a burst, and each second in the long run. */
  readonly offersPerPeerBurst: number;
  readonly offersPerPeerPerSecond: number;
  /** Addresses in an offer. */
  readonly addressesMax: number;
  /** Addresses of a peer that are probed: those of its offer, and where its probes came from. */
  readonly candidatesMax: number;
  /** Probes that leave in a burst, and each second in the long run, wherever they go. */
  readonly probesBurst: number;
  readonly probesPerSecond: number;
  /** The same towards one network (an IPv4 /24, an IPv6 /56). */
  readonly probesPerNetworkBurst: number;
  readonly probesPerNetworkPerSecond: number;
  /** Peers and networks whose rates are remembered; the longest quiet one is forgotten. */
  readonly ratesMax: number;
  /** Nodes whose word on our address is remembered. */
  readonly observersMax: number;
  /** How long that word counts. */
  readonly observationMs: number;
  /** Questions of strangers for their address that are answered in a burst, and each second. */
  readonly asksBurst: number;
  readonly asksPerSecond: number;
}

/**
 * Tuned for home networks: a punch sends some twenty probes of 57 bytes to each address, and a node
 * sends no network more than 64 at once, whatever its peers say that their addresses are.
 */
export const PUNCH_LIMITS: PunchLimits = Object.freeze({
  sessionsMax: 64,
  answerMs: 5_000,
  probeMs: 5_000,
  hopelessMs: 1_500,
  lingerMs: 2_000,
  offerLifeMs: 30_000,
  clockSkewMs: 60_000,
  noncesMax: 4_096,
  offersBurst: 32,
  offersPerSecond: 4,
  offersPerWayBurst: 8,
  offersPerWayPerSecond: 0.2,
  offersPerPeerBurst: 4,
  offersPerPeerPerSecond: 0.1,
  addressesMax: 8,
  candidatesMax: 12,
  probesBurst: 800,
  probesPerSecond: 200,
  probesPerNetworkBurst: 64,
  probesPerNetworkPerSecond: 16,
  ratesMax: 1_024,
  observersMax: 32,
  observationMs: 600_000,
  asksBurst: 64,
  asksPerSecond: 16,
});

/** Every bound of a node that passes signals on between its peers. */
export interface RendezvousLimits {
  /** Bytes of one signal. */
  readonly signalBytesMax: number;
  /** Signals of one sender in a burst, and each second in the long run. */
  readonly signalsBurst: number;
  readonly signalsPerSecond: number;
  /** Signals for one receiver in a burst, and each second in the long run. */
  readonly signalsToOneBurst: number;
  readonly signalsToOnePerSecond: number;
  /** Signals of one sender for one receiver in a burst, and each second in the long run. */
  readonly signalsOfOneToOneBurst: number;
  readonly signalsOfOneToOnePerSecond: number;
  /** Nodes, and pairs of them, whose rates are remembered; the longest quiet one is forgotten. */
  readonly ratesMax: number;
}

/** A punch takes two to eight signals. */
export const RENDEZVOUS_LIMITS: RendezvousLimits = Object.freeze({
  signalBytesMax: 640,
  signalsBurst: 64,
  signalsPerSecond: 8,
  signalsToOneBurst: 64,
  signalsToOnePerSecond: 8,
  signalsOfOneToOneBurst: 16,
  signalsOfOneToOnePerSecond: 1,
  ratesMax: 1_024,
});
