/**
 * The longest synchronous step of each party while a stream runs at full speed: writer, reader, and
 * the node of the Map with its records on disk, each in a process of its own.
 *
 * Run: `npm run -s bench -- event-loop`.
 */
import { atMost, printTable, writeResults } from "./harness.ts";
import { carry, withParties } from "./parties.ts";

/** The least of so many runs counts: what disturbs one of them only ever adds. */
const RUNS = 3;
/** Most of what runs is compiled by then: what is not takes longer steps. */
const WARM_FRAMES = 2_000;
const FRAMES = 150;
const CELLS = [1_024, 32 * 1_024] as const;
/** The one that there always is on Node; the native one is optional, and faster. */
const PROVIDER = "node";
const ROLES = ["writer", "reader", "map"] as const;

type Steps = Record<(typeof ROLES)[number], number>;

async function longestSteps(cellBytes: number): Promise<Steps> {
  const options = { cellBytes, provider: PROVIDER, isWatched: true, isDurable: true };
  return await withParties(options, async (parties) => {
    await carry(parties, WARM_FRAMES * cellBytes);
    const steps: Steps = { writer: Infinity, reader: Infinity, map: Infinity };
    for (let run = 0; run < RUNS; run++) {
      // Nobody collects garbage by hand: it costs the engine the code that it has compiled, and the
      // next cells, which are then sealed and opened by an interpreter, 4 to 6 ms each.
      for (const role of ROLES) await parties[role].ask("watch");
      await carry(parties, FRAMES * cellBytes);
      for (const role of ROLES) {
        const { longestStepMs } = await parties[role].ask("sample");
        steps[role] = Math.min(steps[role], longestStepMs);
      }
    }
    return steps;
  });
}

const rows: ({ cellBytes: number } & Steps)[] = [];
for (const cellBytes of CELLS) rows.push({ cellBytes, ...(await longestSteps(cellBytes)) });
printTable(`longest step of the event loop, ms, ${PROVIDER}`, rows);
const verdicts = rows.flatMap((row) =>
  ROLES.map((role) => atMost(`${role}: longest step, ms, ${row.cellBytes} B`, row[role], 5)),
);
writeResults("event-loop", rows, verdicts);
