import type { VirtualClock } from "../virtual-clock.ts";
import type { Referee } from "./referee.ts";
import { Violation } from "./violation.ts";

/** The longest that any world takes, in virtual time, unless its plan says otherwise. */
const LIMIT_MS = 30 * 24 * 3_600_000;

/** What a world is played by. */
export interface Play {
  readonly clock: VirtualClock;
  readonly referee: Referee;
  start(): void;
  isAtGoal(): boolean;
  /** How far everybody is, for who has to find out why the world hangs. */
  state(): string;
  readonly limitMs: number | undefined;
  /** How long nothing may be put once the goal was reached, and something may before that. */
  readonly idle: { readonly settleMs: number; readonly watchMs: number } | undefined;
}

/** Plays a world to its goal, or to the first broken rule, which it gives. Never throws. */
export function play(world: Play): Violation | undefined {
  const { clock, referee, limitMs = LIMIT_MS, idle } = world;
  try {
    world.start();
    while (!world.isAtGoal()) {
      if (clock.deadline > limitMs || !clock.step()) throw new Violation("hang", world.state());
    }
    if (idle === undefined) return undefined;
    clock.advance(idle.settleMs);
    referee.expectIdle();
    clock.advance(idle.watchMs);
    return undefined;
  } catch (error) {
    return asViolation(error);
  }
}

/** A core that throws has broken a rule, too; where it did is the cause. */
function asViolation(error: unknown): Violation {
  if (error instanceof Violation) return error;
  const violation = new Violation("throw", error instanceof Error ? error.message : String(error));
  violation.cause = error;
  return violation;
}
