import type { Instant } from "../../base/index.ts";
import { type NodeId, type NodeIdentity, nodeIdText } from "../../identity/index.ts";
import { lastOfMost } from "../../retx/index.ts";
import type { LegId } from "./circuit.ts";
import type { RelayLimits } from "./limits.ts";
import { RateGate } from "./rate-gate.ts";
import { Voucher } from "./voucher.ts";

/** A place that is kept for a node. */
export interface Reservation {
  readonly holder: NodeId;
  readonly network: string;
  readonly gate: RateGate;
  expiresAt: Instant;
  voucher: Voucher;
  usedBytes: number;
  reportedBytes: number;
  circuits: number;
  /** Where the holder is told what it has used. */
  controlLeg: LegId | undefined;
}

/** Who may be called through a relay, how much, and until when. */
export class ReservationBook {
  readonly #identity: NodeIdentity;
  readonly #limits: RelayLimits;
  readonly #displaced: (reservation: Reservation) => void;
  readonly #byHolder = new Map<string, Reservation>();

  /** @param displaced is told of one that has given its place to another */
  constructor(
    identity: NodeIdentity,
    limits: RelayLimits,
    displaced: (reservation: Reservation) => void,
  ) {
    this.#identity = identity;
    this.#limits = limits;
    this.#displaced = displaced;
  }

  get size(): number {
    return this.#byHolder.size;
  }

  find(holder: NodeId): Reservation | undefined {
    return this.#byHolder.get(nodeIdText(holder));
  }

  /**
   * A new reservation, or the one that is there: renewed in its second half with a fresh quota, and
   * left as it is before. `undefined` when there is no room.
   */
  reserve(
    holder: NodeId,
    network: string,
    moment: { readonly now: Instant; readonly unixMs: number },
  ): Reservation | undefined {
    const { reservationMs } = this.#limits;
    const known = this.find(holder);
    if (known !== undefined) {
      if (known.expiresAt - moment.now > reservationMs / 2) return known;
      known.expiresAt = moment.now + reservationMs;
      known.voucher = this.#sign(holder, moment.unixMs);
      known.usedBytes = 0;
      known.reportedBytes = 0;
      return known;
    }
    if (!this.#makeRoomFor(network)) return undefined;
    const made: Reservation = {
      holder,
      network,
      gate: new RateGate(this.#limits),
      expiresAt: moment.now + reservationMs,
      voucher: this.#sign(holder, moment.unixMs),
      usedBytes: 0,
      reportedBytes: 0,
      circuits: 0,
      controlLeg: undefined,
    };
    this.#byHolder.set(nodeIdText(holder), made);
    return made;
  }

  /** Takes out those that are over at `now`. */
  takeExpired(now: Instant): Reservation[] {
    const expired = [...this.#byHolder.values()].filter(({ expiresAt }) => expiresAt <= now);
    for (const { holder } of expired) this.#byHolder.delete(nodeIdText(holder));
    return expired;
  }

  deadline(): Instant {
    let first = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of this.#byHolder.values()) first = Math.min(first, expiresAt);
    return first;
  }

  /**
   * There is room, or that of a holder which is away: it may come back, or never. Or that of the
   * network which has most: few of them must not have all places at every relay.
   */
  #makeRoomFor(network: string): boolean {
    const all = [...this.#byHolder.values()];
    const neighbours = all.filter((held) => held.network === network);
    const { reservationsMax, reservationsPerNetworkMax } = this.#limits;
    if (neighbours.length >= reservationsPerNetworkMax) return this.#giveUpOneOf(neighbours);
    return all.length < reservationsMax || this.#giveUpOneOf(all) || this.#displace(all, network);
  }

  #displace(all: readonly Reservation[], network: string): boolean {
    const last = lastOfMost(all, network, (held) => held.network);
    if (last === undefined) return false;
    this.#byHolder.delete(nodeIdText(last.holder));
    this.#displaced(last);
    return true;
  }

  #giveUpOneOf(held: readonly Reservation[]): boolean {
    const away = held.filter((one) => one.controlLeg === undefined && one.circuits === 0);
    const [oldest] = away.sort((a, b) => a.expiresAt - b.expiresAt);
    return oldest !== undefined && this.#byHolder.delete(nodeIdText(oldest.holder));
  }

  #sign(holder: NodeId, unixMs: number): Voucher {
    const issuedAtUnixS = Math.floor(unixMs / 1_000);
    return Voucher.sign(this.#identity, {
      holder,
      issuedAtUnixS,
      expiresAtUnixS: issuedAtUnixS + Math.floor(this.#limits.reservationMs / 1_000),
      quotaBytes: this.#limits.quotaBytes,
      bytesPerSecond: this.#limits.bytesPerSecond,
    });
  }
}
