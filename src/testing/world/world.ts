import { type ErrorCode, SeededRandom } from "../../base/index.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { type CrashPlan, NO_CRASHES } from "./crashes.ts";
import { type MapFaults, resolveFaults, type Side } from "./faults.ts";
import { type Outcome, Party, type PartyCounts } from "./party.ts";
import { play } from "./play.ts";
import { EAGER_READER, Reader, type ReaderPlan } from "./reader.ts";
import { type PaceRule, Referee } from "./referee.ts";
import type { CreateSubject } from "./subject.ts";
import { Trace } from "./trace.ts";
import type { Violation } from "./violation.ts";
import { VirtualJournal } from "./virtual-journal.ts";
import { VirtualMap } from "./virtual-map.ts";
import { SILENT_WRITER, Writer, type WriterPlan } from "./writer.ts";

/** The applications of one side. */
export interface PartyPlan {
  readonly writer?: WriterPlan;
  readonly reader?: Partial<ReaderPlan>;
}

/**
 * Everything that a run follows from. Two runs with equal plans and cores are the same run, event
 * for event.
 */
export interface WorldPlan {
  readonly seed: number;
  readonly create: CreateSubject;
  readonly faults?: Partial<MapFaults>;
  readonly a?: PartyPlan;
  readonly b?: PartyPlan;
  readonly crashes?: CrashPlan;
  /** Longest time that one journal commit takes, in ms. */
  readonly commitMsMax?: number;
  /**
   * What is waited for: both cores are `done`, or one has failed as it may; both are over, well or
   * not; everything that was planned is written, delivered and known to be; or it
   * is merely delivered.
   */
  readonly goal?: "done" | "over" | "acknowledged" | "delivered";
  /** After the goal: time for what is under way, and then time in which no put may be made. */
  readonly idle?: { readonly settleMs: number; readonly watchMs: number };
  readonly pace?: PaceRule;
  /** Errors with which a core may end the run before the goal. */
  readonly mayFailWith?: readonly ErrorCode[];
  readonly framesInMemoryMax?: number;
  /** Virtual time and events after which a run that has not reached its goal hangs. */
  readonly limitMs?: number;
  readonly limitEvents?: number;
  /** Told of each piece that reaches an application, with the position behind it. */
  readonly onDelivered?: (side: Side, end: number, atMs: number) => void;
  /** Takes one line for each event. */
  readonly log?: ((line: string) => void) | undefined;
}

/** What came of one side. */
export interface PartyReport extends PartyCounts {
  readonly outcome: Outcome;
  readonly bytesWritten: number;
  readonly bytesTaken: number;
}

/** What came of a run. */
export interface WorldReport {
  readonly seed: number;
  /** The rule that was broken first, if any was. */
  readonly violation: Violation | undefined;
  readonly atMs: number;
  readonly events: number;
  readonly traceHash: string;
  /** Different places that were put to. */
  readonly places: number;
  readonly a: PartyReport;
  readonly b: PartyReport;
}

const LIMIT_EVENTS = 20_000_000;

/** Runs one world to its goal, or to the first broken rule. Never throws for what a core does. */
export function runWorld(plan: WorldPlan): WorldReport {
  return new World(plan).run();
}

class World {
  readonly #plan: WorldPlan;
  readonly #clock = new VirtualClock();
  readonly #trace: Trace;
  readonly #referee: Referee;
  readonly #writers: Record<Side, Writer>;
  readonly #readers: Record<Side, Reader>;
  readonly #parties: Record<Side, Party>;

  constructor(plan: WorldPlan) {
    this.#plan = plan;
    this.#trace = new Trace({ log: plan.log, eventsMax: plan.limitEvents ?? LIMIT_EVENTS });
    this.#referee = new Referee({
      pace: plan.pace,
      restoresBackups: plan.crashes?.backsUpAt !== undefined,
    });
    const root = new SeededRandom(plan.seed);
    const faults = resolveFaults(plan.faults ?? {});
    const clock = this.#clock;
    const trace = this.#trace;
    const map = new VirtualMap({ clock, faults, trace, random: root.fork(0) });
    const seeds = { a: root.uint32(), b: root.uint32() };
    const writer = (side: Side): Writer =>
      new Writer({ clock, plan: plan[side]?.writer ?? SILENT_WRITER, seed: seeds[side] });
    const reader = (side: Side, seed: number): Reader => {
      const readerPlan = { ...EAGER_READER, ...plan[side]?.reader };
      return new Reader({ clock, random: root.fork(1), plan: readerPlan, seed });
    };
    this.#writers = { a: writer("a"), b: writer("b") };
    this.#readers = { a: reader("a", seeds.b), b: reader("b", seeds.a) };
    this.#parties = {
      a: this.#party("a", { map, faults, root }),
      b: this.#party("b", { map, faults, root }),
    };
  }

  run(): WorldReport {
    const { limitMs, idle } = this.#plan;
    const violation = play({
      clock: this.#clock,
      referee: this.#referee,
      limitMs,
      idle,
      start: () => {
        this.#parties.a.start();
        this.#parties.b.start();
      },
      isAtGoal: () => this.#isAtGoal(),
      state: () => this.#state(),
    });
    return {
      seed: this.#plan.seed,
      violation,
      atMs: this.#clock.now(),
      events: this.#trace.events,
      traceHash: this.#trace.hash(),
      places: this.#referee.places,
      a: this.#report("a"),
      b: this.#report("b"),
    };
  }

  #party(side: Side, parts: { map: VirtualMap; faults: MapFaults; root: SeededRandom }): Party {
    const plan = this.#plan;
    const peer = peerOf(side);
    const clock = this.#clock;
    const commitMsMax = plan.commitMsMax ?? 0;
    return new Party({
      side,
      clock,
      map: parts.map,
      journal: new VirtualJournal({ clock, random: parts.root.fork(2), commitMsMax }),
      writer: this.#writers[side],
      reader: this.#readers[side],
      peerWriter: this.#writers[peer],
      peerReader: this.#readers[peer],
      referee: this.#referee,
      trace: this.#trace,
      crashes: plan.crashes ?? NO_CRASHES,
      random: parts.root.fork(3),
      create: plan.create,
      mayFailWith: plan.mayFailWith ?? [],
      hardTimeoutMs: parts.faults.hardTimeoutMs,
      framesInMemoryMax: plan.framesInMemoryMax ?? Number.POSITIVE_INFINITY,
      onDelivered: plan.onDelivered,
    });
  }

  #isAtGoal(): boolean {
    const { a, b } = this.#parties;
    const goal = this.#plan.goal ?? "done";
    if (goal === "over") return a.outcome !== "running" && b.outcome !== "running";
    if (hasFailed(a) || hasFailed(b)) return true;
    if (goal === "done") return a.outcome === "done" && b.outcome === "done";
    const isDelivered = this.#isDelivered("a") && this.#isDelivered("b");
    return goal === "delivered" ? isDelivered : isDelivered && a.isAcknowledged && b.isAcknowledged;
  }

  #isDelivered(from: Side): boolean {
    const writer = this.#writers[from];
    return writer.isThrough && this.#readers[peerOf(from)].kept === writer.total;
  }

  #state(): string {
    const told = (side: Side): string => {
      const writer = this.#writers[side];
      const kept = this.#readers[peerOf(side)].kept;
      return `${side} ${this.#parties[side].outcome}, wrote ${writer.position}, peer took ${kept}`;
    };
    return `no end at ${this.#clock.now()} ms: ${told("a")}; ${told("b")}`;
  }

  #report(side: Side): PartyReport {
    const party = this.#parties[side];
    return {
      ...party.counts,
      outcome: party.outcome,
      bytesWritten: this.#writers[side].position,
      bytesTaken: this.#readers[side].kept,
    };
  }
}

function hasFailed(party: Party): boolean {
  return party.outcome !== "running" && party.outcome !== "done";
}

function peerOf(side: Side): Side {
  return side === "a" ? "b" : "a";
}
