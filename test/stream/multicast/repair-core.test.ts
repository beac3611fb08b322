import { expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { type Chain, deriveDirection, rootPublicKey } from "../../../src/crypto/index.ts";
import { sealFrame } from "../../../src/stream/frame/cell.ts";
import { emptySelective, NO_MARK } from "../../../src/stream/frame/frame.ts";
import { ACK_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import { resolveBroadcastOptions } from "../../../src/stream/multicast/options.ts";
import { RepairCore } from "../../../src/stream/multicast/repair-core.ts";
import { effectsOf } from "../../effects-of.ts";

const CELL_BYTES = 200;
const QUESTIONS = 600;
const PERIODS = 10;

/** Questions, the `number`-th of which asks for frame `number`, by their frame ids. */
function questions(first: Chain, random: SeededRandom): Map<string, Uint8Array> {
  const cells = new Map<string, Uint8Array>();
  for (let [number, at] = [0, first]; number < QUESTIONS; number++, at = at.next()) {
    const keys = { frameId: at.frameId(ACK_CONTEXT), key: at.frameKey(ACK_CONTEXT) };
    const acknowledgement = { next: number, credit: 1, selective: emptySelective() };
    const content = { acknowledgement, flags: 0, previous: NO_MARK, payload: new Uint8Array(0) };
    const cell = sealFrame({ type: "ack", ...content }, { keys, cellBytes: CELL_BYTES, random });
    cells.set(toHex(keys.frameId), cell.slice(32));
  }
  return cells;
}

it("of a reader that asks all the time so many questions are read, and one is told", () => {
  const random = new SeededRandom(1);
  const { seed, chain } = deriveDirection(random.bytes(32), "listener");
  const map = questions(chain, random);
  const options = resolveBroadcastOptions({});
  const position = { root: rootPublicKey(seed), next: 0, chain: chain.toBytes() };
  const core = new RepairCore({ position, cellBytes: CELL_BYTES, random, options });

  let now = 0;
  let read = 0;
  const told: number[] = [];
  core.handle({ kind: "start", unixMs: 0 }, now);
  while (now < PERIODS * options.repairEveryMs) {
    for (const effect of effectsOf(core)) {
      if (effect.kind === "asked") told.push(effect.wanted.next);
      if (effect.kind === "turn") core.handle({ kind: "turn" }, now);
      if (effect.kind !== "get") continue;
      const { request } = effect;
      const cell = map.get(toHex(effect.frameId));
      if (cell === undefined)
        core.handle({ kind: "failed", request, code: "CULVERT_NOT_FOUND" }, now);
      else {
        core.handle({ kind: "got", request, cell }, now);
        read += 1;
      }
    }
    now = Math.max(now + 1, core.deadline());
    core.timeout(now);
  }
  // The first one is told at once. Eight of each period, and the gets that wait behind them.
  expect(told).toHaveLength(PERIODS);
  expect(told.every((number, at) => number > (told[at - 1] ?? -1))).toBe(true);
  expect(read).toBeGreaterThan(8 * PERIODS);
  expect(read).toBeLessThanOrEqual((8 + 4) * PERIODS);
});
