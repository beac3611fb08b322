import { SeededRandom } from "../../../src/base/index.ts";
import { WriteCapability } from "../../../src/crypto/index.ts";
import type { BroadcastOptions } from "../../../src/stream/multicast/options.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type MapFaults, resolveFaults } from "../../../src/testing/world/faults.ts";
import { Pattern } from "../../../src/testing/world/pattern.ts";
import { play } from "../../../src/testing/world/play.ts";
import { Referee } from "../../../src/testing/world/referee.ts";
import { Trace } from "../../../src/testing/world/trace.ts";
import type { Violation } from "../../../src/testing/world/violation.ts";
import { VirtualJournal } from "../../../src/testing/world/virtual-journal.ts";
import { VirtualMap } from "../../../src/testing/world/virtual-map.ts";
import type { PlannedWrite } from "../../../src/testing/world/writer.ts";
import { Broadcaster } from "./broadcaster.ts";
import { Follower, type FollowerOutcome, type FollowerPlan } from "./follower.ts";
import { FrameLog } from "./frame-log.ts";
import { Heckler } from "./heckler.ts";
import type { FigureTamper, Surroundings, Tamper } from "./process.ts";

/** Everything that a run of a multicast world follows from. */
export interface MulticastPlan {
  readonly seed: number;
  readonly cellBytes: number;
  readonly faults?: Partial<MapFaults>;
  /** What is written, in order of time, and whether the end follows the last of it. */
  readonly writes: readonly PlannedWrite[];
  readonly ends: boolean;
  readonly broadcast?: Partial<BroadcastOptions>;
  readonly followers: readonly FollowerPlan[];
  /** Hostile readers, how often each of them asks, and until when. */
  readonly hecklers?: {
    readonly count: number;
    readonly everyMs: number;
    readonly untilMs: number;
  };
  /** For how long the writer's process is down if it dies at this point. */
  readonly crashes?: (point: number) => number | undefined;
  readonly commitMsMax?: number;
  /** After the goal: time for what is under way, and then time in which no put may be made. */
  readonly idle?: { readonly settleMs: number; readonly watchMs: number };
  readonly limitMs?: number;
  /** Planted bugs, which the oracles must notice. */
  readonly tamper?: Tamper;
  readonly tamperFigures?: FigureTamper;
  /** Takes one line for each event. */
  readonly log?: (line: string) => void;
}

/** What came of one reader. */
export interface FollowerReport {
  readonly outcome: FollowerOutcome;
  readonly kept: number;
  readonly puts: number;
  readonly lags: number;
  readonly skippedFrames: number;
  readonly kills: number;
}

/** What came of a run. */
export interface MulticastReport {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly atMs: number;
  readonly events: number;
  readonly traceHash: string;
  readonly frames: number;
  readonly writer: {
    readonly crashes: number;
    readonly points: number;
    readonly puts: number;
    readonly repairs: number;
    readonly keptFrames: number;
  };
  readonly followers: readonly FollowerReport[];
}

const LIMIT_EVENTS = 2_000_000;

/**
 * Runs one world with a broadcast and its readers, until each of them has all of it or has left, or
 * to the first broken rule. Never throws for what a core does.
 */
export function runMulticast(plan: MulticastPlan): MulticastReport {
  return new MulticastWorld(plan).run();
}

class MulticastWorld {
  readonly #plan: MulticastPlan;
  readonly #clock = new VirtualClock();
  readonly #random: SeededRandom;
  readonly #surroundings: Surroundings;
  readonly #text: Pattern;
  readonly #log: FrameLog;
  readonly #broadcaster: Broadcaster;
  readonly #followers: (Follower | undefined)[] = [];

  constructor(plan: MulticastPlan) {
    const { cellBytes, broadcast = {}, writes, ends } = plan;
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    const faults = resolveFaults(plan.faults ?? {});
    const clock = this.#clock;
    const trace = new Trace({ log: plan.log, eventsMax: LIMIT_EVENTS });
    const map = new VirtualMap({ clock, faults, trace, random: this.#random.fork(0) });
    const { hardTimeoutMs } = faults;
    const { tamper, tamperFigures } = plan;
    const referee = new Referee({});
    const bugs = { tamper, tamperFigures };
    this.#surroundings = { clock, map, referee, trace, hardTimeoutMs, ...bugs };
    this.#text = new Pattern(plan.seed);
    const write = WriteCapability.generate(new SeededRandom(WRITER_SEED));
    this.#log = new FrameLog(write, this.#text, cellBytes);
    this.#broadcaster = new Broadcaster({
      ...this.#surroundings,
      write,
      cellBytes,
      options: broadcast,
      journal: this.#journal(),
      random: this.#random.fork(1),
      text: this.#text,
      writes,
      ends,
      log: this.#log,
      crashes: plan.crashes ?? (() => undefined),
    });
  }

  run(): MulticastReport {
    const { limitMs, idle } = this.#plan;
    const violation = play({
      clock: this.#clock,
      referee: this.#surroundings.referee,
      limitMs,
      idle,
      start: () => this.#start(),
      isAtGoal: () => this.#isAtGoal(),
      state: () => this.#state(),
    });
    const { trace } = this.#surroundings;
    const { crashes, points, puts, repairs } = this.#broadcaster.counts;
    const { progress } = this.#broadcaster;
    const total = repairs + progress.repairs;
    return {
      seed: this.#plan.seed,
      violation,
      atMs: this.#clock.now(),
      events: trace.events,
      traceHash: trace.hash(),
      frames: this.#log.frames.length,
      writer: { crashes, points, puts, repairs: total, keptFrames: progress.keptFrames },
      followers: this.#followers.map((follower) => ({
        outcome: follower?.outcome ?? "reading",
        kept: follower?.kept ?? 0,
        puts: follower?.counts.puts ?? 0,
        lags: follower?.counts.lags ?? 0,
        skippedFrames: follower?.counts.skippedFrames ?? 0,
        kills: follower?.counts.kills ?? 0,
      })),
    };
  }

  #start(): void {
    const { followers, hecklers } = this.#plan;
    // Who is there from the beginning joins before the first byte.
    followers.forEach((plan, index) => {
      if (plan.atMs === 0) this.#join(plan, index);
    });
    this.#broadcaster.start();
    followers.forEach((plan, index) => {
      this.#followers[index] ??= undefined;
      if (plan.atMs > 0) this.#clock.schedule(plan.atMs, () => this.#join(plan, index));
    });
    for (let i = 0; i < (hecklers?.count ?? 0); i++) this.#heckle(i);
  }

  #join(plan: FollowerPlan, index: number): void {
    if (!this.#broadcaster.isAlive) {
      this.#clock.schedule(this.#clock.now() + 1_000, () => this.#join(plan, index));
      return;
    }
    const { read, first } = this.#broadcaster.capability(plan.from);
    const repair = plan.repairs === true ? this.#repairChain(index) : undefined;
    const follower = new Follower({
      ...this.#surroundings,
      name: `reader ${index}`,
      plan,
      read,
      first,
      repair,
      cellBytes: this.#plan.cellBytes,
      journal: this.#journal(),
      random: this.#random.fork(100 + index),
      text: this.#text,
      log: this.#log,
    });
    this.#followers[index] = follower;
    follower.start();
    if (repair !== undefined) this.#broadcaster.addReader(repair.readCapability());
  }

  #heckle(index: number): void {
    const { everyMs = 1, untilMs = 0 } = this.#plan.hecklers ?? {};
    const { clock, map } = this.#surroundings;
    const repair = this.#repairChain(1_000 + index);
    const random = this.#random.fork(200 + index);
    const { cellBytes } = this.#plan;
    this.#broadcaster.addReader(repair.readCapability());
    new Heckler({ clock, map, random, repair, cellBytes, everyMs, untilMs }).ask();
  }

  #repairChain(index: number): WriteCapability {
    return WriteCapability.generate(new SeededRandom(WRITER_SEED + 1 + index));
  }

  #journal(): VirtualJournal {
    const random = this.#random.fork(2);
    return new VirtualJournal({
      clock: this.#clock,
      random,
      commitMsMax: this.#plan.commitMsMax ?? 0,
    });
  }

  #isAtGoal(): boolean {
    if (!this.#broadcaster.isThrough) return false;
    const { ends } = this.#plan;
    return this.#followers.every((follower) => {
      if (follower === undefined) return false;
      return follower.outcome !== "reading" || (!ends && follower.hasAll(this.#broadcaster.total));
    });
  }

  #state(): string {
    const told = this.#followers.map((follower) => `${follower?.outcome} ${follower?.kept}`);
    const { total, progress } = this.#broadcaster;
    const stored = `${progress.storedBytes} of ${total} stored`;
    return `no end at ${this.#clock.now()} ms: ${stored}; ${told.join(", ")}`;
  }
}

/** All worlds broadcast under one key: curve arithmetic and derivations are dear. */
const WRITER_SEED = 0x6d63;
