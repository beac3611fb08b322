import type { LineProfile, NatKind } from "../src/testing/index.ts";
import { isWhole, PunchWorld } from "../test/link/punch/punch-world.ts";
import { everySeed, guarded, type Row } from "./sim-row.ts";

const PLACES: readonly (NatKind | "open")[] = [
  "open",
  "full-cone",
  "restricted",
  "port-restricted",
  "symmetric",
];

/** Loss of 10 % on either line and of one signal in ten, reordering, repetition, corruption. */
const STORM: Partial<LineProfile> = {
  loss: 0.1,
  jitterMs: 40,
  duplicate: 0.1,
  reorder: 0.1,
  reorderMs: 200,
  corrupt: 0.02,
};

/** Whether no exchange of datagrams to known ports can join the two. */
function isHopeless(a: string, b: string): boolean {
  const pair = [a, b].sort().join(" ");
  return pair === "symmetric symmetric" || pair === "port-restricted symmetric";
}

/** Punches between every two kinds of place; tells how many that can be joined were not. */
function punchAll(seed: number, weather: { line?: Partial<LineProfile>; signalLoss?: number }) {
  let joined = 0;
  for (const a of PLACES) {
    for (const b of PLACES) {
      const world = new PunchWorld({ seed, ...weather });
      const [left, right] = [world.add(a), world.add(b)];
      left.punch(right);
      world.clock.advance(15_000);
      const [hasPath, hasFailed] = [left.paths.length === 1, left.failures.length === 1];
      if (hasPath === hasFailed) throw new Error(`${a} to ${b}: neither a path nor a failure`);
      if (isHopeless(a, b) === hasPath) throw new Error(`${a} to ${b}: path ${hasPath}`);
      if (hasPath && weather.line === undefined && !isWhole(world, left, right)) {
        throw new Error(`${a} to ${b}: the path carries nothing`);
      }
      if (left.core.size + right.core.size > 0) throw new Error(`${a} to ${b}: not over`);
      joined += hasPath ? 1 : 0;
    }
  }
  return { completed: joined };
}

/** Punching between NATs of every kind. */
export const PUNCH_ROWS: readonly Row[] = [
  {
    name: "punch",
    title: "25 pairs of NATs, clean lines",
    seeds: 100,
    parameters: {},
    run: (seed) => guarded(seed, () => punchAll(seed, {})),
    judge: everySeed,
  },
  {
    name: "punch-storm",
    title: "25 pairs of NATs, 10 % lost on either line, and of the signals",
    seeds: 100,
    parameters: { ...STORM, signalLoss: 0.1 },
    run: (seed) => guarded(seed, () => punchAll(seed, { line: STORM, signalLoss: 0.1 })),
    judge: everySeed,
  },
];
