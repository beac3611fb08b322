import {
  type Core,
  CulvertError,
  type Instant,
  requireObject,
  unreachable,
} from "../../base/index.ts";
import { isSameNode, type NodeId } from "../../identity/index.ts";
import { encodeFrame, type RelayFrame, RelayFrameBuffer, type RelayRefusal } from "./frames.ts";
import type { RelayLimits } from "./limits.ts";
import { Voucher } from "./voucher.ts";

/** Why a node has no place at a relay (any more). */
export type ReservationLoss =
  | RelayRefusal
  /** The relay cannot be reached, or the stream to it ended. */
  | "unreachable"
  /** It did not answer in time. */
  | "no-answer"
  /** Its voucher is not for us, or not for as long as it should be. */
  | "bad-voucher"
  /** It claims to have passed more for us than we have seen. */
  | "overcharged";

/** What goes into a holder core. */
export type HolderInput =
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  /** The stream that was asked for is there; or it will not be. */
  | { readonly kind: "opened"; readonly isOpen: boolean }
  /** Bytes came on it; they are handed over. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly unixMs: number }
  /** The stream is over. */
  | { readonly kind: "closed" }
  /** So many bytes went through circuits of this relay, either way, as we have counted them. */
  | { readonly kind: "passed"; readonly bytes: number }
  /** A circuit of this relay is over: what was on its way then will not be seen here. */
  | { readonly kind: "ended" };

/** What comes out of it. */
export type HolderEffect =
  /** Open a stream to the relay, over a direct link. */
  | { readonly kind: "open" }
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Cut the stream. */
  | { readonly kind: "cut" }
  /** There is a place now, or it was renewed: the relay may be listed in the descriptor. */
  | { readonly kind: "held"; readonly voucher: Voucher }
  /** There is none any more; with `isFinal` it is not tried again, because the relay lies. */
  | { readonly kind: "lost"; readonly reason: ReservationLoss; readonly isFinal: boolean };

/** What a holder core is made of. */
export interface HolderCoreOptions {
  readonly self: NodeId;
  readonly relay: NodeId;
  readonly limits: RelayLimits;
}

/**
 * How often in its life a place is asked for again: the relay renews in the second half, by a clock
 * that only it knows.
 */
const ASKED_IN_LIFE = 4;
/** How far the clocks of two nodes may be apart. */
const CLOCK_SKEW_MS = 3_600_000;
const RETRY_FIRST_MS = 5_000;
const RETRY_MS_MAX = 300_000;
/** A place that was lost sooner has proved nothing: the pauses go on from where they were. */
const PLACE_PROVEN_MS = 60_000;
/** No relay promises a place for longer than this. */
const LIFE_MS_MAX = 86_400_000;

/**
 * Keeps a place at one relay, as a synchronous state machine: asks, renews in time, tries again
 * with growing pauses, and leaves a relay for good that is caught lying.
 */
export class HolderCore implements Core<HolderInput, HolderEffect> {
  readonly #options: HolderCoreOptions;
  readonly #effects: HolderEffect[] = [];
  #frames = new RelayFrameBuffer();
  #state: "stopped" | "opening" | "asking" | "held" | "waiting" = "stopped";
  #voucher: Voucher | undefined;
  #dueAt: Instant = Number.POSITIVE_INFINITY;
  #retryMs = RETRY_FIRST_MS;
  /** Since when there is a place. */
  #heldSince: Instant | undefined;
  #passedBytes = 0;
  /** When the voucher was issued since which bytes are counted. */
  #countedSince: number | undefined;
  /** What had passed before that; unknown until the relay tells. */
  #passedBefore: number | undefined;

  constructor(options: HolderCoreOptions) {
    requireObject("options", options);
    requireObject("limits", options.limits);
    this.#options = options;
  }

  /** The relay's word, while it holds. */
  get voucher(): Voucher | undefined {
    return this.#voucher;
  }

  handle(input: HolderInput, now: Instant): void {
    switch (input.kind) {
      case "start":
        if (this.#state === "stopped") this.#open(now);
        break;
      case "stop":
        this.#stop();
        break;
      case "opened":
        if (this.#state !== "opening") break;
        if (input.isOpen) this.#ask(now);
        else this.#lose("unreachable", now);
        break;
      case "bytes":
        this.#received(input.bytes, { now, unixMs: input.unixMs });
        break;
      case "closed":
        if (this.#state === "asking" || this.#state === "held") this.#lose("unreachable", now);
        break;
      case "passed":
        this.#passedBytes += input.bytes;
        break;
      case "ended":
        this.#passedBytes += this.#options.limits.underWayBytes;
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    if (this.#dueAt > now) return;
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.#state === "waiting") this.#open(now);
    else if (this.#state === "held") this.#ask(now);
    else if (this.#state === "opening" || this.#state === "asking") this.#lose("no-answer", now);
  }

  poll(): HolderEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#dueAt;
  }

  #open(now: Instant): void {
    this.#state = "opening";
    this.#frames = new RelayFrameBuffer();
    this.#dueAt = now + this.#options.limits.answerMs;
    this.#effects.push({ kind: "open" });
  }

  #ask(now: Instant): void {
    this.#state = "asking";
    this.#dueAt = now + this.#options.limits.answerMs;
    this.#effects.push({ kind: "send", bytes: encodeFrame({ kind: "reserve" }) });
  }

  #received(bytes: Uint8Array, moment: { now: Instant; unixMs: number }): void {
    this.#frames.push(bytes);
    try {
      while (this.#state === "asking" || this.#state === "held") {
        const frame = this.#frames.next();
        if (frame === undefined) return;
        this.#take(frame, moment);
      }
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#lose("protocol", moment.now);
    }
  }

  #take(frame: RelayFrame, moment: { now: Instant; unixMs: number }): void {
    if (frame.kind === "reserved" && this.#state === "asking") this.#hold(frame.voucher, moment);
    else if (frame.kind === "refused") this.#lose(frame.reason, moment.now);
    else if (frame.kind === "usage") {
      const { disputeBytes } = this.#options.limits;
      this.#passedBefore ??= Math.max(frame.usedBytes - this.#passedBytes, 0);
      if (frame.usedBytes > this.#passedBefore + this.#passedBytes + disputeBytes) {
        this.#lose("overcharged", moment.now);
      }
    } else this.#lose("protocol", moment.now);
  }

  #hold(bytes: Uint8Array, { now, unixMs }: { now: Instant; unixMs: number }): void {
    const voucher = decodeOrNothing(bytes);
    const { self, relay } = this.#options;
    const { issuedAtUnixS = 0, expiresAtUnixS = 0 } = voucher?.claims ?? {};
    const lifeMs = (expiresAtUnixS - issuedAtUnixS) * 1_000;
    const isGood =
      voucher?.isFor(self, unixMs - CLOCK_SKEW_MS) &&
      isSameNode(voucher.relay, relay) &&
      lifeMs > 0 &&
      lifeMs <= LIFE_MS_MAX;
    if (voucher === undefined || isGood !== true) {
      this.#lose("bad-voucher", now);
      return;
    }
    this.#countSince(issuedAtUnixS);
    this.#state = "held";
    this.#voucher = voucher;
    this.#heldSince ??= now;
    this.#dueAt = now + Math.max(lifeMs / ASKED_IN_LIFE, RETRY_FIRST_MS);
    this.#effects.push({ kind: "held", voucher });
  }

  /** A place that was lost and comes back as it was, is charged for all of its life. */
  #countSince(issuedAtUnixS: number): void {
    if (issuedAtUnixS === this.#countedSince) return;
    // The first one may be of a life of this node that it does not remember.
    this.#passedBefore = this.#countedSince === undefined ? undefined : 0;
    this.#countedSince = issuedAtUnixS;
    this.#passedBytes = 0;
  }

  /** A relay that lies is left for good; another one is asked again after a while. */
  #lose(reason: ReservationLoss, now: Instant): void {
    const isFinal = reason === "bad-voucher" || reason === "overcharged";
    this.#effects.push({ kind: "cut" });
    this.#effects.push({ kind: "lost", reason, isFinal });
    this.#voucher = undefined;
    // A relay that takes each place back must not have our descriptor change all the time.
    const isProven = this.#heldSince !== undefined && now >= this.#heldSince + PLACE_PROVEN_MS;
    if (isProven) this.#retryMs = RETRY_FIRST_MS;
    this.#heldSince = undefined;
    this.#state = isFinal ? "stopped" : "waiting";
    this.#dueAt = isFinal ? Number.POSITIVE_INFINITY : now + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
  }

  #stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#voucher = undefined;
    this.#heldSince = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#effects.push({ kind: "cut" });
  }
}

function decodeOrNothing(bytes: Uint8Array): Voucher | undefined {
  try {
    return Voucher.decode(bytes);
  } catch (error) {
    if (error instanceof CulvertError) return undefined;
    throw error;
  }
}
