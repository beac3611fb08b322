import type { SeededRandom } from "../../base/index.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { Pattern } from "./pattern.ts";
import { Violation } from "./violation.ts";

/** How the application at one side takes what is delivered to it. */
export interface ReaderPlan {
  /** Mean time that it needs for a piece before it takes it; 0: at once. */
  readonly takeMsMean: number;
  /** It takes nothing beyond this position: an application that stopped reading. */
  readonly stopAt: number;
  /** Most bytes that a core may deliver ahead of what was taken. */
  readonly untakenBytesMax: number;
}

/** A reader that takes everything at once. */
export const EAGER_READER: ReaderPlan = Object.freeze({
  takeMsMean: 0,
  stopAt: Number.POSITIVE_INFINITY,
  untakenBytesMax: Number.POSITIVE_INFINITY,
});

/**
 * The application that reads, and the judge of what it gets: every byte is compared with the
 * writer's text where it claims to be. What it has taken survives its crashes, as if it had been
 * written to a file: a session that begins behind that delivers again, which is allowed, and one
 * that begins beyond has lost bytes.
 */
export class Reader {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #plan: ReaderPlan;
  readonly #text: Pattern;
  #delivered = 0;
  #taken = 0;
  #kept = 0;
  #session = 0;
  #queue: number[] = [];
  #end: number | undefined;

  constructor(init: {
    readonly clock: VirtualClock;
    readonly random: SeededRandom;
    readonly plan: ReaderPlan;
    /** Seed of the text that the other side writes. */
    readonly seed: number;
  }) {
    this.#clock = init.clock;
    this.#random = init.random;
    this.#plan = init.plan;
    this.#text = new Pattern(init.seed);
  }

  /** The position behind everything that was taken, over all sessions. */
  get kept(): number {
    return this.#kept;
  }

  /** Bytes that wait for the application. */
  get untaken(): number {
    return this.#delivered - this.#taken;
  }

  /** The length of the peer's text, once its end was delivered. */
  get end(): number | undefined {
    return this.#end;
  }

  /** A session begins whose first byte will be at `offset`. */
  start(offset: number): void {
    this.#session += 1;
    this.#queue = [];
    if (offset > this.#kept) {
      throw new Violation("loss", `resumes at ${offset}, but only ${this.#kept} were taken`);
    }
    this.#delivered = offset;
    this.#taken = offset;
  }

  /** The process is gone, with what it had not taken. */
  stop(): void {
    this.#session += 1;
    this.#queue = [];
  }

  /** Checks a piece, and takes it now or later by calling `take` with the position behind it. */
  deliver(offset: number, bytes: Uint8Array, take: (offset: number) => void): void {
    if (offset < this.#delivered) {
      throw new Violation("duplicate", `byte ${offset} again after ${this.#delivered}`);
    }
    if (offset > this.#delivered) {
      throw new Violation("order", `byte ${offset} instead of ${this.#delivered}`);
    }
    const wrongAt = this.#text.mismatch(offset, bytes);
    if (wrongAt !== undefined) throw new Violation("content", `byte ${wrongAt} is wrong`);
    if (this.#end !== undefined && offset + bytes.length > this.#end) {
      throw new Violation("end", `bytes behind the end at ${this.#end}`);
    }
    this.#delivered = offset + bytes.length;
    if (this.untaken > this.#plan.untakenBytesMax) {
      throw new Violation("memory", `${this.untaken} bytes delivered ahead of the application`);
    }
    this.#queue.push(this.#delivered);
    if (this.#queue.length === 1) this.#takeNext(take);
  }

  /** The peer's side is said to be over. */
  deliverEnd(length: number): void {
    if (length !== this.#delivered) {
      throw new Violation("end", `said to be at ${length}, but ${this.#delivered} were delivered`);
    }
    this.#end = length;
  }

  #takeNext(take: (offset: number) => void): void {
    const { takeMsMean } = this.#plan;
    if (takeMsMean === 0) {
      for (let next = this.#shift(); next !== undefined; next = this.#shift())
        this.#take(next, take);
      return;
    }
    const session = this.#session;
    const ms = -takeMsMean * Math.log(1 - this.#random.unit());
    this.#clock.schedule(this.#clock.now() + ms, () => {
      if (session !== this.#session) return;
      const next = this.#shift();
      if (next === undefined) return;
      this.#take(next, take);
      if (session === this.#session && this.#queue.length > 0) this.#takeNext(take);
    });
  }

  #shift(): number | undefined {
    const next = this.#queue[0];
    if (next === undefined || next > this.#plan.stopAt) return undefined;
    return this.#queue.shift();
  }

  #take(offset: number, take: (offset: number) => void): void {
    this.#taken = offset;
    this.#kept = Math.max(this.#kept, offset);
    take(offset);
  }
}
