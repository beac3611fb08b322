import { setImmediate as nextTurn } from "node:timers/promises";
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
  /** Processor time of the job, and the most memory that the process ever had. */
  readonly cpuSeconds: number;
  readonly memoryMiB: number;
}

async function work(job: Job): Promise<Outcome> {
  const row = ROWS.find(({ name }) => name === job.row);
  if (row === undefined) throw new Error(`no such row: ${job.row}`);
  const samples: Sample[] = [];
  const from = process.cpuUsage();
  for (const seed of job.seeds) {
    samples.push(await row.run(seed, job.size));
    await nextTurn(); // or this would not hear that nobody waits for it any more
  }
  const { user, system } = process.cpuUsage(from);
  const memoryMiB = process.resourceUsage().maxRSS / 1_024;
  return { row: row.name, samples, cpuSeconds: (user + system) / 1e6, memoryMiB };
}

shareDerivations();
process.on("disconnect", () => process.exit());
process.on("message", async (job: Job) => process.send?.(await work(job)));
