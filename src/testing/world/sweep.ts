import { crashOnce } from "./crashes.ts";
import type { Side } from "./faults.ts";
import type { Violation } from "./violation.ts";
import { runWorld, type WorldPlan } from "./world.ts";

/** A crash that a world did not stand. */
export interface BrokenPoint {
  readonly side: Side;
  readonly point: number;
  readonly violation: Violation;
}

/** What a sweep found. */
export interface SweepReport {
  /** Points at which each side could crash. */
  readonly points: Readonly<Record<Side, number>>;
  readonly runs: number;
  readonly broken: readonly BrokenPoint[];
}

/**
 * Runs a world once as it is, and then once for every point at which a process can die: between any
 * two inputs and effects of either side, so around each journal write and each network event. Up to
 * the crash all runs are the same run.
 *
 * @throws Violation when the world breaks a rule without any crash
 */
export function sweepCrashPoints(
  plan: Omit<WorldPlan, "crashes">,
  crash: { readonly downMs: number },
): SweepReport {
  const calm = runWorld(plan);
  if (calm.violation !== undefined) throw calm.violation;
  const points = { a: calm.a.points, b: calm.b.points };
  const broken: BrokenPoint[] = [];
  for (const side of ["a", "b"] as const) {
    for (let point = 0; point < points[side]; point++) {
      const { violation } = runWorld({ ...plan, crashes: crashOnce(side, point, crash.downMs) });
      if (violation !== undefined) broken.push({ side, point, violation });
    }
  }
  return { points, runs: 1 + points.a + points.b, broken };
}
