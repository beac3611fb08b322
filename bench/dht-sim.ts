import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { misused, optionsOf, wholeNumber } from "./command-line.ts";
import { drawLookups } from "./dht-chart.ts";
import type { DhtOutcome, DhtRow } from "./dht-row.ts";
import { DHT_ROWS } from "./dht-rows.ts";

const USAGE = `Measures the DHT on a virtual network: real cores, up to 100,000 in this process.

  npm run -s sim:dht -- [--row hostile] [--seed 1] [--list]

  --row NAME   only this row, or all that begin with NAME; may be given again
  --seed N     what everything random follows from (1)
  --list       name the rows

Prints each figure beside what is asked, keeps them in bench/results/dht-sim.json beside those of
other rows of this seed, and draws docs/dht-lookups.svg of all that are there. The exit status is 1
when a figure is missed.`;

/** The project, seen from what is compiled to `bench/dist`. */
const ROOT = new URL("../../..", import.meta.url);
const RESULTS = new URL("bench/results/dht-sim.json", ROOT);
const PICTURE = new URL("docs/dht-lookups.svg", ROOT);

const OPTIONS = {
  row: { type: "string", multiple: true },
  seed: { type: "string", default: "1" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const values = optionsOf(OPTIONS, USAGE);

/** What earlier runs of this seed have measured. */
function earlier(seed: number): [string, DhtOutcome][] {
  if (!existsSync(RESULTS)) return [];
  const file: { seed: number; rows: Record<string, DhtOutcome> } = JSON.parse(
    readFileSync(RESULTS, "utf8"),
  );
  return file.seed === seed ? Object.entries(file.rows) : [];
}

function print(row: DhtRow, { verdicts, figures }: DhtOutcome, seconds: number): void {
  for (const { what, asked, measured, isMet } of verdicts) {
    const mark = isMet ? "ok  " : "MISS";
    const figure = `${what.padEnd(38)} ${measured.padStart(10)}  asked ${asked}`;
    process.stdout.write(`${mark} ${row.name.padEnd(14)} ${figure}\n`);
  }
  const all = Object.entries(figures).map(([name, value]) => `${name} ${round(value)}`);
  process.stdout.write(`     ${all.join(", ")} (${seconds.toFixed(0)} s of CPU)\n`);
}

/** By its name, or with all that begin so when none has just this name. */
function isWanted(name: string, wanted: string): boolean {
  const isName = DHT_ROWS.some((row) => row.name === wanted);
  return isName ? name === wanted : name.startsWith(wanted);
}

function round(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

function main(): void {
  const bounds = { min: 0, max: 2 ** 32 - 1, usage: USAGE };
  const seed = wholeNumber(values.seed, { name: "--seed", ...bounds });
  const names = values.row ?? [""];
  const unknown = names.find((wanted) => !DHT_ROWS.some(({ name }) => isWanted(name, wanted)));
  if (unknown !== undefined) misused(`no row begins with ${unknown}`, USAGE);
  const rows = DHT_ROWS.filter(({ name }) => names.some((wanted) => isWanted(name, wanted)));
  process.stdout.write(`seed ${seed}, ${rows.length} rows\n`);
  const outcomes = new Map<string, DhtOutcome>();
  for (const row of rows) {
    process.stdout.write(`\n${row.name}: ${row.title}\n`);
    const from = process.cpuUsage();
    const outcome = row.run(seed);
    const { user, system } = process.cpuUsage(from);
    outcomes.set(row.name, outcome);
    print(row, outcome, (user + system) / 1e6);
  }
  const verdicts = [...outcomes.values()].flatMap((outcome) => outcome.verdicts);
  const missed = verdicts.filter(({ isMet }) => !isMet).length;
  const all = new Map([...earlier(seed), ...outcomes]);
  const file = { seed, rows: Object.fromEntries(all) };
  mkdirSync(new URL(".", RESULTS), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify(file, undefined, 2)}\n`);
  const picture = drawLookups(all);
  if (picture !== undefined) writeFileSync(PICTURE, picture);
  process.stdout.write(`\n${missed === 0 ? "ok" : `${missed} missed`}\n`);
  process.exitCode = missed === 0 ? 0 : 1;
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else if (values.list) {
  for (const { name, title } of DHT_ROWS) process.stdout.write(`${name.padEnd(14)} ${title}\n`);
} else main();
