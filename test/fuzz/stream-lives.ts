import { isCulvertError, SeededRandom } from "../../src/base/index.ts";
import type { Stream } from "../../src/stream/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { Trace, Violation } from "../../src/testing/world/index.ts";
import { LossyTransport, MemoryTransport, type Transport } from "../../src/transport/index.ts";
import { LifeEnd, type LifeGround } from "./stream-life-end.ts";
import { Dice, type LifePlan, lifePlan, mapPlan, refusalPlan } from "./stream-life-plan.ts";
import { DAMAGES } from "./stream-life-store.ts";
import { PutLog, Way } from "./stream-life-way.ts";

const HOUR_MS = 3_600_000;
/** After its troubles a life comes to its end within this time. */
const LIMIT_MS = 72 * HOUR_MS;
/** A life in the Map that may end before anybody asks. */
const BRIEF_SECONDS = 300;

/** How a life went. */
export interface LifeReport {
  readonly violation: Violation | undefined;
  /** How long it took from the last trouble on. */
  readonly calmMs: number;
  readonly traceHash: string;
}

/**
 * Both ends of one stream, as applications have them, through everything that may befall them: the
 * shells, stores and Maps are the real ones, but for the disk. Then all is well again, and they
 * must come to their end.
 */
export class StreamLife implements LifeGround {
  readonly clock = new VirtualClock();
  readonly dice: Dice;
  readonly plan: LifePlan;
  readonly trace: Trace;
  readonly secret: Uint8Array;
  readonly ends: readonly [LifeEnd, LifeEnd];
  isTroubled = false;
  readonly #isBlind: boolean;
  readonly #puts = new PutLog();
  readonly #maps: MemoryTransport[] = [];
  readonly #doubles: Stream[] = [];
  #map: Transport;
  /** Of the Map at hand. */
  #ttlSecondsMax = 0;
  #isCalm = false;
  #violation: Violation | undefined;

  /**
   * @param init.isBlind the canary: its judge takes a stale state for a sound one
   * @param init.log hears what happens, line by line
   */
  constructor(
    seed: number,
    init: { readonly isBlind?: boolean; readonly log?: (line: string) => void } = {},
  ) {
    this.dice = new Dice(new SeededRandom(seed));
    this.plan = lifePlan(this.dice);
    this.trace = new Trace({ log: init.log });
    this.#isBlind = init.isBlind ?? false;
    this.secret = this.dice.random.bytes(32);
    this.#map = this.#newMap();
    const [a, b] = this.plan.ends;
    this.ends = [new LifeEnd(a, b, this), new LifeEnd(b, a, this)];
    [this.ends[0].peer, this.ends[1].peer] = [this.ends[1], this.ends[0]];
  }

  async run(): Promise<LifeReport> {
    const { clock, dice, plan } = this;
    for (const end of this.ends) await end.open("new");
    for (let step = 0; step < plan.steps && this.#violation === undefined; step++) {
      const end = dice.one(...this.ends);
      if (end.isOver) await this.#pass(1_000);
      else await this.#happen(end);
    }
    const calmAt = clock.now();
    await this.#calm();
    const calmMs = clock.now() - calmAt;
    await this.#stop();
    return { violation: this.#violation, calmMs, traceHash: this.trace.hash() };
  }

  newWay(role: string): Way {
    const { clock, dice, plan } = this;
    const refusal = this.#isCalm ? undefined : refusalPlan(dice, plan);
    const put = (frameId: Uint8Array, cell: Uint8Array): void => {
      try {
        this.#puts.add(frameId, cell, this.isTroubled);
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        this.onViolation(error);
      }
    };
    const note = (what: string, frameId: Uint8Array): void =>
      this.trace.event(clock.now(), role, what, this.#puts.numberOf(frameId));
    return new Way(this.#map, { clock, dice, refusal, on: { put, note } });
  }

  onViolation(violation: Violation): void {
    this.#violation ??= violation;
  }

  #newMap(): Transport {
    const { clock, dice, plan } = this;
    const { ttlSecondsMax, weather } = mapPlan(dice, plan);
    const memory = new MemoryTransport({ clock, payloadSize: plan.payloadSize, ttlSecondsMax });
    this.#maps.push(memory);
    this.#ttlSecondsMax = ttlSecondsMax;
    return new LossyTransport(memory, { ...weather, clock, random: dice.random.fork(1) });
  }

  /** One thing that befalls this end. */
  async #happen(end: LifeEnd): Promise<void> {
    const { dice, plan } = this;
    const what = dice.below(24);
    if (what < 6) end.write();
    else if (what < 7) end.confirm();
    else if (what < 10) await this.#pass(dice.below(dice.one(10, 500, 5_000)));
    else if (what < 11) end.sync();
    else if (what < 13) await end.restart();
    else if (what < 15 && end.plan.keeps === "store") await end.die("crash");
    else if (what < 16) this.#loseMap(end);
    else if (what < 17) end.changeWay();
    else if (what < 18 && dice.chance(0.1)) await this.#pass(HOUR_MS);
    else if (plan.kind === "stale") await this.#spoil(end);
    else if (plan.kind === "given-up" && dice.chance(0.1)) {
      this.#trouble();
      end.giveUp();
    }
  }

  /** Another Map, with nothing in it, for this end and perhaps for both. */
  #loseMap(end: LifeEnd): void {
    this.#map = this.#newMap();
    end.changeWay();
    if (this.dice.chance(0.5) && !end.peer.isOver) end.peer.changeWay();
  }

  /** What is kept of this end becomes an old backup, is damaged, or is used twice. */
  async #spoil(end: LifeEnd): Promise<void> {
    const { dice } = this;
    const { disk } = end.store;
    if (end.plan.keeps === "saves") {
      if (end.saved === undefined || !dice.chance(0.3)) return;
      this.#trouble();
      const double = await end.double();
      if (double !== undefined) this.#doubles.push(double);
      return;
    }
    const what = dice.below(6);
    if (what < 4) disk.backUp();
    else if (what === 4) {
      this.#trouble();
      await end.die("stale", () => void disk.restore());
    } else {
      this.#trouble();
      await end.die("stale", () => end.store.damage(dice.one(...DAMAGES)));
    }
  }

  #trouble(): void {
    if (!this.#isBlind) this.isTroubled = true;
  }

  /** No more faults; both ends write all that is left, and read and confirm all that comes. */
  async #calm(): Promise<void> {
    const { clock, ends } = this;
    this.#isCalm = true;
    for (const end of ends) end.changeWay();
    const calmAt = clock.now();
    const limit = calmAt + LIMIT_MS;
    while (this.#violation === undefined && !ends.every((end) => this.#isSettled(end))) {
      for (const end of ends) {
        if (end.isOver) continue;
        end.end();
        end.confirm(true);
      }
      await this.#pass(1_000);
      if (clock.now() > calmAt + HOUR_MS) await this.#stopDoubles();
      if (clock.now() <= limit) continue;
      if (ends.every((end) => this.#isSettled(end) || this.#isLeft(end))) return;
      this.onViolation(new Violation("hang", this.#state()));
    }
  }

  /** It has what it waits for; or a reason why not, if there may be one. */
  #isSettled(end: LifeEnd): boolean {
    return end.isThrough || (this.isTroubled && end.isOver);
  }

  /**
   * It has all bytes, and its peer has left behind the last word that it should have heard: a Map
   * of short lives has forgotten that. It waits, by design, until `peerTimeoutMs` ends it.
   */
  #isLeft(end: LifeEnd): boolean {
    const { ttlSeconds = BRIEF_SECONDS } = end.peer.plan.options;
    const isForgotten = Math.min(this.#ttlSecondsMax, ttlSeconds) <= BRIEF_SECONDS;
    return isForgotten && end.peer.isThrough && end.taken === end.peer.source.length;
  }

  #state(): string {
    return this.ends
      .map(({ plan, taken, peer, hasEnd, stream, warned }) =>
        JSON.stringify({
          ...plan,
          of: peer.source.length,
          taken,
          hasEnd,
          warned,
          ...stream.progress(),
        }),
      )
      .join("\n");
  }

  /** Stops everything; nothing is left that would happen later. */
  async #stop(): Promise<void> {
    const { clock } = this;
    await this.#stopDoubles();
    const halts = this.ends.map(({ stream }) => this.#halt(stream));
    await clock.runPromise(Promise.all(halts));
    for (const map of this.#maps) map.close();
    await this.#pass(HOUR_MS);
    if (clock.pending > 0) {
      this.onViolation(new Violation("after-the-end", `${clock.pending} timers are left`));
    }
  }

  /** They write no end: their peer, who hears of them for as long, would wait for one. */
  async #stopDoubles(): Promise<void> {
    const halts = this.#doubles.splice(0).map((double) => this.#halt(double));
    await this.clock.runPromise(Promise.all(halts));
  }

  async #halt(stream: Stream): Promise<void> {
    try {
      await stream.halt();
    } catch (error) {
      if (!isCulvertError(error)) this.onViolation(new Violation("throw", `${error}`));
    }
  }

  async #pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }
}
