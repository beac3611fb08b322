/**
 * Runs every benchmark, or those that are named, each in a process of its own, and sums up what was
 * asked: `npm run -s bench -- [NAME...]`. The exit status is 1 when a figure is missed.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { printVerdicts, readVerdicts } from "./harness.ts";

const NAMES = [
  "ceilings",
  "crypto",
  "frame",
  "stream",
  "event-loop",
  "memory",
  "start",
  "onion",
  "onion-goodput",
  "storage",
  "rpc",
  "storage-million",
  "link",
  "link-loss",
  "dht",
  "dht-sizes",
  "road",
] as const;

/** An hour or more: only when they are named. */
const LONG_NAMES = ["gigabyte"] as const;
const ALL_NAMES = [...NAMES, ...LONG_NAMES];

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !ALL_NAMES.some((known) => known === name));
if (unknown !== undefined) {
  console.error(`no benchmark is called ${unknown}: ${ALL_NAMES.join(", ")}`);
  process.exit(2);
}
const names = wanted.length === 0 ? NAMES : ALL_NAMES.filter((name) => wanted.includes(name));
const failed = names.filter((name) => {
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  return spawnSync(process.execPath, [script], { stdio: "inherit" }).status !== 0;
});
const verdicts = names.filter((name) => !failed.includes(name)).flatMap(readVerdicts);
console.log("\nWhat was asked");
printVerdicts(verdicts);
for (const name of failed) console.log(`FAIL ${name}`);
process.exitCode = failed.length > 0 || verdicts.some(({ isMet }) => !isMet) ? 1 : 0;
