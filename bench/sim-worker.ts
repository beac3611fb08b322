import { shareDerivations } from "../src/testing/world/index.ts";
import type { RowSize, Sample } from "./sim-row.ts";
import { ROWS } from "./sim-rows.ts";

/** Some seeds of one row, as the main process hands them out. */
export interface Job {
  readonly row: string;
  readonly seeds: readonly number[];
  readonly size: Partial<RowSize>;
}

/** What came of a job. */
export interface Outcome {
  readonly row: string;
  readonly samples: readonly Sample[];
}

async function work(job: Job): Promise<Outcome> {
  const row = ROWS.find(({ name }) => name === job.row);
  if (row === undefined) throw new Error(`no such row: ${job.row}`);
  const samples: Sample[] = [];
  for (const seed of job.seeds) samples.push(await row.run(seed, job.size));
  return { row: row.name, samples };
}

shareDerivations();
process.on("message", async (job: Job) => process.send?.(await work(job)));
