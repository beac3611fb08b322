import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { BroadcastCore } from "../../../src/stream/multicast/broadcast-core.ts";
import { generateCapability } from "../../../src/stream/multicast/capability-text.ts";
import { resolveBroadcastOptions } from "../../../src/stream/multicast/options.ts";
import { effectsOf } from "../../effects-of.ts";

it.each([
  { cellBytes: 1_900, puts: 4 },
  { cellBytes: 32_768, puts: 1 },
])("a broadcast of cells of $cellBytes bytes lets others go on after $puts", (given) => {
  const { cellBytes, puts } = given;
  const core = new BroadcastCore({
    write: generateCapability(),
    cellBytes,
    random: new SeededRandom(7),
    options: resolveBroadcastOptions({ window: 64 }),
  });
  core.handle({ kind: "start", unixMs: 0 }, 0);
  core.handle({ kind: "write", bytes: new Uint8Array(16 * cellBytes) }, 0);
  const kinds: string[] = [];
  for (const effect of effectsOf(core)) {
    kinds.push(effect.kind);
  }
  expect(kinds).toEqual([...Array<string>(puts).fill("put"), "turn"]);
});
