import type { SeededRandom } from "../../src/base/index.ts";
import type { LineProfile, NatKind } from "../../src/testing/index.ts";

/** The parameters of one life. */
export interface ReachChurnPlan {
  readonly line: Partial<LineProfile>;
  readonly turns: number;
  /** Where the honest nodes stand. */
  readonly kinds: readonly (NatKind | "open")[];
}

const KINDS = ["open", "full-cone", "restricted", "port-restricted", "symmetric"] as const;
const NODES = 3;

/** Every parameter of a life follows from its seed. */
export function planOf(random: SeededRandom): ReachChurnPlan {
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  return {
    line: { delayMs: one(1, 20, 100), loss: one(0, 0, 0.02), jitterMs: one(0, 5) },
    turns: 30 + random.below(40),
    kinds: Array.from({ length: NODES }, () => one(...KINDS)),
  };
}
