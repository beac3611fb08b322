import type { Instant } from "../../base/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import type { PunchLimits } from "./limits.ts";
import { addressKey } from "./own-addresses.ts";
import { openProbe, type ProbeMessage, type PunchSide, sealProbe } from "./probe.ts";

/** A way to a peer that has carried a probe there and its echo back. */
export interface PunchedPath {
  /** Where the peer is reached. */
  readonly address: HostPort;
  /** Where the peer sees us on this way. */
  readonly observed: HostPort | undefined;
  readonly rttMs: number;
}

/** Why a datagram of an exchange was dropped. */
export type ProbeFault = "forged" | "replayed";

/** What an exchange is made of. */
export interface ExchangeInit {
  readonly key: Uint8Array;
  readonly side: PunchSide;
  readonly session: Uint8Array;
  readonly candidates: readonly HostPort[];
  /** Whether addresses of this host may be probed, and taken, when the peer sends from there. */
  readonly isProbeable: (host: string) => boolean;
  /** Whether it is known that it cannot work, unless the guess about the NATs is wrong. */
  readonly isHopeless: boolean;
  readonly limits: PunchLimits;
  readonly now: Instant;
  readonly send: (bytes: Uint8Array, to: HostPort) => void;
  /** Whether one more probe may leave for there; echoes always may. */
  readonly mayProbe: (to: HostPort, now: Instant) => boolean;
}

/** When rounds of probes leave after the start: nine in the first second. */
const ROUNDS_MS = [0, 20, 60, 120, 200, 320, 480, 680, 900] as const;
const ROUND_GAP_MS = 400;
/** Numbers of one side: more than any exchange needs, and what the table of heard ones may hold. */
const NUMBERS_MAX = 4_096;

/**
 * The probing of one punch, once both sides have the key: the same on both, but that the offerer
 * chooses. Every probe asks for an echo from where it went to; the first echo is a path. Probes
 * from addresses that nobody named (a NAT drew a port for us) are answered, and probed there.
 */
export class ProbeExchange {
  readonly #init: ExchangeInit;
  readonly #candidates: Map<string, HostPort>;
  readonly #sent = new Map<number, { key: string; at: Instant; kind: ProbeMessage["kind"] }>();
  readonly #heard = new Set<number>();
  #number = 0;
  #round = 0;
  #roundsFrom: Instant;
  #endsAt: Instant;
  #proven: PunchedPath | undefined;
  #chosen: PunchedPath | undefined;
  #isConfirmed = false;

  constructor(init: ExchangeInit) {
    const { limits, candidates, now } = init;
    this.#init = init;
    this.#candidates = new Map(
      candidates.slice(0, limits.candidatesMax).map((address) => [addressKey(address), address]),
    );
    this.#roundsFrom = now;
    this.#endsAt = now + (init.isHopeless ? limits.hopelessMs : limits.probeMs);
  }

  /** The path that both will use: the offerer knows it first. */
  get chosen(): PunchedPath | undefined {
    return this.#chosen;
  }

  /** Whether anything has come from the peer. */
  get hasHeard(): boolean {
    return this.#heard.size > 0;
  }

  /** Whether nothing more is to be done; after a success the exchange still answers for a while. */
  isOver(now: Instant): boolean {
    return now >= this.#endsAt;
  }

  deadline(): Instant {
    return Math.min(this.#endsAt, this.#nextRoundAt());
  }

  /** Sends the rounds that are due, and at the end takes what an answerer has. */
  timeout(now: Instant): void {
    while (this.#nextRoundAt() <= now && !this.isOver(now)) {
      this.#round += 1;
      this.#sendRound(now);
    }
    if (this.isOver(now)) this.#chosen ??= this.#proven;
  }

  /** Takes a datagram of the peer; tells what is wrong with it. */
  receive(
    datagram: { readonly number: number; readonly box: Uint8Array },
    from: HostPort,
    now: Instant,
  ): ProbeFault | undefined {
    if (datagram.number >= NUMBERS_MAX) return "forged";
    if (this.#heard.has(datagram.number)) return "replayed";
    const otherSide = this.#init.side === "offerer" ? "answerer" : "offerer";
    const message = openProbe(datagram, this.#init.key, otherSide);
    if (message === undefined) return "forged";
    this.#heard.add(datagram.number);
    if (message.kind === "echo") this.#takeEcho(message, from, now);
    else this.#answer(message, datagram.number, from, now);
    return undefined;
  }

  #answer(message: ProbeMessage, number: number, from: HostPort, now: Instant): void {
    this.#say({ kind: "echo", echoed: number, seen: from }, from, now);
    // The seal tells who has sent it, and nothing of where: the source may be made up.
    if (!this.#init.isProbeable(from.host)) return;
    if (message.kind === "chosen" && this.#init.side === "answerer") {
      this.#settle(this.#proven ?? { address: from, observed: undefined, rttMs: 0 }, from, now);
    }
    if (this.#chosen !== undefined || this.#candidates.has(addressKey(from))) return;
    if (this.#candidates.size >= this.#init.limits.candidatesMax) return;
    this.#candidates.set(addressKey(from), from);
    this.#probe("probe", from, now);
  }

  #takeEcho(message: ProbeMessage, from: HostPort, now: Instant): void {
    const sent = this.#sent.get(message.echoed);
    // An echo from elsewhere proves no path: the peer's probe from there will be answered.
    if (sent === undefined || sent.key !== addressKey(from)) return;
    if (sent.kind === "chosen") this.#isConfirmed = true;
    this.#proven ??= { address: from, observed: message.seen, rttMs: now - sent.at };
    if (this.#init.side === "offerer" && this.#chosen === undefined) {
      this.#settle(this.#proven, from, now);
      this.#round = 1;
      this.#roundsFrom = now;
      this.#probe("chosen", from, now);
    }
  }

  #settle(path: PunchedPath, address: HostPort, now: Instant): void {
    if (this.#chosen !== undefined) return;
    this.#chosen = { ...path, address };
    this.#endsAt = now + this.#init.limits.lingerMs;
  }

  #sendRound(now: Instant): void {
    if (this.#chosen === undefined) {
      for (const address of this.#candidates.values()) this.#probe("probe", address, now);
    } else if (this.#init.side === "offerer" && !this.#isConfirmed) {
      this.#probe("chosen", this.#chosen.address, now);
    }
  }

  #probe(kind: "probe" | "chosen", to: HostPort, now: Instant): void {
    if (this.#init.mayProbe(to, now)) this.#say({ kind, echoed: 0, seen: undefined }, to, now);
  }

  #say(message: ProbeMessage, to: HostPort, now: Instant): void {
    if (this.#number >= NUMBERS_MAX) return;
    const number = this.#number++;
    const { key, side, session } = this.#init;
    if (message.kind !== "echo") {
      this.#sent.set(number, { key: addressKey(to), at: now, kind: message.kind });
    }
    this.#init.send(sealProbe(message, { key, side, session, number }), to);
  }

  #nextRoundAt(): Instant {
    const last = ROUNDS_MS.length - 1;
    const beyond = Math.max(this.#round - last, 0) * ROUND_GAP_MS;
    return this.#roundsFrom + (ROUNDS_MS[Math.min(this.#round, last)] ?? 0) + beyond;
  }
}
