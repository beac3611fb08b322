/**
 * What a stream holds when its reader has stopped: a gigabyte is offered to the writer, which has
 * to wait; then the reader goes on, and every byte is compared. Each end in a process of its own.
 *
 * Run: `npm run -s bench -- memory`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULTS } from "../src/stream/index.ts";
import { atMost, check, printTable, type Verdict, writeResults } from "./harness.ts";
import { carry, type Parties, withParties } from "./parties.ts";
import type { PartySample } from "./party.ts";

const GIGABYTE = 1e9;
/** Carried before: code and buffers are there then. */
const WARM_BYTES = 24e6;
/** Read after the stop, to see that nothing was lost. */
const AFTER_BYTES = 24e6;
const CELLS = [1_900, 32 * 1_024] as const;
const MIB = 2 ** 20;

/** Waits until the writer has not accepted a byte for some seconds. */
async function untilStopped({ writer }: Parties): Promise<PartySample> {
  for (let before = -1, quiet = 0; ; await sleep(500)) {
    const sample = await writer.ask("sample");
    quiet = sample.carriedBytes === before ? quiet + 1 : 0;
    before = sample.carriedBytes;
    if (quiet >= 8) return sample;
  }
}

const REST_MS = 1_000;

async function measure(cellBytes: number): Promise<{ row: object; verdicts: Verdict[] }> {
  return await withParties({ cellBytes }, async (parties) => {
    const { writer, reader } = parties;
    await carry(parties, WARM_BYTES);
    // The last acknowledgements come: a writer at rest keeps no memory for its next frames.
    await sleep(REST_MS);
    const before = {
      writer: await writer.ask("collect"),
      reader: await reader.ask("collect"),
    };
    writer.order("write", GIGABYTE);
    const accepted = (await untilStopped(parties)).carriedBytes - WARM_BYTES;
    check(accepted < GIGABYTE / 10, `the writer waits, at ${accepted} bytes`);
    const peak = { writer: await writer.ask("sample"), reader: await reader.ask("sample") };
    const held = { writer: await writer.ask("collect"), reader: await reader.ask("collect") };
    await reader.ask("read", AFTER_BYTES);
    const rss = (who: "writer" | "reader"): number =>
      (peak[who].rssPeakBytes - before[who].rssBytes) / MIB;
    const windows = (who: "writer" | "reader"): number =>
      (held[who].heldBytes - before[who].heldBytes) / (DEFAULTS.window * cellBytes);
    const row = {
      cellBytes,
      "accepted, MB": accepted / 1e6,
      "writer, RSS MiB": rss("writer"),
      "reader, RSS MiB": rss("reader"),
      "writer holds, windows": windows("writer"),
      "reader holds, windows": windows("reader"),
    };
    const verdicts = (["writer", "reader"] as const).flatMap((who) => [
      atMost(`${who}, reader stopped: RSS growth, MiB, ${cellBytes} B`, rss(who), 32),
      atMost(`${who} holds, in windows of ${cellBytes} B cells`, windows(who), 4),
    ]);
    return { row, verdicts };
  });
}

const results: { row: object; verdicts: Verdict[] }[] = [];
for (const cellBytes of CELLS) results.push(await measure(cellBytes));
const rows = results.map(({ row }) => ({ ...row }));
printTable("1 GB is offered, and the reader has stopped", rows);
writeResults(
  "memory",
  rows,
  results.flatMap(({ verdicts }) => verdicts),
);
