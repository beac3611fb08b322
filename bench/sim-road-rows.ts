import { type RoadPlan, runRoad } from "../src/testing/index.ts";
import { everySeed, type Figures, type Row, type RowSize, type Sample } from "./sim-row.ts";

/** What a row has unless the command line says otherwise. */
const SIZE: RowSize = { nodes: 12, streams: 4 };

/** Streams through circuits to the nodes closest to each frame, in bad weather. */
function stormy(seed: number, { nodes, streams }: RowSize): RoadPlan {
  return {
    seed,
    nodes,
    clients: Math.max(2, Math.min(streams, 8)),
    streams,
    bytes: 4_000,
    via: "onion",
    line: { loss: 0.02, reorder: 0.02, reorderMs: 50 },
    crashes: Math.ceil(nodes / 12),
    stream: { window: 8 },
    // So small a network cannot keep the budget of an exit: test/road judges that in calm weather.
    onion: { window: 8, paths: 2, spares: 1, framesPerExit: 64 },
  };
}

async function runOne(seed: number, size: RowSize): Promise<Sample> {
  try {
    const report = await runRoad(stormy(seed, size));
    if (report.violation !== undefined) throw report.violation;
    if (report.timersLeft > 0) throw new Error(`${report.timersLeft} timers are left`);
    const figures: Figures = {
      latencyMs: report.tookMs,
      crashes: report.crashes,
      events: report.packets,
    };
    return { seed, figures };
  } catch (error) {
    const violation = error instanceof Error ? error.message : String(error);
    return { seed, violation, figures: {} };
  }
}

/** The whole road: every room, put together as in a process, on a virtual network. */
export const ROAD_ROWS: readonly Row[] = [
  {
    name: "road",
    title: "streams through circuits to a Map of many nodes; 2 % lost, nodes lose their power",
    seeds: 10,
    parameters: { ...SIZE },
    run: (seed, size) => runOne(seed, { ...SIZE, ...size }),
    judge: everySeed,
  },
];
