import type { SeededRandom } from "../../src/base/index.ts";
import type { LinkLimits } from "../../src/link/index.ts";
import type { LineProfile } from "../../src/testing/index.ts";

/** The parameters of one life. */
export interface LinkChurnPlan {
  readonly line: Partial<LineProfile>;
  readonly isBehindNat: boolean;
  readonly limits: Partial<LinkLimits>;
  readonly turns: number;
  /** Things happen while others are under way. */
  readonly isHasty: boolean;
}

/** Every parameter of a life follows from its seed. */
export function planOf(random: SeededRandom): LinkChurnPlan {
  const one = <T>(...values: readonly T[]): T => values[random.below(values.length)] as T;
  return {
    line: {
      delayMs: one(1, 20, 150),
      jitterMs: one(0, 0, 5, 100),
      loss: one(0, 0, 0.01, 0.1),
      duplicate: one(0, 0, 0.05),
      reorder: one(0, 0, 0.05),
      reorderMs: 100,
      corrupt: one(0, 0, 0.01),
      bytesPerSecond: one(Number.POSITIVE_INFINITY, 2_000_000, 200_000),
    },
    isBehindNat: random.below(3) === 0,
    limits: one<Partial<LinkLimits>>(
      {},
      {},
      { streamsOutMax: 3, openingsWaitingMax: 4 },
      { streamsInMax: 4, linkWindowBytesMax: 300_000, streamWindowBytesMax: 100_000 },
      { streamsOpenedMax: 6 },
      { linksMax: 2, linksPerPeerMax: 1 },
      { unackedBytesMax: 300_000 },
      { resumeMs: 3_000, silenceMs: 2_000, keepAliveMs: 3_000, idleMs: 10_000 },
      { handshakesMax: 2, handshakesPerAddressMax: 1, drainMs: 100 },
    ),
    turns: 20 + random.below(40),
    isHasty: random.below(3) === 0,
  };
}
