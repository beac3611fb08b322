import type { CreateSubject } from "./subject.ts";
import { runWorld } from "./world.ts";
import { writeAtOnce } from "./writer.ts";

/** The constants of profile R1, on which the reference was measured; design and docs name it so. */
export const R1: {
  readonly cellBytes: number;
  readonly rttMs: number;
  /** Mean gap between two puts of a side, and between two gets, when it is paced. */
  readonly paceMeanMs: number;
  readonly window: number;
  readonly framesPaced: number;
  readonly framesOpen: number;
} = Object.freeze({
  cellBytes: 1_900,
  rttMs: 2_000,
  paceMeanMs: 4_687.5,
  window: 64,
  framesPaced: 300,
  framesOpen: 2_000,
});

/** One run of the profile. */
export interface R1Plan {
  readonly loss: number;
  readonly seed: number;
  /** User bytes: all of them written at once, followed by the end. */
  readonly bytes: number;
  /** How many user bytes a cell carries: the unit of the figures per frame. */
  readonly frameBytes: number;
  readonly paced: boolean;
  /** Makes cores that keep to the pace, or to the window, of this run. */
  readonly create: CreateSubject;
  readonly log?: (line: string) => void;
}

/** What is measured. Latency is from the write to the delivery, frame by frame. */
export interface R1Result {
  readonly loss: number;
  readonly seed: number;
  readonly bytes: number;
  /** User bytes over the time until the last one reaches the application. */
  readonly goodputBps: number;
  /** Puts of the writing side, of any kind, for each frame that the bytes fill. */
  readonly putsPerFrame: number;
  /** Gets of the reading side, likewise. */
  readonly getsPerFrame: number;
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  readonly traceHash: string;
}

/**
 * Runs profile R1 once: an RTT of two seconds, independent loss of each request and each reply,
 * gets that wait, a writer who says everything at the start. It goes on until the writer knows that
 * the reader has everything.
 *
 * @throws Violation when the run breaks a rule
 */
export function runR1(plan: R1Plan): R1Result {
  const { loss, seed, bytes, frameBytes } = plan;
  const latencies: number[] = [];
  const report = runWorld({
    seed,
    create: plan.create,
    faults: { rttMs: R1.rttMs, loss },
    a: { writer: writeAtOnce(bytes) },
    b: { writer: writeAtOnce(0, "never") },
    goal: "acknowledged",
    ...(plan.paced ? { pace: { meanMs: R1.paceMeanMs } } : {}),
    log: plan.log,
    onDelivered: (_side, _end, atMs) => latencies.push(atMs),
  });
  if (report.violation !== undefined) throw report.violation;
  const frames = Math.max(1, Math.ceil(bytes / frameBytes));
  return {
    loss,
    seed,
    bytes,
    goodputBps: bytes === 0 ? 0 : (1_000 * bytes) / report.b.lastDeliveredAtMs,
    putsPerFrame: report.a.puts / frames,
    getsPerFrame: report.b.gets / frames,
    latencyP50Ms: quantile(latencies, 0.5),
    latencyP99Ms: quantile(latencies, 0.99),
    traceHash: report.traceHash,
  };
}

/** The value below which a fraction of `values` lies (nearest rank); 0 when there are none. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(fraction * sorted.length)));
  return sorted[rank - 1] ?? 0;
}
