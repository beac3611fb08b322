import { assert, type Instant } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import type { PunchLimits } from "./limits.ts";
import type { NatMapping } from "./offer.ts";
import { deriveProbeKey, SESSION_BYTES, sessionKey } from "./probe.ts";
import { ProbeExchange } from "./probe-exchange.ts";

/** When an offer, or an answer, is sent again while the other end does not show that it came. */
const REPEATS_MS = [0, 300, 700, 1_200, 1_800, 2_600, 3_500] as const;

/** What a punch is begun with. */
export interface PunchInit {
  readonly peer: NodeId;
  readonly via: NodeId;
  /** Whom it counts for, when others began it. */
  readonly place?: string;
  readonly isOfferer: boolean;
  /** Our offer or answer, signed. */
  readonly signal: Uint8Array;
  readonly offerHash: Uint8Array;
  /** X25519, ours. */
  readonly secret: Uint8Array;
  readonly mapping: NatMapping;
  readonly now: Instant;
}

/** What the two sides know of each other once an offer is answered. */
export interface Agreement {
  readonly answerHash: Uint8Array;
  readonly peerKey: Uint8Array;
  readonly peerMapping: NatMapping;
  readonly candidates: readonly HostPort[];
  /** Whether addresses of this host may be probed, too, when the peer sends from there. */
  readonly isProbeable: (host: string) => boolean;
}

/** One punch with one peer: waiting for an answer, then probing. */
export class Punch {
  readonly init: PunchInit;
  /** What probes of this punch carry. */
  readonly session: Uint8Array;
  readonly sessionKey: string;
  exchange: ProbeExchange | undefined;
  /** Whether the owner has been told how it went. */
  isTold = false;
  /** Whether both seem to show everybody another port. */
  isHopeless = false;
  #repeats = 0;
  readonly #limits: PunchLimits;

  constructor(init: PunchInit, limits: PunchLimits) {
    this.init = init;
    this.#limits = limits;
    this.session = init.offerHash.slice(0, SESSION_BYTES);
    this.sessionKey = sessionKey(this.session);
  }

  /** Whether an offerer has waited long enough for an answer. */
  hasGivenUp(now: Instant): boolean {
    return this.exchange === undefined && now >= this.init.now + this.#limits.answerMs;
  }

  /** Whether our offer, or our answer, has to be sent (again) now. */
  takeRepeat(now: Instant): boolean {
    if (now < this.#repeatAt()) return false;
    this.#repeats += 1;
    return true;
  }

  deadline(): Instant {
    const { exchange, init } = this;
    const overAt = exchange === undefined ? init.now + this.#limits.answerMs : exchange.deadline();
    return Math.min(this.#repeatAt(), overAt);
  }

  /** Both offers are there: probing begins. False when the peer's key makes no secret. */
  agree(
    { answerHash, peerKey, peerMapping, candidates, isProbeable }: Agreement,
    shell: {
      readonly now: Instant;
      readonly send: (bytes: Uint8Array, to: HostPort) => void;
      readonly mayProbe: (to: HostPort, now: Instant) => boolean;
    },
  ): boolean {
    assert(this.exchange === undefined, "a punch agrees once");
    const shared = crypto().x25519(this.init.secret, peerKey);
    if (shared === undefined) return false;
    const { offerHash, isOfferer, mapping } = this.init;
    this.isHopeless = mapping === "endpoint-dependent" && peerMapping === "endpoint-dependent";
    this.exchange = new ProbeExchange({
      key: deriveProbeKey(shared, { offer: offerHash, answer: answerHash }),
      side: isOfferer ? "offerer" : "answerer",
      session: this.session,
      candidates,
      isProbeable,
      isHopeless: this.isHopeless,
      limits: this.#limits,
      ...shell,
    });
    return true;
  }

  #repeatAt(): Instant {
    const { exchange, init } = this;
    // An offer has come when it is answered, an answer when the offerer probes.
    const hasCome = exchange !== undefined && (init.isOfferer || exchange.hasHeard);
    const afterMs = hasCome ? undefined : REPEATS_MS[this.#repeats];
    return afterMs === undefined ? Number.POSITIVE_INFINITY : init.now + afterMs;
  }
}
