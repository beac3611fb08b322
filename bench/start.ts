/**
 * How long the command takes to say what it can do, against a Node that does nothing.
 *
 * Run: `npm run -s bench -- start`. It runs what the package installs: `npm run build` first.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { atMost, check, median, printTable, writeResults } from "./harness.ts";

const ROUNDS = 15;
const COMMAND = "dist/cli/main.js";

function run(args: readonly string[]): { ms: number; output: string } {
  const from = performance.now();
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  check(status === 0, `${args.join(" ")} ends well`);
  return { ms: performance.now() - from, output: stdout };
}

check(existsSync(COMMAND), `${COMMAND} is there: run "npm run build"`);
check(run([COMMAND, "--help"]).output.includes("send"), "the help tells of the commands");
const [nothing, help]: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  nothing.push(run(["-e", "0"]).ms);
  help.push(run([COMMAND, "--help"]).ms);
}
const rows = [
  { what: "node -e 0", "median ms": median(nothing), "least ms": Math.min(...nothing) },
  { what: "culvert --help", "median ms": median(help), "least ms": Math.min(...help) },
];
printTable("start", rows);
const ratio = Math.min(...help) / Math.min(...nothing);
writeResults("start", rows, [atMost("culvert --help over node -e 0", ratio, 2)]);
