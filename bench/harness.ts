/**
 * What all benchmarks share: subjects run in turns, so that whatever else the machine does meets
 * all of them alike; medians; a ratio to the first subject; one JSON file for each benchmark.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** Where results go, from the sources and from what is compiled to `bench/dist`. */
const RESULTS = new URL(
  import.meta.url.includes("/bench/dist/") ? "../../results/" : "./results/",
  import.meta.url,
);

/** One thing to time. Its result has to have been checked before. */
export interface Subject {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** How long a subject takes. */
export interface Timing {
  readonly name: string;
  /** Median microseconds of one run. */
  readonly us: number;
  /** The least disturbed sample: whatever else the machine does only ever adds. */
  readonly leastUs: number;
  /** Runs in a second at the median. */
  readonly perSecond: number;
  /** Time of this subject over that of the first. */
  readonly ratio: number;
}

export interface MeasureOptions {
  /** Samples of each subject, in turns; 11 if absent. */
  readonly rounds?: number;
  /** How long one sample runs, in milliseconds; 30 if absent. */
  readonly sampleMs?: number;
}

/** Times the subjects in turns and compares them with the first. */
export async function measure(
  subjects: readonly Subject[],
  options: MeasureOptions = {},
): Promise<Timing[]> {
  const { rounds = 11, sampleMs = 30 } = options;
  const runs: number[] = [];
  for (const subject of subjects) runs.push(await runsFor(subject, sampleMs));
  const samples: number[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      samples[i]?.push(await sample(subject, runs[i] ?? 1));
    }
  }
  const medians = samples.map(median);
  return subjects.map(({ name }, i) => {
    const us = medians[i] ?? Number.NaN;
    const leastUs = Math.min(...(samples[i] ?? []));
    return { name, us, leastUs, perSecond: 1e6 / us, ratio: us / (medians[0] ?? Number.NaN) };
  });
}

/** The middle value; of an even number of values the higher of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Stops a benchmark whose subject does not do what it should: a wrong result has no speed. */
export function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`benchmark: ${what}`);
}

/** One asked figure and what was measured. */
export interface Verdict {
  readonly what: string;
  readonly asked: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** A figure that must not be greater than `asked`. */
export function atMost(what: string, measured: number, asked: number): Verdict {
  return { what, asked: `<= ${asked}`, measured: figure(measured), isMet: measured <= asked };
}

/** A figure that must not be smaller than `asked`. */
export function atLeast(what: string, measured: number, asked: number): Verdict {
  return { what, asked: `>= ${asked}`, measured: figure(measured), isMet: measured >= asked };
}

/** Prints verdicts, one a line. */
export function printVerdicts(verdicts: readonly Verdict[]): void {
  for (const { what, asked, measured, isMet } of verdicts) {
    console.log(`${isMet ? "ok  " : "MISS"} ${what.padEnd(52)} ${measured.padStart(9)}  ${asked}`);
  }
}

/** Prints rows of equal shape as a table, numbers to three digits. */
export function printTable(
  title: string,
  rows: readonly Readonly<Record<string, unknown>>[],
): void {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [columns, ...rows.map((row) => columns.map((column) => cellText(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const line of lines) {
    const cells = line.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    console.log(`  ${cells.join("  ")}`);
  }
}

/** The verdicts of a benchmark that has run. */
export function readVerdicts(name: string): readonly Verdict[] {
  return JSON.parse(readFileSync(new URL(`${name}.json`, RESULTS), "utf8")).verdicts;
}

/** Writes `bench/results/<name>.json`: what ran where, what was asked, and prints the latter. */
export function writeResults(
  name: string,
  results: unknown,
  verdicts: readonly Verdict[] = [],
): void {
  printVerdicts(verdicts);
  mkdirSync(RESULTS, { recursive: true });
  const machine = {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
  };
  const document = { name, date: new Date().toISOString(), machine, verdicts, results };
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify(document, null, 2)}\n`);
}

function cellText(value: unknown): string {
  return typeof value === "number" ? figure(value, 3) : String(value ?? "");
}

/** With a digit more than tables: what just misses must not look as if it did not. */
function figure(value: number, digits = 4): string {
  const isLarge = Math.abs(value) >= 1000;
  return isLarge ? Math.round(value).toLocaleString("en-US") : value.toPrecision(digits);
}

/** How many runs fill a sample, found on runs that also warm the subject up. */
async function runsFor(subject: Subject, sampleMs: number): Promise<number> {
  let runs = 1;
  for (;;) {
    const ms = ((await sample(subject, runs)) * runs) / 1000;
    if (ms >= sampleMs) return runs;
    runs = ms < sampleMs / 10 ? runs * 8 : Math.ceil((runs * sampleMs * 1.1) / ms);
  }
}

async function sample({ run }: Subject, runs: number): Promise<number> {
  const from = process.hrtime.bigint();
  for (let i = 0; i < runs; i++) {
    const pending = run();
    if (pending !== undefined) await pending;
  }
  return Number(process.hrtime.bigint() - from) / 1000 / runs;
}
