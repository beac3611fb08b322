import type { Core, Instant, Random } from "../../base/index.ts";
import { Chain } from "../../crypto/index.ts";
import { AckReader } from "../ack-reader.ts";
import { Exchange, type Request } from "../exchange.ts";
import type { Acknowledgement } from "../frame.ts";
import { ACK_CONTEXT, FrameKeys } from "../frame-keys.ts";
import { resolveOptions } from "../options.ts";
import type { IoInput, StreamEffect } from "../protocol.ts";
import type { RepairPosition } from "./broadcast-state.ts";
import type { BroadcastOptions } from "./options.ts";

/** A reader has said which frames it lacks. */
export interface RepairEffect {
  readonly kind: "asked";
  /** `credit` frames from `next` on, but for those in the bitmap. */
  readonly wanted: Acknowledgement;
  /** Where its chain is read from now on. */
  readonly position: RepairPosition;
}

/** What a repair core is made of. */
export interface RepairCoreInit {
  readonly position: RepairPosition;
  readonly cellBytes: number;
  readonly random: Random;
  readonly options: BroadcastOptions;
}

/** Places of a repair chain beyond the last stored one that its writer may use. */
export const REPAIR_PLACES = 4;

/** Questions of one reader that are read in one period; more of them wait for the next. */
const READS_PER_PERIOD = 8;

/** Longest gap between two questions for the next frame of a quiet repair chain, in ms. */
const QUIET_ASK_MS = 60_000;

/**
 * Follows the repair chain of one reader, on a budget: whatever the reader writes, it is heard once
 * in each period, and costs a handful of gets. Each question says everything, so that only the
 * newest one counts. The contract is that of {@link Core}.
 */
export class RepairCore implements Core<IoInput, StreamEffect | RepairEffect> {
  readonly #init: RepairCoreInit;
  readonly #effects: (StreamEffect | RepairEffect)[];
  readonly #exchange: Exchange;
  readonly #reader: AckReader;
  #wanted: Acknowledgement | undefined;
  #reads = 0;
  #periodEndsAt: Instant = Number.NEGATIVE_INFINITY;
  #now: Instant = Number.NEGATIVE_INFINITY;
  #isStarted = false;

  constructor(init: RepairCoreInit) {
    const { position, cellBytes, random, options } = init;
    const effects: StreamEffect[] = [];
    this.#init = init;
    this.#effects = effects;
    this.#exchange = new Exchange(resolveOptions(options), random, effects);
    const { next, chain } = position;
    this.#reader = new AckReader(
      {
        cellBytes,
        exchange: this.#exchange,
        keys: new FrameKeys(Chain.fromBytes(chain), next, ACK_CONTEXT),
        quietAskMsMax: QUIET_ASK_MS,
        places: REPAIR_PLACES,
        onAck: (frame) => this.#onAck(frame.acknowledgement),
        onSpoiled: () => this.#count(),
      },
      { next, chain },
    );
  }

  handle(input: IoInput, now: Instant): void {
    this.#now = now;
    if (input.kind === "start") this.#isStarted = true;
    if (input.kind === "turn") this.#exchange.beginTurn();
    if (input.kind === "got") {
      const request = this.#exchange.settle(input.request, now);
      if (request !== undefined) this.#reader.onGot(request, input.cell, now);
    }
    if (input.kind === "failed")
      this.#onFailed(this.#exchange.fail(input.request), input.code, now);
    this.#settle(now);
  }

  timeout(now: Instant): void {
    this.#now = now;
    let late = this.#exchange.nextLate(now);
    for (; late !== undefined; late = this.#exchange.nextLate(now)) this.#reader.onLate(late);
    this.#settle(now);
  }

  poll(): StreamEffect | RepairEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    if (!this.#isStarted) return Number.POSITIVE_INFINITY;
    const isWaiting = this.#wanted !== undefined || this.#reads >= READS_PER_PERIOD;
    return Math.min(
      this.#exchange.deadline(),
      this.#reader.deadline(this.#now),
      isWaiting ? this.#periodEndsAt : Number.POSITIVE_INFINITY,
    );
  }

  #settle(now: Instant): void {
    if (!this.#isStarted) return;
    if (now >= this.#periodEndsAt && this.#reads > 0) this.#beginPeriod(now);
    this.#reader.isOpen = this.#reads < READS_PER_PERIOD;
    this.#reader.pump(now);
    this.#exchange.endTurn(this, now);
  }

  #beginPeriod(now: Instant): void {
    this.#periodEndsAt = now + this.#init.options.repairEveryMs;
    this.#reads = 0;
    if (this.#wanted === undefined) return;
    const position = { root: this.#init.position.root, ...this.#reader.save() };
    this.#effects.push({ kind: "asked", wanted: this.#wanted, position });
    this.#wanted = undefined;
  }

  #onAck(wanted: Acknowledgement): void {
    this.#wanted = wanted;
    this.#count();
  }

  #count(): void {
    this.#reads += 1;
  }

  #onFailed(request: Request | undefined, code: string, now: Instant): void {
    if (request === undefined) return;
    if (code !== "CULVERT_NOT_FOUND") {
      this.#exchange.pause(now);
    }
    this.#reader.onFailed(request, now);
  }
}
