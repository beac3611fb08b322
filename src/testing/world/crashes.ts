import type { SeededRandom } from "../../base/index.ts";
import type { Side } from "./faults.ts";

/** What becomes of a process that crashes. */
export interface Crash {
  /** How long it is down before it starts again. */
  readonly downMs: number;
  /** Whether it comes back with the state that was backed up, and not with the last durable one. */
  readonly restoresBackup: boolean;
}

/**
 * Decides who crashes where. A world asks before each input and before each effect of each core:
 * between any two of them a process may die, so these are all the points at which it can.
 */
export interface CrashPlan {
  at(side: Side, point: number): Crash | undefined;
  /** Whether the journal is to be backed up at this point. */
  backsUpAt?(side: Side, point: number): boolean;
}

/** Nobody crashes. */
export const NO_CRASHES: CrashPlan = Object.freeze({ at: () => undefined });

/** One side crashes once, at one point: what a sweep is made of. */
export function crashOnce(side: Side, point: number, downMs: number): CrashPlan {
  return {
    at: (atSide, atPoint) =>
      atSide === side && atPoint === point ? { downMs, restoresBackup: false } : undefined,
  };
}

/** Up to `crashesMax` crashes of either side, at each point with the same chance. */
export function crashAtRandom(
  random: SeededRandom,
  plan: { readonly chance: number; readonly crashesMax: number; readonly downMsMax: number },
): CrashPlan {
  let left = plan.crashesMax;
  return {
    at: () => {
      if (left === 0 || random.unit() >= plan.chance) return undefined;
      left -= 1;
      // Most restarts are quick, some take as long as they may.
      return { downMs: random.unit() ** 3 * plan.downMsMax, restoresBackup: false };
    },
  };
}

/** Backs a side up at one point, and crashes it at a later one into that old state. */
export function crashIntoBackup(
  side: Side,
  points: { readonly backup: number; readonly crash: number; readonly downMs: number },
): CrashPlan {
  return {
    at: (atSide, point) =>
      atSide === side && point === points.crash
        ? { downMs: points.downMs, restoresBackup: true }
        : undefined,
    backsUpAt: (atSide, point) => atSide === side && point === points.backup,
  };
}
