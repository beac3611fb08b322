import type { Instant, Random } from "../../base/index.ts";
import type { WriteCapability } from "../../crypto/index.ts";
import { AckWriter } from "../acks/ack-writer.ts";
import type { Request } from "../exchange/exchange.ts";
import type { CoreIo } from "../exchange/outcome.ts";
import { type Acknowledgement, emptySelective, SELECTIVE_BITS, select } from "../frame/frame.ts";
import { ACK_CONTEXT, keysFrom } from "../frame/frame-keys.ts";
import { writeSeedOf } from "../secret.ts";
import type { Numbering } from "./numbering.ts";
import { REPAIR_PLACES } from "./repair-core.ts";
import type { RepairState } from "./subscription-state.ts";

/** What a repair asker works with. */
export interface RepairAskerInit extends CoreIo {
  readonly cellBytes: number;
  readonly random: Random;
  readonly numbering: Numbering;
  /** Frames that have arrived beyond the lowest one missing. */
  readonly early: () => Iterable<number>;
}

/** What is missing. */
export interface Missing {
  /** The lowest frame that has not arrived. */
  readonly base: number;
  /** The highest one known to exist. */
  readonly seen: number;
  /** Since when a frame is known to be missing; `Infinity`: none is, and nothing comes. */
  readonly since: Instant;
}

/** Patience with a missing frame before the first question, in RTOs; then it doubles. */
const PATIENCE_RTOS = 8;
const PATIENCE_MS_MAX = 600_000;

/** Silence after which the next frames are asked for although none is known to be there. */
const QUIET_MS = 60_000;
const QUIET_GROWTH = 4;
const QUIET_ASKS = 3;
const QUIET_FRAMES = 16;

/**
 * Asks the writer of a broadcast to put again what its reader lacks: at once what is known to be
 * missing, and a few times in each silence what may have been lost at the end.
 */
export class RepairAsker {
  readonly #init: RepairAskerInit;
  readonly #seed: Uint8Array;
  readonly #writer: AckWriter;
  #missing: Missing | undefined;
  #asks = 0;
  #askedAt: Instant = Number.NEGATIVE_INFINITY;
  #askAt: Instant = Number.POSITIVE_INFINITY;

  /** `repair`: the reader's own chain, which the broadcast's writer can read; it is copied. */
  constructor(init: RepairAskerInit, repair: WriteCapability, state?: RepairState) {
    this.#init = init;
    this.#seed = writeSeedOf(repair);
    this.#writer = new AckWriter(
      {
        ...init,
        keys: keysFrom(repair.chain, ACK_CONTEXT, state),
        acknowledge: () => ({ acknowledgement: this.#wanted(), flags: 0 }),
        places: REPAIR_PLACES,
      },
      state,
    );
  }

  /** Looks at what is missing now, and asks if it is time. */
  pump(now: Instant, missing: Missing): void {
    if (missing.base !== this.#missing?.base || missing.since !== this.#missing.since) {
      this.#asks = 0;
      this.#askAt = this.#firstAskAt(now, missing.since);
    }
    this.#missing = missing;
    if (now >= this.#askAt) this.#ask(now);
    this.#writer.pump(now);
  }

  deadline(now: Instant): Instant {
    return Math.min(this.#askAt, this.#writer.deadline(now));
  }

  onStored(request: Request): void {
    this.#writer.onStored(request);
  }

  onLate(request: Request): void {
    this.#writer.onLate(request);
  }

  /** An older copy of this reader has asked there: the next place may be free. */
  onTaken(request: Request, now: Instant): void {
    this.#writer.onStored(request);
    this.#writer.want(now);
  }

  /** False when the journal has lost what it confirmed. */
  onRecalled(index: number, sealed: Uint8Array | undefined, now: Instant): boolean {
    return this.#writer.onRecalled(index, sealed, now);
  }

  save(): RepairState {
    return { seed: this.#seed, ...this.#writer.save() };
  }

  residentByName(): Map<string, Uint8Array> {
    return this.#writer.residentByName();
  }

  #firstAskAt(now: Instant, since: Instant): Instant {
    if (since === Number.POSITIVE_INFINITY) return now + QUIET_MS;
    // While repairs come in, the lowest missing frame moves on all the time: no question for each.
    return Math.max(since, this.#askedAt) + this.#patienceMs();
  }

  #ask(now: Instant): void {
    const isGap = this.#missing?.since !== Number.POSITIVE_INFINITY;
    this.#askedAt = now;
    this.#asks += 1;
    this.#writer.want(now);
    if (isGap) this.#askAt = now + Math.min(this.#patienceMs() * 2 ** this.#asks, PATIENCE_MS_MAX);
    else if (this.#asks < QUIET_ASKS) this.#askAt = now + QUIET_MS * QUIET_GROWTH ** this.#asks;
    else this.#askAt = Number.POSITIVE_INFINITY;
  }

  #patienceMs(): number {
    return PATIENCE_RTOS * this.#init.exchange.rto.rtoMs();
  }

  #wanted(): Acknowledgement {
    const { base, seen, since } = this.#missing ?? NOTHING_MISSING;
    const isGap = since !== Number.POSITIVE_INFINITY;
    const selective = emptySelective();
    for (const index of this.#init.early()) select(selective, index - base - 1);
    const credit = isGap ? Math.min(seen - base + 1, SELECTIVE_BITS + 1) : QUIET_FRAMES;
    return { next: this.#init.numbering.toWire(base), credit, selective };
  }
}

const NOTHING_MISSING: Missing = { base: 0, seen: -1, since: Number.POSITIVE_INFINITY };
