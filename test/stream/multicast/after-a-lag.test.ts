import { expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { WriteCapability } from "../../../src/crypto/index.ts";
import { sealFrame } from "../../../src/stream/frame/cell.ts";
import { type FrameType, NO_ACKNOWLEDGEMENT, NO_MARK } from "../../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, keysFrom } from "../../../src/stream/frame/frame-keys.ts";
import { resolveSubscriptionOptions } from "../../../src/stream/multicast/options.ts";
import { SubscriptionCore } from "../../../src/stream/multicast/subscription-core.ts";
import { effectsOf } from "../../effects-of.ts";

const CELL_BYTES = 200;

it("asks for nothing more when what it finds behind a gap ends the subscription", () => {
  const random = new SeededRandom(1);
  const writer = WriteCapability.generate(random);
  const keys = keysFrom(writer.chain, DATA_CONTEXT);
  const cellOf = (index: number, type: FrameType): [string, Uint8Array] => {
    const content = { payload: new Uint8Array(3), acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
    const frame = { type, previous: NO_MARK, ...content };
    const sealed = sealFrame(frame, { keys: keys.at(index), cellBytes: CELL_BYTES, random });
    return [toHex(sealed.subarray(0, 32)), sealed.slice(32)];
  };
  const map = new Map([cellOf(0, "data"), cellOf(2, "reset")]);
  const core = new SubscriptionCore({
    read: writer.readCapability(),
    repair: undefined,
    cellBytes: CELL_BYTES,
    random,
    options: resolveSubscriptionOptions({ onLag: "skip", gapLimitMs: 1_000, receiveFramesMax: 4 }),
  });

  let now = 0;
  const told: string[] = [];
  core.handle({ kind: "start", unixMs: 0 }, now);
  while (core.deadline() < Number.POSITIVE_INFINITY && now < 600_000) {
    for (const effect of effectsOf(core)) {
      told.push(effect.kind);
      if (effect.kind === "turn") core.handle(effect, now);
      if (effect.kind === "deliver") core.handle({ kind: "taken", offset: effect.offset + 3 }, now);
      if (effect.kind !== "get") continue;
      const { request, frameId } = effect;
      const cell = map.get(toHex(frameId));
      // The others wait at the Map.
      if (cell !== undefined) core.handle({ kind: "got", request, cell: cell.slice() }, now);
    }
    now = Math.max(now + 1, Math.min(core.deadline(), now + 60_000));
    core.timeout(now);
  }
  for (const effect of effectsOf(core)) {
    told.push(effect.kind);
  }
  expect(told).toContain("warning");
  expect(told.at(-1)).toBe("fail");
});
