import { type Cancel, equalBytes, type SeededRandom } from "../../base/index.ts";
import type { StreamEffect, StreamInput } from "../../stream/exchange/protocol.ts";
import { flipBits } from "../flip-bits.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { LIES, type Lie, type MapFaults, type Side } from "./faults.ts";
import type { Trace } from "./trace.ts";

/** A put as a stream core asks for it. */
export type PutRequest = Extract<StreamEffect, { kind: "put" }>;
/** A get as a stream core asks for it. */
export type GetRequest = Extract<StreamEffect, { kind: "get" }>;
/** What a request comes back with, if anything comes back. */
export type MapAnswer = Extract<StreamInput, { kind: "stored" | "got" | "failed" }>;
/** Takes the answers to one request: none, one, or several. Called from the clock only. */
export type AnswerTo = (answer: MapAnswer) => void;

interface Cell {
  readonly bytes: Uint8Array;
  expiresAt: number;
}

interface Waiter {
  readonly side: Side;
  readonly request: number;
  readonly answer: AnswerTo;
  stopWaiting: Cancel;
}

/** One address: a cell that may have expired, and who waits for it. */
interface Place {
  cell: Cell | undefined;
  waiters: Waiter[];
}

/** How long after the client's patience a late lie arrives. */
const LATE_MS = 90_000;
/** Most bytes that one corruption changes. */
const FLIPS_MAX = 4;
const REFUSALS = ["CULVERT_REFUSED", "CULVERT_FULL", "CULVERT_BUSY"] as const;

/**
 * The Map and the way to it, as a function of a seed: write-once places under frame ids, gets that
 * wait, and every fault of {@link MapFaults}. Requests travel to the Map and answers travel back on
 * the clock; no answer is ever given inside `put` or `get`.
 *
 * A repeated answer is passed on as often as it arrives, and an answer to a request that the client
 * has cancelled too: a core has to stand both.
 */
export class VirtualMap {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #faults: MapFaults;
  readonly #trace: Trace;
  readonly #places = new Map<string, Place>();
  #first: Uint8Array | undefined;
  #last: Uint8Array | undefined;

  constructor(init: {
    readonly clock: VirtualClock;
    readonly random: SeededRandom;
    readonly faults: MapFaults;
    readonly trace: Trace;
  }) {
    this.#clock = init.clock;
    this.#random = init.random;
    this.#faults = init.faults;
    this.#trace = init.trace;
  }

  /** Sends a put on its way. `key` is the frame id as {@link placeKey} makes it. */
  put(side: Side, key: string, put: PutRequest, answer: AnswerTo): void {
    const bytes = put.cell.slice();
    this.#leg(side, 0, () => this.#store(side, key, { put, bytes, answer }));
  }

  /** Sends a get on its way. */
  get(side: Side, key: string, get: GetRequest, answer: AnswerTo): void {
    this.#leg(side, 0, () => this.#look(side, key, get, answer));
  }

  /** Whether this place holds a live cell. */
  holds(key: string): boolean {
    return this.#liveCell(this.#places.get(key)) !== undefined;
  }

  #store(
    side: Side,
    key: string,
    { put, bytes, answer }: { put: PutRequest; bytes: Uint8Array; answer: AnswerTo },
  ): void {
    const { request } = put;
    const refused = this.#chance(this.#faults.refuse) ? this.#pick(REFUSALS) : undefined;
    const place = this.#place(key);
    const held = this.#liveCell(place);
    if (refused !== undefined) {
      this.#reply(side, answer, { kind: "failed", request, code: refused });
    } else if (held !== undefined && !equalBytes(held.bytes, bytes)) {
      this.#trace.event(this.#clock.now(), side, "conflict", request);
      this.#reply(side, answer, { kind: "failed", request, code: "CULVERT_CONFLICT" });
    } else {
      const ttlSeconds = Math.min(put.ttlSeconds, this.#faults.ttlSecondsMax);
      this.#keep(place, held ?? { bytes, expiresAt: 0 }, ttlSeconds);
      this.#reply(side, answer, { kind: "stored", request, ttlSeconds });
      this.#wake(place);
    }
  }

  #keep(place: Place, cell: Cell, ttlSeconds: number): void {
    const lifeMs = this.#chance(this.#faults.forget)
      ? ttlSeconds * 1_000 * this.#random.unit() ** 2
      : ttlSeconds * 1_000;
    cell.expiresAt = Math.max(cell.expiresAt, this.#clock.now() + lifeMs);
    place.cell = cell;
    this.#first ??= cell.bytes;
    this.#last = cell.bytes;
  }

  #look(side: Side, key: string, get: GetRequest, answer: AnswerTo): void {
    const { request } = get;
    const place = this.#place(key);
    const held = this.#liveCell(place);
    if (held !== undefined) {
      this.#tell(side, held, { request, answer });
      return;
    }
    const waitMs = Math.min(get.waitMs, this.#faults.waitMsMax);
    const waiter: Waiter = { side, request, answer, stopWaiting: () => {} };
    place.waiters.push(waiter);
    const until = this.#clock.now() + waitMs;
    waiter.stopWaiting = this.#clock.schedule(until, () => this.#giveUp(place, waiter));
  }

  #giveUp(place: Place, waiter: Waiter): void {
    place.waiters = place.waiters.filter((other) => other !== waiter);
    const { side, request, answer } = waiter;
    this.#reply(side, answer, { kind: "failed", request, code: "CULVERT_NOT_FOUND" });
  }

  #wake(place: Place): void {
    const cell = this.#liveCell(place);
    if (cell === undefined || place.waiters.length === 0) return;
    const waiters = place.waiters;
    place.waiters = [];
    for (const waiter of waiters) {
      waiter.stopWaiting();
      this.#tell(waiter.side, cell, waiter);
    }
  }

  /** Answers a get with a cell, or with a lie. */
  #tell(side: Side, held: Cell, to: { request: number; answer: AnswerTo }): void {
    const { request, answer } = to;
    const lie = this.#chance(this.#faults.lie) ? this.#pick(LIES) : undefined;
    if (lie === "not-found") {
      this.#reply(side, answer, { kind: "failed", request, code: "CULVERT_NOT_FOUND" });
      return;
    }
    const shown = this.#chance(this.#faults.corrupt)
      ? this.#corrupted(held.bytes)
      : this.#told(held.bytes, lie);
    // A core may write to what it is given.
    const cell = shown.slice();
    this.#reply(side, answer, { kind: "got", request, cell }, lie === "late" ? LATE_MS : 0);
  }

  #told(truth: Uint8Array, lie: Lie | undefined): Uint8Array {
    switch (lie) {
      case "other":
        return (this.#last ?? truth).slice();
      case "old":
        return (this.#first ?? truth).slice();
      case "garbage":
        return this.#random.bytes(truth.length);
      case "short":
        return truth.slice(0, this.#random.below(truth.length));
      default:
        return truth.slice();
    }
  }

  #corrupted(truth: Uint8Array): Uint8Array {
    return flipBits(truth, this.#random, 1 + this.#random.below(FLIPS_MAX));
  }

  #reply(side: Side, answer: AnswerTo, told: MapAnswer, extraMs = 0): void {
    this.#leg(side, extraMs, () => answer(told));
  }

  /** One way between a party and the Map: may lose, hold back or repeat what travels. */
  #leg(side: Side, extraMs: number, arrive: () => void): void {
    const faults = this.#faults;
    if (this.#chance(faults.loss) || this.#isCutOff(side)) return;
    this.#travel(extraMs, arrive);
    if (this.#chance(faults.duplicate)) this.#travel(extraMs, arrive);
  }

  #travel(extraMs: number, arrive: () => void): void {
    const { rttMs, jitterMs, reorder, reorderMs } = this.#faults;
    let ms = rttMs / 2 + extraMs;
    if (jitterMs > 0) ms += this.#random.unit() * jitterMs;
    if (this.#chance(reorder)) ms += this.#random.unit() * reorderMs;
    this.#clock.schedule(this.#clock.now() + ms, arrive);
  }

  #isCutOff(side: Side): boolean {
    if (this.#faults.outages.length === 0) return false;
    const now = this.#clock.now();
    return this.#faults.outages.some(
      (outage) =>
        now >= outage.fromMs &&
        now < outage.toMs &&
        (outage.side === "both" || outage.side === side),
    );
  }

  #place(key: string): Place {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = { cell: undefined, waiters: [] };
      this.#places.set(key, place);
    }
    return place;
  }

  #liveCell(place: Place | undefined): Cell | undefined {
    const cell = place?.cell;
    return cell !== undefined && cell.expiresAt > this.#clock.now() ? cell : undefined;
  }

  /** Draws only when there is something to draw for: a fault that is off moves nothing else. */
  #chance(chance: number): boolean {
    return chance > 0 && this.#random.unit() < chance;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }
}

/** Public bytes as the key of a table: a frame id, mostly. */
export function placeKey(bytes: Uint8Array): string {
  let key = "";
  for (let i = 0; i < bytes.length; i += 2) {
    key += String.fromCharCode((bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
  }
  return key;
}
