import {
  type RequestPlan,
  type RequestReport,
  runRequests,
} from "../test/sim/requests/request-world.ts";
import { atLeast } from "./harness.ts";
import { everySeed, guarded, type Row } from "./sim-row.ts";

const WEATHER = { duplicate: 0.1, replay: 0.05, delayMs: [10, 90] } as const;

/** 10,000 requests at a loss of one half each way: all complete, and each handler runs once. */
const HALF_LOST: Omit<RequestPlan, "seed"> = {
  ...{ requests: 10_000, inFlight: 64, handlerMs: [0, 500] },
  faults: { ...WEATHER, loss: 0.5 },
};

/** The answering node is killed every few seconds: what ran may not run again. */
const RESTARTS: Omit<RequestPlan, "seed"> = {
  ...{ requests: 2_000, inFlight: 64, handlerMs: [0, 500], restartMeanMs: 3_000 },
  faults: { ...WEATHER, loss: 0.2 },
};

/** What must hold in every run, whatever the weather. */
function refuse(report: RequestReport): void {
  const { runsMax, unfounded, mixedUp, leftOpen } = report;
  if (runsMax > 1) throw new Error(`a handler ran ${runsMax} times for one request`);
  if (unfounded > 0) throw new Error(`${unfounded} replies to requests that never ran`);
  if (mixedUp > 0) throw new Error(`${mixedUp} replies were those of other requests`);
  if (leftOpen > 0) throw new Error(`${leftOpen} requests are left open`);
}

function requestRow(row: Pick<Row, "name" | "title" | "seeds">, plan: typeof HALF_LOST): Row {
  return {
    ...row,
    parameters: { ...plan },
    run: (seed) =>
      guarded(seed, () => {
        const report = runRequests({ ...plan, seed });
        refuse(report);
        return { completed: report.completed, messages: report.messages };
      }),
    judge: everySeed,
  };
}

/** Requests over a carrier that loses, repeats and reorders. */
export const REQUEST_ROWS: readonly Row[] = [
  {
    ...requestRow(
      { name: "requests-50", title: "10,000 requests, 50 % lost each way", seeds: 20 },
      HALF_LOST,
    ),
    judge: (samples) => {
      const completed = samples.map(({ figures }) => figures.completed ?? 0);
      const least = Math.min(...completed);
      return [atLeast("requests completed, worst seed", least, 10_000), ...everySeed(samples)];
    },
  },
  requestRow(
    { name: "requests-restart", title: "2,000 requests to a node that is killed", seeds: 200 },
    RESTARTS,
  ),
];
