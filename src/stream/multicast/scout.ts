import type { Instant } from "../../base/index.ts";
import { Chain } from "../../crypto/index.ts";
import type { Exchange, Request } from "../exchange/exchange.ts";
import { openFrame } from "../frame/cell.ts";

/** What a scout works with. */
export interface ScoutInit {
  readonly exchange: Exchange;
  readonly cellBytes: number;
  /** Domain of the chain's frame ids and keys. */
  readonly context: Uint8Array;
  /** Mean gap between two gets; 0: they are not rationed. */
  readonly paceMeanMs: number;
  /** The last distance that is looked at, if not as far as is usual. */
  readonly distanceMax?: number;
}

/** A chain state, and the number of its frame. Secret. */
export interface Post {
  readonly chain: Chain;
  readonly number: number;
}

/** A frame that is asked for, and what follows from the answer. */
interface Probe {
  readonly post: Post;
  request: Request | undefined;
  tries: number;
}

/** What came of a look around. */
export interface Look {
  /** The lowest frame that is there, if there is any. */
  readonly found: Post | undefined;
}

/** Silence before the first look around, in ms and in gaps between gets, and how it grows. */
const FIRST_SILENCE_MS = 60_000;
const SILENCE_GAPS = 32;
const SILENCE_GROWTH = 8;
const SILENCE_MS_MAX = 86_400_000;

/** How the distances that are looked at grow, from the first place on: by an eighth each. */
const DISTANCE_STEP = 8;

/**
 * The last distance, for a reader that was away. One that has just heard something cannot be far
 * behind, and deriving chain states takes its time: it looks that far after long silences only.
 */
const DISTANCE_MAX = 65_536;
const DISTANCE_MAX_NEAR = 1_024;

/** Chain states that are derived in one turn, so that the event loop is not held up. */
const STATES_PER_TURN = 512;

/** How often a place is asked for before no answer is taken for a no. */
const TRIES = 8;

/**
 * Looks for frames far beyond the next one, for who reads a chain and hears nothing: everything
 * near may have expired while it was away. After a silence it asks for single places at growing
 * distances; from the first one that holds a frame it closes in on the lowest. Rests otherwise.
 */
export class Scout {
  readonly #init: ScoutInit;
  readonly #firstSilenceMs: number;
  #silenceMs: number;
  readonly #distanceMax: number;
  #reach: number;
  #lookAt: Instant = Number.POSITIVE_INFINITY;
  #base = 0;
  /** The highest place known to be empty, and the lowest known to be taken, of this look. */
  #empty: Post | undefined;
  #taken: Post | undefined;
  /** Where the next probe goes, and how far the chain has been derived towards it. */
  #target = 0;
  #way: Post | undefined;
  #probe: Probe | undefined;

  constructor(init: ScoutInit) {
    this.#init = init;
    this.#distanceMax = init.distanceMax ?? DISTANCE_MAX;
    this.#reach = this.#distanceMax;
    this.#firstSilenceMs = FIRST_SILENCE_MS + SILENCE_GAPS * init.paceMeanMs;
    this.#silenceMs = this.#firstSilenceMs;
  }

  /** A frame has arrived, or nothing is to be found: rests until the next silence. */
  rest(now: Instant): void {
    this.#stop();
    this.#lookAt = now + this.#silenceMs;
  }

  /** A frame has arrived that was asked for as the next one. */
  heard(now: Instant): void {
    this.#reach = Math.min(DISTANCE_MAX_NEAR, this.#distanceMax);
    this.rest(now);
  }

  /** The reader was away, or has lost frames: it may be far behind. */
  wake(now: Instant): void {
    this.#stop();
    this.#reach = this.#distanceMax;
    this.#silenceMs = this.#firstSilenceMs;
    this.#lookAt = now + this.#silenceMs;
  }

  /** Begins to look now. */
  hurry(now: Instant): void {
    this.#stop();
    this.#lookAt = now;
  }

  /**
   * Goes on looking, from the lowest frame that has not arrived; `stateAt` gives the chain's state
   * there. Answers once when it is through.
   */
  pump(now: Instant, base: number, stateAt: (index: number) => Uint8Array): Look | undefined {
    if (now < this.#lookAt) return undefined;
    if (this.#empty === undefined) this.#begin(base, stateAt(base));
    while (this.#probe === undefined) {
      if (this.#isNarrow || this.#target > this.#base + this.#reach) return this.#finish(now);
      if (!this.#walk()) return undefined;
    }
    this.#ask(now);
    return undefined;
  }

  deadline(now: Instant): Instant {
    if (this.#probe?.request?.isOpen === true) return Number.POSITIVE_INFINITY;
    if (now < this.#lookAt) return this.#lookAt;
    const isWalking = this.#probe === undefined && this.#empty !== undefined;
    return isWalking ? now : this.#init.exchange.readyAt("get", now);
  }

  onGot(request: Request, cell: Uint8Array): void {
    const probe = this.#probe;
    if (probe === undefined || request !== probe.request) return;
    const { chain } = probe.post;
    const { context, cellBytes } = this.#init;
    const keys = { frameId: chain.frameId(context), key: chain.frameKey(context) };
    const opened = openFrame(cell, keys, cellBytes);
    this.#answer(opened.kind === "frame");
  }

  /** No answer, or none that says anything. */
  onLate(request: Request): void {
    const probe = this.#probe;
    if (probe === undefined || request !== probe.request) return;
    this.#init.exchange.cancel(request);
    if (probe.tries >= TRIES) this.#answer(false);
  }

  onEmpty(request: Request): void {
    if (request === this.#probe?.request) this.#answer(false);
  }

  get #isNarrow(): boolean {
    return this.#taken !== undefined && this.#taken.number - (this.#empty?.number ?? 0) <= 1;
  }

  #begin(base: number, state: Uint8Array): void {
    this.#base = base;
    this.#empty = { chain: Chain.fromBytes(state), number: base };
    this.#way = this.#empty;
    this.#target = base + 1;
  }

  /** Derives the chain towards the next place; true when it is there. */
  #walk(): boolean {
    let { chain, number } = this.#way as Post;
    for (let steps = 0; number < this.#target && steps < STATES_PER_TURN; steps++) {
      chain = chain.next();
      number += 1;
    }
    this.#way = { chain, number };
    if (number < this.#target) return false;
    this.#probe = { post: this.#way, request: undefined, tries: 0 };
    return true;
  }

  #ask(now: Instant): void {
    const { exchange, context } = this.#init;
    const probe = this.#probe as Probe;
    if (probe.request?.isOpen === true || !exchange.mayGet(now)) return;
    const { chain, number } = probe.post;
    probe.tries += 1;
    probe.request = exchange.get("scout-get", number, chain.frameId(context), {
      now,
      isLikelyThere: true,
      patience: 1,
      waitMs: 0,
    });
  }

  #answer(isTaken: boolean): void {
    const { post } = this.#probe as Probe;
    this.#probe = undefined;
    if (isTaken) this.#taken = post;
    else this.#empty = post;
    this.#way = this.#empty;
    const low = (this.#empty as Post).number;
    this.#target =
      this.#taken === undefined
        ? low + Math.max(1, Math.floor((low - this.#base) / DISTANCE_STEP))
        : low + Math.max(1, Math.floor((this.#taken.number - low) / 2));
  }

  #finish(now: Instant): Look {
    const found = this.#taken;
    this.rest(now);
    return { found };
  }

  #stop(): void {
    if (this.#empty !== undefined) {
      this.#silenceMs = Math.min(this.#silenceMs * SILENCE_GROWTH, SILENCE_MS_MAX);
      this.#reach = Math.min(this.#reach * SILENCE_GROWTH, this.#distanceMax);
    }
    const request = this.#probe?.request;
    if (request !== undefined) this.#init.exchange.cancel(request);
    this.#empty = undefined;
    this.#taken = undefined;
    this.#way = undefined;
    this.#probe = undefined;
  }
}
