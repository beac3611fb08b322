/**
 * How many frames a second one core can do at best, by provider and size of cell: everything that
 * all parties of one frame compute, and nothing else. Other benchmarks are ratios to this.
 *
 * Run: `npx tsx bench/ceilings.ts`.
 */
import { SeededRandom } from "../src/base/index.ts";
import { CELL_OVERHEAD_BYTES, useProvider } from "../src/crypto/index.ts";
import { accept, checkedRecord, READERS, read, wholeFrame, write } from "./frame-work.ts";
import { measure, printTable, type Subject, writeResults } from "./harness.ts";
import { installed, PROVIDERS } from "./providers.ts";

const SIZES_KIB = [1, 2, 8, 32] as const;

async function main(): Promise<void> {
  const random = new SeededRandom(2);
  const results: { provider: string; kib: number; [part: string]: string | number }[] = [];
  for (const kib of SIZES_KIB) {
    const frame = random.bytes(kib * 1024 - CELL_OVERHEAD_BYTES);
    for (const name of PROVIDERS) {
      useProvider(installed(name));
      const record = checkedRecord(frame);
      const subjects: Subject[] = [
        { name: "frame", run: wholeFrame(frame, READERS.secret) },
        { name: "writer", run: () => void write(frame) },
        { name: "node", run: () => void accept(record) },
        { name: "reader", run: () => void read(record, READERS.secret) },
        { name: "by capability", run: () => void read(record, READERS.capability) },
      ];
      const timings = await measure(subjects, { rounds: 9 });
      const us = Object.fromEntries(timings.map((timing) => [`${timing.name} µs`, timing.us]));
      const perSecond = timings[0]?.perSecond ?? 0;
      results.push({
        provider: name,
        kib,
        "frames/s": perSecond,
        "MB/s": (perSecond * kib) / 976.5625,
        ...us,
      });
    }
  }
  printTable("ceilings: all parties of one frame on one core", results);
  writeResults("ceilings", results);
}

await main();
