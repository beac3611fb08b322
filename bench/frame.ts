/**
 * The frame codec with secretbox, against secretbox alone: sealing and opening one cell.
 *
 * Run: `npm run -s bench -- frame`.
 */
import { assert, equalBytes, SeededRandom } from "../src/base/index.ts";
import { CELL_OVERHEAD_BYTES, type CryptoProvider, useProvider } from "../src/crypto/index.ts";
import { systemRandom } from "../src/io/random.ts";
import { openFrame, sealFrame } from "../src/stream/frame/cell.ts";
import { type Frame, NO_ACKNOWLEDGEMENT, payloadBytesMax } from "../src/stream/frame/frame.ts";
import { atMost, check, measure, printTable, type Verdict, writeResults } from "./harness.ts";
import { installed, PROVIDERS } from "./providers.ts";

const ASKED: readonly { kib: number; ratio: number }[] = [
  { kib: 1, ratio: 1.5 },
  { kib: 8, ratio: 1.15 },
  { kib: 32, ratio: 1.15 },
];

const random = new SeededRandom(1);
const keys = { frameId: random.bytes(32), key: random.bytes(32) };

/** Both ways over the same number of bytes: with the codec, and without. */
function subjects(provider: CryptoProvider, kib: number) {
  useProvider(provider);
  const cellBytes = kib * 1_024;
  const frame: Frame = {
    type: "data",
    previous: 7,
    acknowledgement: NO_ACKNOWLEDGEMENT,
    flags: 0,
    payload: random.bytes(payloadBytesMax(cellBytes)),
  };
  const options = { keys, cellBytes, random: systemRandom };
  const opened = openFrame(sealFrame(frame, options).subarray(32), keys, cellBytes);
  assert(opened.kind === "frame", "the cell opens");
  check(equalBytes(opened.frame.payload, frame.payload), "and holds what was sealed");
  const plaintext = random.bytes(cellBytes - CELL_OVERHEAD_BYTES);
  const nonce = random.bytes(24);
  return [
    {
      name: "secretbox",
      run: () => {
        const box = provider.secretboxSeal(keys.key, nonce, plaintext);
        provider.secretboxOpen(keys.key, nonce, box);
      },
    },
    {
      name: "frame",
      run: () => {
        openFrame(sealFrame(frame, options).subarray(32), keys, cellBytes);
      },
    },
  ];
}

async function main(): Promise<void> {
  const rows: Record<string, string | number>[] = [];
  const verdicts: Verdict[] = [];
  for (const name of PROVIDERS) {
    for (const { kib, ratio: asked } of ASKED) {
      const [alone, codec] = await measure(subjects(installed(name), kib), {
        rounds: 300,
        sampleMs: 1,
      });
      const [aloneUs, codecUs] = [alone?.leastUs ?? 0, codec?.leastUs ?? 0];
      const ratio = codecUs / aloneUs;
      rows.push({ provider: name, kib, "secretbox, us": aloneUs, "frame, us": codecUs, ratio });
      verdicts.push(atMost(`${name}: frame codec over secretbox, ${kib} KiB`, ratio, asked));
    }
  }
  printTable("the frame codec with secretbox, sealed and opened", rows);
  writeResults("frame", rows, verdicts);
}

await main();
