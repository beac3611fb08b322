import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Keeps what is new for a while, then forgets it, as nodes do; prints the peak of old memory. */
const CHURN = `
import { getHeapSpaceStatistics } from "node:v8";
const KEPT = 50_000;
const kept = new Map();
let peak = 0;
for (let i = 0; i < 20 * KEPT; i++) {
  kept.set("key-" + i, { a: i, b: [i, i + 1] });
  kept.delete("key-" + (i - KEPT));
  if (i % 5_000 > 0) continue;
  const old = getHeapSpaceStatistics().find((space) => space.space_name === "old_space");
  peak = Math.max(peak, old.space_used_size);
  await new Promise(setImmediate);
}
console.log(peak);
`;

const COLLECTOR = new URL("../dist/io/collector.js", import.meta.url).href;
const EARLY = `import { collectEarly } from "${COLLECTOR}"; collectEarly();`;

// Flags of the engine hold for a whole process, so the two have one each.
test("collecting early leaves less waste in old memory", async () => {
  const peakOf = async (script: string): Promise<number> => {
    const args = ["--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return Number(stdout);
  };
  const [late, early] = [await peakOf(CHURN), await peakOf(EARLY + CHURN)];
  console.log(`old memory at its peak, bytes: ${late}; collected early, ${early}`);
  expect(early).toBeGreaterThan(0);
  expect(early).toBeLessThan(0.75 * late);
});
