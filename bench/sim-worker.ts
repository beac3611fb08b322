import { shareDerivations } from "../src/testing/world/index.ts";
import type { Sample } from "./sim-row.ts";
import { ROWS } from "./sim-rows.ts";

/** Some seeds of one row, as the main process hands them out. */
export interface Job {
  readonly row: string;
  readonly seeds: readonly number[];
}

/** What came of a job. */
export interface Outcome {
  readonly row: string;
  readonly samples: readonly Sample[];
}

function work(job: Job): Outcome {
  const row = ROWS.find(({ name }) => name === job.row);
  if (row === undefined) throw new Error(`no such row: ${job.row}`);
  return { row: row.name, samples: job.seeds.map((seed) => row.run(seed)) };
}

shareDerivations();
process.on("message", (job: Job) => process.send?.(work(job)));
