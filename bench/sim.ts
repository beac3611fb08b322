import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { misused, optionsOf, wholeNumber } from "./command-line.ts";
import type { Verdict } from "./harness.ts";
import type { Row, Sample } from "./sim-row.ts";
import { ROWS } from "./sim-rows.ts";
import type { Job, Outcome } from "./sim-worker.ts";

const USAGE = `Measures all figures of the stream, of requests, of punching and of the whole road in
the virtual world.

  npm run -s sim -- [--row crash] [--seeds 100] [--first-seed 1] [--jobs 2] [--list]
                [--nodes 200] [--streams 50]

  --row NAME       only this row, or all that begin with NAME; may be given again
  --seeds N        so many seeds of each row instead of what it asks for
  --first-seed N   begin there (1); with --seeds 1, one seed
  --jobs N         so many at once (one per processor)
  --nodes N        nodes of a world of many, 4 to 200
  --streams N      streams over them, 1 to 50
  --list           name the rows

The exit status is 1 when a figure is missed.`;

/** Both seen from what is compiled to `bench/dist/bench`. */
const RESULTS = new URL("../../results/sim.json", import.meta.url);
const WORKER = new URL("./sim-worker.js", import.meta.url);
/** Room for young objects, most of which die at once; and for a world of 200 nodes. */
const WORKER_OPTIONS = ["--max-semi-space-size=64", "--max-old-space-size=3072"];
/** Seeds that a process is given at a time: at most, and as a part of a row. */
const JOB_SEEDS_MAX = 100;
const JOBS_PER_ROW = 20;
/** Entries of a list that the plan of a seed is shown with. */
const LISTED_MAX = 3;

const OPTIONS = {
  row: { type: "string", multiple: true },
  seeds: { type: "string" },
  "first-seed": { type: "string", default: "1" },
  jobs: { type: "string" },
  nodes: { type: "string" },
  streams: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const values = optionsOf(OPTIONS, USAGE);

interface Result {
  readonly row: string;
  readonly title: string;
  readonly parameters: Row["parameters"];
  readonly firstSeed: number;
  readonly seeds: number;
  readonly verdicts: readonly Verdict[];
  /** Processor time of a seed in the mean, and the most memory that a process had. */
  readonly cpuSecondsOfSeed: number;
  readonly memoryMiB: number;
  /** Broken rules, the first few. */
  readonly violations: readonly Sample[];
}

function sizeOfWorlds(): Job["size"] {
  const { nodes, streams } = values;
  return {
    ...(nodes !== undefined && { nodes: within("nodes", nodes, { min: 4, max: 200 }) }),
    ...(streams !== undefined && { streams: within("streams", streams, { min: 1, max: 50 }) }),
  };
}

/** What the row has, or what it was told to have. */
function parametersOf({ parameters }: Row): Row["parameters"] {
  const size = Object.entries(sizeOfWorlds() ?? {}).filter(([name]) => name in parameters);
  return { ...parameters, ...Object.fromEntries(size) };
}

/** A plan on one line: long lists by their beginning, and what has no text by saying so. */
function told(plan: object): string {
  return JSON.stringify(plan, (_name, value: unknown) => {
    if (typeof value === "function") return "drawn on the way";
    if (typeof value === "number") return Number(value.toPrecision(6));
    if (!Array.isArray(value) || value.length <= LISTED_MAX) return value;
    return [...value.slice(0, LISTED_MAX), `${value.length - LISTED_MAX} more`];
  });
}

function within(name: string, text: string, { min, max }: { min: number; max: number }): number {
  return wholeNumber(text, { name: `--${name}`, min, max, usage: USAGE });
}

function jobsOf(row: Row, firstSeed: number, seeds: number): Job[] {
  const size = Math.min(JOB_SEEDS_MAX, Math.ceil(seeds / JOBS_PER_ROW));
  const all = Array.from({ length: seeds }, (_, i) => firstSeed + i);
  const jobs: Job[] = [];
  for (let at = 0; at < seeds; at += size) {
    jobs.push({ row: row.name, seeds: all.slice(at, at + size), size: sizeOfWorlds() });
  }
  return jobs;
}

/** Spreads the jobs over processes and hands each outcome on as it comes. */
async function runAll(
  jobs: readonly Job[],
  processes: number,
  take: (outcome: Outcome) => void,
): Promise<void> {
  const waiting = [...jobs];
  const runProcess = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(WORKER, { execArgv: WORKER_OPTIONS });
      const next = (): void => {
        const job = waiting.shift();
        if (job === undefined) worker.disconnect();
        else worker.send(job);
      };
      worker.on("message", (outcome: Outcome) => {
        take(outcome);
        next();
      });
      worker.on("error", reject);
      worker.on("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a process ended with ${code}`));
      });
      next();
    });
  await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, runProcess));
}

function print(result: Result): void {
  for (const { what, asked, measured, isMet } of result.verdicts) {
    const mark = isMet ? "ok  " : "MISS";
    const figure = `${what.padEnd(32)} ${measured.padStart(9)}  asked ${asked}`;
    process.stdout.write(`${mark} ${result.row.padEnd(17)} ${figure}\n`);
  }
  const { cpuSecondsOfSeed, memoryMiB } = result;
  const cost = `${cpuSecondsOfSeed.toPrecision(2)} s of processor time a seed`;
  process.stdout.write(`     ${result.row}: ${cost}, ${memoryMiB.toFixed(0)} MiB\n`);
  for (const { seed, violation } of result.violations) {
    process.stdout.write(`     ${result.row} seed ${seed}: ${violation}\n`);
  }
}

async function main(): Promise<void> {
  const wanted = values.row ?? [""];
  const rows = ROWS.filter(({ name }) => wanted.some((prefix) => name.startsWith(prefix)));
  const unknown = wanted.find((prefix) => !ROWS.some(({ name }) => name.startsWith(prefix)));
  if (unknown !== undefined) misused(`no row begins with ${unknown}`, USAGE);
  const firstSeed = within("first-seed", values["first-seed"], { min: 0, max: 2 ** 32 - 1 });
  const { seeds } = values;
  const seedsWanted = seeds === undefined ? seeds : within("seeds", seeds, { min: 1, max: 1e6 });
  const seedsOf = (row: Row): number => seedsWanted ?? row.seeds;
  const jobs = values.jobs ?? String(availableParallelism());
  const processes = within("jobs", jobs, { min: 1, max: 1_024 });
  const samples = new Map<string, Sample[]>(rows.map(({ name }) => [name, []]));
  const costs = new Map(rows.map(({ name }) => [name, { cpuSeconds: 0, memoryMiB: 0 }]));
  process.stdout.write(`seeds from ${firstSeed} on, ${processes} processes\n`);
  for (const row of rows) {
    const parameters = JSON.stringify(parametersOf(row));
    process.stdout.write(
      `${row.name.padEnd(17)} ${row.title}; ${seedsOf(row)} seeds; ${parameters}\n`,
    );
    const plan = row.plan?.(firstSeed, sizeOfWorlds());
    if (plan !== undefined) process.stdout.write(`     seed ${firstSeed}: ${told(plan)}\n`);
  }
  const startedAt = performance.now();
  const results: Result[] = [];
  const take = (outcome: Outcome): void => {
    const row = rows.find(({ name }) => name === outcome.row);
    const all = samples.get(outcome.row);
    const cost = costs.get(outcome.row);
    if (row === undefined || all === undefined || cost === undefined) return;
    all.push(...outcome.samples);
    cost.cpuSeconds += outcome.cpuSeconds;
    cost.memoryMiB = Math.max(cost.memoryMiB, outcome.memoryMiB);
    if (process.stderr.isTTY) process.stderr.write(`\r${row.name} ${all.length}\x1b[K\r`);
    if (all.length < seedsOf(row)) return;
    all.sort((a, b) => a.seed - b.seed);
    const result: Result = {
      row: row.name,
      title: row.title,
      parameters: parametersOf(row),
      firstSeed,
      seeds: all.length,
      verdicts: row.judge(all),
      cpuSecondsOfSeed: cost.cpuSeconds / all.length,
      memoryMiB: cost.memoryMiB,
      violations: all.filter(({ violation }) => violation !== undefined).slice(0, 5),
    };
    results.push(result);
    print(result);
  };
  await runAll(
    rows.flatMap((row) => jobsOf(row, firstSeed, seedsOf(row))),
    processes,
    take,
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const missed = results.flatMap(({ verdicts }) => verdicts).filter(({ isMet }) => !isMet).length;
  mkdirSync(new URL(".", RESULTS), { recursive: true });
  const file = { seconds, processes, missed, results };
  writeFileSync(RESULTS, `${JSON.stringify(file, undefined, 2)}\n`);
  process.stdout.write(`${missed === 0 ? "ok" : `${missed} missed`} in ${seconds.toFixed(0)} s\n`);
  process.exitCode = missed === 0 && results.length === rows.length ? 0 : 1;
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else if (values.list)
  for (const { name, title } of ROWS) process.stdout.write(`${name.padEnd(17)} ${title}\n`);
else await main();
