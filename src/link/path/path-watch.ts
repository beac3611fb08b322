import type { Instant } from "../../base/index.ts";
import type { LinkLimits } from "../limits.ts";

const NEVER: Instant = Number.POSITIVE_INFINITY;
/** So much longer the end that was dialled leaves it to the other one: one ping is enough. */
const PEER_PINGS_MS = 2_000;
/** After this share of a silence others are asked whether they are still there. */
const LATE_SHARE = 1 / 4;

/** What is to be done when a time has come. */
export type PathAlarm =
  /** Nothing was said for long. */
  | "ping"
  /** The peer owes an answer, and has let a part of the time for it pass. */
  | "late"
  /** The peer owes an answer, and is silent. */
  | "silence"
  /** The link has been without a path for too long. */
  | "abandoned";

/** The times of a link's path: when to ping, when it counts as dead, when there must be another. */
export class PathWatch {
  readonly #limits: LinkLimits;
  readonly #quietMs: number;
  #hasPath = false;
  #lostAt: Instant;
  #quietSince: Instant;
  /** Since when the peer owes an answer, or was heard without having given it. */
  #owedSince: Instant = NEVER;
  /** The same when it was told last that an answer is late: that is told once. */
  #lateSince: Instant = NEVER;
  #doubtedAt: Instant = Number.NEGATIVE_INFINITY;

  /** Begins without a path. */
  constructor(options: {
    readonly limits: LinkLimits;
    readonly isInitiator: boolean;
    readonly now: Instant;
  }) {
    const { limits, isInitiator, now } = options;
    this.#limits = limits;
    this.#quietMs = limits.keepAliveMs + (isInitiator ? 0 : PEER_PINGS_MS);
    this.#lostAt = now;
    this.#quietSince = now;
  }

  /** Since when the peer owes an answer, or was heard last without having given it. */
  get owedSince(): Instant {
    return this.#owedSince;
  }

  /** A path is there. */
  found(now: Instant): void {
    this.#hasPath = true;
    this.#quietSince = now;
    this.#owedSince = NEVER;
  }

  /** The path is gone. */
  lost(now: Instant): void {
    if (this.#hasPath) this.#lostAt = now;
    this.#hasPath = false;
    this.#owedSince = NEVER;
  }

  /** Anything came. */
  heard(now: Instant): void {
    this.#quietSince = now;
    if (this.#owedSince !== NEVER) this.#owedSince = now;
  }

  /** A record or a ping was sent: the peer has to acknowledge it. */
  sent(now: Instant): void {
    this.#quietSince = now;
    this.owed(now);
  }

  /** The peer owes an answer. */
  owed(now: Instant): void {
    if (this.#owedSince === NEVER) this.#owedSince = now;
  }

  /** The peer has answered; call {@link owed} if it still owes something. */
  answered(): void {
    this.#owedSince = NEVER;
  }

  /**
   * Whether a peer that has been silent since then puts this one in doubt: it was not heard since,
   * owes nothing, and was not {@link doubted} in the time of a keep-alive. So whoever is silent on
   * purpose has others asked no more than twice as often as they are anyway.
   */
  isDoubtful(since: Instant, now: Instant): boolean {
    const isQuiet = this.#owedSince === NEVER && this.#quietSince <= since;
    return this.#hasPath && isQuiet && now >= this.#doubtedAt + this.#limits.keepAliveMs;
  }

  /** The peer is asked because another one is silent. */
  doubted(now: Instant): void {
    this.#doubtedAt = now;
  }

  /** What is due, if anything is; the alarm is then set anew. */
  timeout(now: Instant): PathAlarm | undefined {
    if (!this.#hasPath) return now >= this.deadline() ? "abandoned" : undefined;
    if (now >= this.#owedSince + this.#limits.silenceMs) {
      this.#owedSince = NEVER;
      return "silence";
    }
    if (now >= this.#lateAt()) {
      this.#lateSince = this.#owedSince;
      return "late";
    }
    if (now < this.#quietSince + this.#quietMs) return undefined;
    this.#quietSince = now;
    return "ping";
  }

  deadline(): Instant {
    if (!this.#hasPath) return this.#lostAt + this.#limits.resumeMs;
    const pingAt = this.#quietSince + this.#quietMs;
    return Math.min(this.#owedSince + this.#limits.silenceMs, this.#lateAt(), pingAt);
  }

  #lateAt(): Instant {
    if (this.#owedSince === this.#lateSince) return NEVER;
    return this.#owedSince + LATE_SHARE * this.#limits.silenceMs;
  }
}
