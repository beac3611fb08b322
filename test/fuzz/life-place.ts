import { type Clock, isCulvertError, SeededRandom } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { Trace, Violation } from "../../src/testing/world/index.ts";
import {
  LossyTransport,
  type LossyTransportOptions,
  MemoryTransport,
  type Transport,
} from "../../src/transport/index.ts";
import { Dice, refusalPlan } from "./stream-life-plan.ts";
import { PutLog, Way } from "./stream-life-way.ts";

const HOUR_MS = 3_600_000;

/** What a Map between the parties of a life, and the way there, are like. */
export interface MapPlan {
  readonly payloadSize: number;
  readonly ttlSecondsMax: number;
  readonly weather: Partial<LossyTransportOptions>;
}

/** Hears what happens, line by line. */
export type LifeLog = ((line: string) => void) | undefined;

/** The clock of a process whose wall clock is off by so much. */
export function clockOff(clock: VirtualClock, offMs: number): Clock {
  return {
    now: () => clock.now(),
    schedule: clock.schedule.bind(clock),
    unixMs: () => clock.unixMs() + offMs,
  };
}

/** Where applications live: a clock, a Map that may be lost, ways to it, and what is wrong. */
export class LifePlace {
  readonly clock = new VirtualClock();
  readonly dice: Dice;
  readonly trace: Trace;
  /** Nothing is refused any more. */
  isCalm = false;
  violation: Violation | undefined;
  readonly #puts = new PutLog();
  readonly #maps: MemoryTransport[] = [];
  #map: Transport | undefined;

  constructor(seed: number, log: LifeLog) {
    this.dice = new Dice(new SeededRandom(seed));
    this.trace = new Trace({ log });
  }

  /** Ends the life by what is wrong; the first word counts. */
  onViolation(violation: Violation): void {
    this.violation ??= violation;
  }

  note(role: string, what: string, value = 0): void {
    this.trace.event(this.clock.now(), role, what, value);
  }

  /** A Map with nothing in it takes the place of the one before. */
  newMap({ payloadSize, ttlSecondsMax, weather }: MapPlan): void {
    const { clock, dice } = this;
    const memory = new MemoryTransport({ clock, payloadSize, ttlSecondsMax });
    this.#maps.push(memory);
    this.#map = new LossyTransport(memory, { ...weather, clock, random: dice.random.fork(1) });
  }

  /** A way to the Map, on which somebody may put a second cell at a place if `mayTakePlaces`. */
  wayTo(role: string, refusing: number, mayTakePlaces: () => boolean): Way {
    if (this.#map === undefined) throw new Error("there is no Map yet");
    const { clock, dice } = this;
    const refusal = this.isCalm ? undefined : refusalPlan(dice, { refusing });
    const put = (frameId: Uint8Array, cell: Uint8Array): void => {
      try {
        this.#puts.add(frameId, cell, mayTakePlaces());
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        this.onViolation(error);
      }
    };
    const note = (what: string, frameId: Uint8Array): void =>
      this.note(role, what, this.#puts.numberOf(frameId));
    return new Way(this.#map, { clock, dice, refusal, on: { put, note } });
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }

  /** Halts them, whatever they have ended with. */
  async halt(parties: readonly { halt(): Promise<void> }[]): Promise<void> {
    const halts = parties.map(async (party) => {
      try {
        await party.halt();
      } catch (error) {
        if (!isCulvertError(error)) this.onViolation(new Violation("throw", `${error}`));
      }
    });
    await this.clock.runPromise(Promise.all(halts));
  }

  /** Stops everything; nothing is left that would happen later. */
  async stop(parties: readonly { halt(): Promise<void> }[]): Promise<void> {
    await this.halt(parties);
    for (const map of this.#maps) map.close();
    await this.pass(HOUR_MS);
    if (this.clock.pending === 0) return;
    this.onViolation(new Violation("after-the-end", `${this.clock.pending} timers are left`));
  }
}
