import type { Core, ErrorCode, Instant, Random } from "../../base/index.ts";
import { Chain } from "../../crypto/index.ts";
import { AckReader } from "../acks/ack-reader.ts";
import { Exchange, type Request } from "../exchange/exchange.ts";
import type { IoInput, StreamEffect } from "../exchange/protocol.ts";
import type { Acknowledgement } from "../frame/frame.ts";
import { ACK_CONTEXT, FrameKeys } from "../frame/frame-keys.ts";
import { resolveOptions } from "../options.ts";
import type { RepairPosition } from "./broadcast-state.ts";
import type { BroadcastOptions } from "./options.ts";
import { Scout } from "./scout.ts";

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

/** How far beyond those that have expired a reader's questions are looked for. */
const DISTANCE_MAX = 1_024;

/**
 * Follows the repair chain of one reader, on a budget: whatever the reader writes, it is heard once
 * in each period, and costs a handful of gets. Each question says everything, so that only the
 * newest one counts. Those near may have expired while the writer was away, and the reader went on
 * behind them: after a silence it looks further. The contract is that of {@link Core}.
 */
export class RepairCore implements Core<IoInput, StreamEffect | RepairEffect> {
  readonly #init: RepairCoreInit;
  readonly #effects: (StreamEffect | RepairEffect)[];
  readonly #exchange: Exchange;
  readonly #reader: AckReader;
  readonly #scout: Scout;
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
        onAck: (frame, now) => this.#onAck(frame.acknowledgement, now),
        onSpoiled: () => this.#count(),
      },
      { next, chain },
    );
    this.#scout = new Scout({
      cellBytes,
      exchange: this.#exchange,
      context: ACK_CONTEXT,
      paceMeanMs: options.paceMeanMs,
      distanceMax: DISTANCE_MAX,
    });
  }

  handle(input: IoInput, now: Instant): void {
    this.#now = now;
    if (input.kind === "start") this.#start(now);
    if (input.kind === "turn") this.#exchange.beginTurn();
    if (input.kind === "got") {
      const request = this.#exchange.settle(input.request, now);
      if (request?.purpose === "scout-get") this.#scout.onGot(request, input.cell);
      else if (request !== undefined) this.#reader.onGot(request, input.cell, now);
    }
    if (input.kind === "failed")
      this.#onFailed(this.#exchange.fail(input.request), input.code, now);
    this.#settle(now);
  }

  timeout(now: Instant): void {
    this.#now = now;
    let late = this.#exchange.nextLate(now);
    for (; late !== undefined; late = this.#exchange.nextLate(now)) this.#onLate(late);
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
      this.#scout.deadline(this.#now),
      isWaiting ? this.#periodEndsAt : Number.POSITIVE_INFINITY,
    );
  }

  #start(now: Instant): void {
    if (!this.#isStarted) this.#scout.rest(now);
    this.#isStarted = true;
  }

  #settle(now: Instant): void {
    if (!this.#isStarted) return;
    if (now >= this.#periodEndsAt && this.#reads > 0) this.#beginPeriod(now);
    this.#reader.isOpen = this.#reads < READS_PER_PERIOD;
    this.#reader.pump(now);
    this.#look(now);
    this.#exchange.endTurn(this, now);
  }

  #look(now: Instant): void {
    const look = this.#scout.pump(now, this.#reader.next, () => this.#reader.save().chain);
    if (look?.found === undefined) return;
    const { number, chain } = look.found;
    this.#reader.leapTo(number, chain, now);
    chain.wipe();
  }

  #beginPeriod(now: Instant): void {
    this.#periodEndsAt = now + this.#init.options.repairEveryMs;
    this.#reads = 0;
    if (this.#wanted === undefined) return;
    const position = { root: this.#init.position.root, ...this.#reader.save() };
    this.#effects.push({ kind: "asked", wanted: this.#wanted, position });
    this.#wanted = undefined;
  }

  #onAck(wanted: Acknowledgement, now: Instant): void {
    this.#wanted = wanted;
    this.#scout.heard(now);
    this.#count();
  }

  #count(): void {
    this.#reads += 1;
  }

  #onLate(request: Request): void {
    if (request.purpose === "scout-get") this.#scout.onLate(request);
    else this.#reader.onLate(request);
  }

  #onFailed(request: Request | undefined, code: ErrorCode, now: Instant): void {
    if (request === undefined) return;
    const isEmpty = code === "CULVERT_NOT_FOUND";
    if (isEmpty) this.#exchange.heard(now);
    else this.#exchange.pause(code, now);
    if (request.purpose !== "scout-get") this.#reader.onFailed(request, now);
    else if (isEmpty) this.#scout.onEmpty(request);
    else this.#scout.onLate(request);
  }
}
