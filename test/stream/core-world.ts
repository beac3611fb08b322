import { Heap, type Instant, SeededRandom, toHex } from "../../src/base/index.ts";
import type { StreamRole } from "../../src/crypto/index.ts";
import { StreamCore } from "../../src/stream/core/stream-core.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import type { StreamEffect, StreamInput } from "../../src/stream/exchange/protocol.ts";
import { resolveOptions, type StreamOptions } from "../../src/stream/options.ts";
import { effectsOf } from "../effects-of.ts";

/** What may go wrong in a {@link CoreWorld}. */
export interface CoreWeather {
  readonly seed: number;
  readonly cellBytes?: number;
  /** The part of requests that are lost on the way, and of answers on the way back. */
  readonly loss?: number;
  /** The part of requests that are refused. */
  readonly refusal?: number;
  readonly options?: Partial<StreamOptions>;
}

interface Event {
  readonly at: Instant;
  readonly order: number;
  readonly run: () => void;
}

const CODES = ["CULVERT_BUSY", "CULVERT_UNREACHABLE", "CULVERT_FULL"] as const;

/** Timers that may be run at one instant: more is a core that never rests. */
const TURNS_PER_INSTANT_MAX = 3;

/** One core, whose contract is checked at every turn. */
export class CheckedCore {
  readonly core: StreamCore;
  readonly effects: StreamEffect[] = [];
  readonly received: number[] = [];
  readonly #perform: (effect: StreamEffect) => void;
  #now: Instant = 0;
  #turnsNow = 0;

  constructor(core: StreamCore, perform: (effect: StreamEffect) => void) {
    this.core = core;
    this.#perform = perform;
  }

  get isOver(): boolean {
    const last = this.effects.at(-1)?.kind;
    return last === "done" || last === "fail";
  }

  has(kind: StreamEffect["kind"]): boolean {
    return this.effects.some((effect) => effect.kind === kind);
  }

  handle(input: StreamInput, now: Instant): void {
    this.#earlyTimeout(now);
    this.core.handle(input, now);
    this.#drain(now);
  }

  /** Runs what is due; the core must have nothing left to do at this instant. */
  timeout(now: Instant): void {
    if (this.core.deadline() > now) return;
    this.#turnsNow = now === this.#now ? this.#turnsNow + 1 : 1;
    if (this.#turnsNow > TURNS_PER_INSTANT_MAX) throw new Error(`no rest at ${now}`);
    this.core.timeout(now);
    this.#drain(now);
    const next = this.core.deadline();
    if (!(next > now)) throw new Error(`deadline ${next} is not after ${now}`);
  }

  /** Calling `timeout` before the deadline does nothing. */
  #earlyTimeout(now: Instant): void {
    const before = this.core.deadline();
    if (before <= now) return;
    this.core.timeout(now);
    const effect = this.core.poll();
    if (effect !== undefined) throw new Error(`${effect.kind} at ${now}, due at ${before}`);
    if (this.core.deadline() !== before) throw new Error("an early timeout moved the deadline");
  }

  #drain(now: Instant): void {
    if (now !== this.#now) this.#turnsNow = 0;
    this.#now = now;
    const wasOver = this.isOver;
    for (const effect of effectsOf(this.core)) {
      if (wasOver || this.isOver) throw new Error(`${effect.kind} after the end`);
      this.effects.push(effect);
      this.#perform(effect);
    }
    if (this.isOver && this.core.deadline() !== Number.POSITIVE_INFINITY) {
      throw new Error("a timer is armed after the end");
    }
  }
}

/** Two cores, a Map with faults and a journal each, on a clock of its own: no shell, no promise. */
export class CoreWorld {
  now: Instant = 0;
  readonly random: SeededRandom;
  readonly a: CheckedCore;
  readonly b: CheckedCore;
  #weather: CoreWeather;
  readonly #events = new Heap<Event>((x, y) => x.at < y.at || (x.at === y.at && x.order < y.order));
  readonly #cells = new Map<string, Uint8Array>();
  readonly #waiting = new Map<string, (() => void)[]>();
  #order = 0;

  constructor(weather: CoreWeather) {
    this.#weather = weather;
    this.random = new SeededRandom(weather.seed);
    const secret = this.random.bytes(32);
    this.a = this.#newCore(secret, "listener");
    this.b = this.#newCore(secret, "dialer");
    for (const node of [this.a, this.b]) node.handle({ kind: "start", unixMs: 1e12 }, 0);
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run });
  }

  /** From now on every request is lost. */
  cutOff(): void {
    this.#weather = { ...this.#weather, loss: 1 };
  }

  /** Moves time until `isOver`, or for `limitMs`; false when it did not come to that. */
  run(isOver: () => boolean, limitMs = 3_600_000): boolean {
    const limit = this.now + limitMs;
    while (!isOver()) {
      const deadline = Math.min(this.a.core.deadline(), this.b.core.deadline());
      const event = this.#events.peek();
      const next = Math.min(deadline, event?.at ?? Number.POSITIVE_INFINITY);
      if (!(next <= limit)) return false;
      this.now = Math.max(this.now, next);
      if (event !== undefined && event.at <= this.now) this.#events.pop()?.run();
      for (const node of [this.a, this.b]) node.timeout(this.now);
    }
    return true;
  }

  #newCore(secret: Uint8Array, role: StreamRole): CheckedCore {
    const { cellBytes = 120 } = this.#weather;
    const options = resolveOptions(this.#weather.options);
    const random = this.random.fork(role.length);
    const core = new StreamCore({ ...capabilitiesOf(secret, role), cellBytes, random, options });
    const disk = new Map<string, Uint8Array>();
    const node: CheckedCore = new CheckedCore(core, (effect) => this.#perform(node, disk, effect));
    return node;
  }

  #perform(node: CheckedCore, disk: Map<string, Uint8Array>, effect: StreamEffect): void {
    switch (effect.kind) {
      case "put":
        this.#travel(node, effect.request, () => this.#put(node, effect));
        break;
      case "get":
        this.#travel(node, effect.request, () => this.#get(node, effect));
        break;
      case "journal":
        for (const { name, bytes } of effect.changes.put) disk.set(name, bytes);
        for (const name of effect.changes.remove) disk.delete(name);
        this.#answer(node, { kind: "journaled", commit: effect.commit });
        break;
      case "recall":
        this.#answer(node, { kind: "recalled", name: effect.name, bytes: disk.get(effect.name) });
        break;
      case "turn":
        this.after(0, () => node.handle(effect, this.now));
        break;
      case "deliver": {
        if (effect.offset !== node.received.length) throw new Error("bytes out of order");
        node.received.push(...effect.bytes);
        this.#answer(node, { kind: "taken", offset: node.received.length });
        break;
      }
    }
  }

  #travel(node: CheckedCore, request: number, arrive: () => void): void {
    const { loss = 0, refusal = 0 } = this.#weather;
    if (this.random.unit() < loss) return;
    if (this.random.unit() < refusal) {
      const code = CODES[this.random.below(CODES.length)] ?? "CULVERT_BUSY";
      this.#answer(node, { kind: "failed", request, code });
    } else this.after(this.#delayMs(), arrive);
  }

  #put(
    node: CheckedCore,
    { request, frameId, cell, ttlSeconds }: Extract<StreamEffect, { kind: "put" }>,
  ) {
    const place = toHex(frameId);
    const there = this.#cells.get(place);
    if (there !== undefined && toHex(there) !== toHex(cell)) {
      this.#answer(node, { kind: "failed", request, code: "CULVERT_CONFLICT" });
      return;
    }
    this.#cells.set(place, cell.slice());
    const waiting = this.#waiting.get(place) ?? [];
    this.#waiting.delete(place);
    for (const wake of waiting) wake();
    if (this.random.unit() < (this.#weather.loss ?? 0)) return;
    this.#answer(node, { kind: "stored", request, ttlSeconds });
  }

  #get(node: CheckedCore, { request, frameId, waitMs }: Extract<StreamEffect, { kind: "get" }>) {
    const place = toHex(frameId);
    let isOpen = true;
    const look = (): void => {
      const cell = this.#cells.get(place);
      if (!isOpen || cell === undefined) return;
      isOpen = false;
      if (this.random.unit() < (this.#weather.loss ?? 0)) return;
      this.#answer(node, { kind: "got", request, cell: cell.slice() });
    };
    look();
    if (!isOpen) return;
    const waiting = this.#waiting.get(place) ?? [];
    this.#waiting.set(place, [...waiting, look]);
    this.after(waitMs, () => {
      if (isOpen) this.#answer(node, { kind: "failed", request, code: "CULVERT_NOT_FOUND" });
      isOpen = false;
    });
  }

  #answer(node: CheckedCore, input: StreamInput): void {
    this.after(this.#delayMs(), () => node.handle(input, this.now));
  }

  #delayMs(): number {
    return 1 + this.random.unit() * 40;
  }
}
