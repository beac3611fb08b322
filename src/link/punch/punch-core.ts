import {
  type Core,
  equalBytes,
  type Instant,
  type Random,
  requireMethods,
  requireObject,
  unreachable,
} from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { isSameNode, type NodeId, type NodeIdentity, nodeIdText } from "../../identity/index.ts";
import { lastOfMost, TokenBucket } from "../../retx/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import { AddressAsks } from "./address-asks.ts";
import type { PunchLimits } from "./limits.ts";
import {
  NO_REFERENCE,
  NONCE_BYTES,
  type Offer,
  type OfferClaims,
  readOffer,
  signOffer,
} from "./offer.ts";
import { type Arrival, OfferDesk, type OfferFault, placeOf } from "./offer-desk.ts";
import { OwnAddresses, probeableHosts } from "./own-addresses.ts";
import { encodeTold, readProbe } from "./probe.ts";
import { ProbeBudget } from "./probe-budget.ts";
import {
  noStatistics,
  type PunchEffect,
  type PunchFailure,
  type PunchInput,
  type PunchStatistics,
} from "./protocol.ts";
import { Punch } from "./punch.ts";

/** What a punch core is made of. */
export interface PunchCoreOptions {
  readonly identity: NodeIdentity;
  readonly random: Random;
  readonly limits: PunchLimits;
  /** Whether this node wants a direct path to that one; everybody if it is left out. */
  readonly accepts?: ((peer: NodeId) => boolean) | undefined;
  readonly now: Instant;
}

/**
 * Finds direct UDP paths between nodes behind NATs, as a synchronous state machine.
 *
 * Both ends sign what they offer (addresses, a fresh key, a nonce, an expiry) for each other and
 * for one rendezvous, which passes it on. Then both probe all addresses of the other at once,
 * under a key that the rendezvous does not have, until one probe has come back.
 *
 * - Every punch that was begun here ends with one `path` or one `failed`, unless it is cancelled.
 * - What others begin is answered within the limits, and told when it has led to a path.
 * - Nothing that a peer, a rendezvous or a stranger sends makes it throw, or hold more than its
 *   limits say.
 */
export class PunchCore implements Core<PunchInput, PunchEffect> {
  readonly #options: PunchCoreOptions;
  readonly #effects: PunchEffect[] = [];
  readonly #own: OwnAddresses;
  readonly #desk: OfferDesk;
  readonly #budget: ProbeBudget;
  readonly #answers: TokenBucket;
  /** By the peer's id: one punch at a time with each. */
  readonly #punches = new Map<string, Punch>();
  readonly #bySession = new Map<string, Punch>();
  readonly #asks: AddressAsks;
  readonly #statistics = noStatistics();

  constructor(options: PunchCoreOptions) {
    requireObject("options", options);
    const { identity, random, limits, now } = options;
    requireMethods("identity", identity, "sign");
    requireMethods("random", random, "bytes");
    requireObject("limits", limits);
    this.#options = options;
    this.#own = new OwnAddresses(limits);
    this.#desk = new OfferDesk(identity.id, limits);
    this.#budget = new ProbeBudget(limits, now);
    const send = (bytes: Uint8Array, to: HostPort): void => this.#send(bytes, to);
    this.#asks = new AddressAsks({ random, send });
    this.#answers = new TokenBucket(
      { capacity: limits.asksBurst, perSecond: limits.asksPerSecond },
      now,
    );
  }

  get statistics(): Readonly<PunchStatistics> {
    return { ...this.#statistics };
  }

  /** Punches that are under way, or linger after a success. */
  get size(): number {
    return this.#punches.size;
  }

  /** Where this node may be reached by UDP, as far as it knows. */
  ownAddresses(now: Instant): readonly HostPort[] {
    return this.#own.list(now);
  }

  handle(input: PunchInput, now: Instant): void {
    switch (input.kind) {
      case "punch":
        this.#offer(input, now);
        break;
      case "cancel":
        this.#cancel(input.peer);
        break;
      case "signal":
        this.#takeSignal(input, now);
        break;
      case "undelivered":
        this.#undelivered(input);
        break;
      case "datagram":
        this.#takeDatagram(input.bytes, input.from, now);
        break;
      case "observed":
        this.#own.observe(input, now);
        break;
      case "local":
        this.#own.setLocal(input.addresses, now);
        break;
      case "ask":
        this.#asks.ask(input.node, input.address, now);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    this.#asks.timeout(now);
    for (const punch of [...this.#punches.values()]) {
      punch.exchange?.timeout(now);
      if (punch.takeRepeat(now)) this.#signal(punch);
      this.#report(punch, now);
    }
  }

  poll(): PunchEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    let first = this.#asks.deadline();
    for (const punch of this.#punches.values()) first = Math.min(first, punch.deadline());
    return first;
  }

  #offer({ peer, via, unixMs }: PunchInput & { kind: "punch" }, now: Instant): void {
    const known = this.#punches.get(nodeIdText(peer));
    if (known !== undefined) {
      // One that goes on will tell how it went; the path of one that lingers is still good.
      if (known.isTold) this.#tellPath(known);
      return;
    }
    if (this.#isFull || isSameNode(peer, this.#options.identity.id)) {
      this.#fail(peer, true, "busy");
      return;
    }
    const made = this.#sign({ kind: "offer", to: peer, via, reference: NO_REFERENCE }, unixMs, now);
    const offerHash = readOffer(made.signal).hash;
    const punch = this.#add({ ...made, peer, via, isOfferer: true, offerHash, now });
    if (punch.takeRepeat(now)) this.#signal(punch);
  }

  #takeSignal(arrival: Arrival, now: Instant): void {
    const offer = this.#desk.read(arrival);
    if (typeof offer === "string") this.#statistics[offer] += 1;
    else if (offer.kind === "answer") this.#takeAnswer(offer, arrival, now);
    else this.#takeOffer(offer, arrival, now);
  }

  #takeOffer(offer: Offer, arrival: Arrival, now: Instant): void {
    const { from, via, unixMs } = arrival;
    const known = this.#punches.get(nodeIdText(from));
    if (known !== undefined && equalBytes(known.init.offerHash, offer.hash)) {
      // It was sent again: our answer may have got lost.
      if (known.exchange?.chosen === undefined) this.#signal(known);
      return;
    }
    if (known?.init.isOfferer === true && !this.#yieldsTo(from)) return;
    if (this.#options.accepts?.(from) === false) return;
    const place = placeOf(arrival);
    const isFull = known === undefined && this.#isFullOfOthers;
    const instead = isFull ? this.#lastOfMost(place) : undefined;
    const isRefused = isFull && instead === undefined;
    const fault: OfferFault | undefined = isRefused
      ? "limited"
      : this.#desk.admit(offer, arrival, now);
    if (fault !== undefined) {
      this.#statistics[fault] += 1;
      return;
    }
    if (instead !== undefined) this.#displace(instead);
    // Both offered at once, or the peer begins anew: what was begun here goes on as this punch.
    if (known !== undefined) this.#remove(known);
    this.#statistics.offersTaken += 1;
    const claims = { kind: "answer", to: from, via, reference: offer.hash } as const;
    const made = this.#sign(claims, unixMs, now);
    const offerHash = offer.hash;
    const punch = this.#add({ ...made, peer: from, via, place, isOfferer: false, offerHash, now });
    this.#agree(punch, offer, readOffer(made.signal).hash, now);
    if (punch.takeRepeat(now)) this.#signal(punch);
  }

  #takeAnswer(answer: Offer, arrival: Arrival, now: Instant): void {
    const punch = this.#punches.get(nodeIdText(arrival.from));
    const isExpected =
      punch?.init.isOfferer === true &&
      punch.exchange === undefined &&
      isSameNode(punch.init.via, arrival.via) &&
      equalBytes(punch.init.offerHash, answer.reference);
    if (punch === undefined || !isExpected) {
      this.#statistics.unexpected += 1;
      return;
    }
    const fault = this.#desk.verify(answer, arrival, now);
    if (fault === undefined) this.#agree(punch, answer, answer.hash, now);
    else this.#statistics[fault] += 1;
  }

  #agree(punch: Punch, theirs: Offer, answerHash: Uint8Array, now: Instant): void {
    const isProbeable = probeableHosts(theirs.addresses, this.#own.observedHosts(now));
    const agreed = punch.agree(
      {
        answerHash,
        peerKey: theirs.ephemeralKey,
        peerMapping: theirs.mapping,
        candidates: theirs.addresses.filter(({ host }) => isProbeable(host)),
        isProbeable,
      },
      {
        now,
        send: (bytes, to) => this.#send(bytes, to),
        mayProbe: (to, at) => this.#mayProbe(to, at),
      },
    );
    if (!agreed) this.#statistics.malformed += 1;
    else punch.exchange?.timeout(now);
  }

  #takeDatagram(bytes: Uint8Array, from: HostPort, now: Instant): void {
    const datagram = readProbe(bytes);
    if (datagram === undefined) return;
    if (datagram.kind === "ask") {
      if (!this.#answers.take(1, now)) return;
      this.#send(encodeTold(datagram.nonce, from), from);
    } else if (datagram.kind === "told") {
      const by = this.#asks.answered(from, datagram.nonce);
      if (by === undefined) return;
      this.#own.observe({ address: datagram.seen, by, from: from.host }, now);
    } else {
      const punch = this.#bySession.get(datagram.session);
      if (punch?.exchange === undefined) {
        this.#statistics.probesStray += 1;
        return;
      }
      const fault = punch.exchange.receive(datagram, from, now);
      if (fault === "forged") this.#statistics.probesForged += 1;
      if (fault === "replayed") this.#statistics.probesReplayed += 1;
      this.#report(punch, now);
    }
  }

  #cancel(peer: NodeId): void {
    const punch = this.#punches.get(nodeIdText(peer));
    if (punch !== undefined) this.#remove(punch);
  }

  #undelivered({ to, via, reason }: PunchInput & { kind: "undelivered" }): void {
    const punch = this.#punches.get(nodeIdText(to));
    if (punch === undefined || punch.exchange !== undefined) return;
    if (!isSameNode(punch.init.via, via)) return;
    this.#remove(punch);
    this.#fail(to, true, reason);
  }

  /** Tells how a punch went, once, and forgets it when it is over. */
  #report(punch: Punch, now: Instant): void {
    const { peer, isOfferer } = punch.init;
    if (!punch.isTold) this.#tellPath(punch);
    const isOver = punch.exchange?.isOver(now) === true || punch.hasGivenUp(now);
    if (!isOver) return;
    this.#remove(punch);
    if (punch.isTold) return;
    const reason = punch.isHopeless ? "symmetric" : "no-path";
    this.#fail(peer, isOfferer, punch.exchange === undefined ? "no-answer" : reason);
  }

  #tellPath(punch: Punch): void {
    const { peer, isOfferer } = punch.init;
    const chosen = punch.exchange?.chosen;
    if (chosen === undefined) return;
    punch.isTold = true;
    this.#effects.push({ kind: "path", peer, isOfferer, ...chosen });
  }

  #mayProbe(to: HostPort, now: Instant): boolean {
    const isAllowed = this.#budget.take(to, now);
    if (isAllowed) this.#statistics.probesSent += 1;
    else this.#statistics.probesHeld += 1;
    return isAllowed;
  }

  #sign(
    claims: Pick<OfferClaims, "kind" | "to" | "via" | "reference">,
    unixMs: number,
    now: Instant,
  ): { signal: Uint8Array; secret: Uint8Array; mapping: OfferClaims["mapping"] } {
    const { identity, random, limits } = this.#options;
    const secret = random.bytes(32);
    const mapping = this.#own.mapping(now);
    const signal = signOffer(identity, {
      ...claims,
      nonce: random.bytes(NONCE_BYTES),
      expiresAtUnixMs: unixMs + limits.offerLifeMs,
      ephemeralKey: crypto().x25519PublicKey(secret),
      mapping,
      addresses: this.#own.list(now),
    });
    return { signal, secret, mapping };
  }

  #add(init: ConstructorParameters<typeof Punch>[0]): Punch {
    const punch = new Punch(init, this.#options.limits);
    this.#punches.set(nodeIdText(init.peer), punch);
    this.#bySession.set(punch.sessionKey, punch);
    return punch;
  }

  #remove(punch: Punch): void {
    this.#punches.delete(nodeIdText(punch.init.peer));
    this.#bySession.delete(punch.sessionKey);
  }

  #send(bytes: Uint8Array, to: HostPort): void {
    this.#effects.push({ kind: "datagram", bytes, to });
  }

  #signal({ init: { peer: to, via, signal: bytes } }: Punch): void {
    this.#effects.push({ kind: "signal", to, via, bytes });
  }

  #fail(peer: NodeId, isOfferer: boolean, reason: PunchFailure): void {
    this.#effects.push({ kind: "failed", peer, isOfferer, reason });
  }

  /** When both have offered, the offer of the lower id holds. */
  #yieldsTo(peer: NodeId): boolean {
    return nodeIdText(peer) < nodeIdText(this.#options.identity.id);
  }

  get #isFull(): boolean {
    return this.#punches.size >= this.#options.limits.sessionsMax;
  }

  get #others(): readonly Punch[] {
    return [...this.#punches.values()].filter(({ init }) => !init.isOfferer);
  }

  /** Whether others have their half: ids cost nothing, and this node may want to punch, too. */
  get #isFullOfOthers(): boolean {
    return this.#isFull || this.#others.length >= this.#options.limits.sessionsMax / 2;
  }

  /** What gives way to one more of `place`: two networks could hold all of that half for good. */
  #lastOfMost(place: string): Punch | undefined {
    return lastOfMost(this.#others, place, ({ init }) => init.place ?? "");
  }

  #displace(punch: Punch): void {
    this.#remove(punch);
    if (!punch.isTold) this.#fail(punch.init.peer, false, "busy");
  }
}
