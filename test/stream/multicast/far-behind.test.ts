import { afterEach, expect, it, vi } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import {
  Chain,
  deriveDirection,
  ReadCapability,
  rootPublicKey,
} from "../../../src/crypto/index.ts";
import { sealFrame } from "../../../src/stream/frame/cell.ts";
import { NO_ACKNOWLEDGEMENT, NO_MARK } from "../../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, type FrameKey } from "../../../src/stream/frame/frame-keys.ts";
import { resolveSubscriptionOptions } from "../../../src/stream/multicast/options.ts";
import { SubscriptionCore } from "../../../src/stream/multicast/subscription-core.ts";
import { effectsOf } from "../../effects-of.ts";

afterEach(() => vi.restoreAllMocks());

const CELL_BYTES = 200;
const FAR = 5_000;
/** Frames from there on that are in the Map: a reader feels its way in steps of an eighth. */
const FRAMES = FAR / 8;

it("a reader that is far behind derives the way once, little at once, and keeps none of it", () => {
  const random = new SeededRandom(1);
  const { seed, chain } = deriveDirection(random.bytes(32), "listener");
  const map = new Map<string, FrameKey>();
  let there = chain;
  for (let i = 0; i < FAR + FRAMES; i++, there = there.next()) {
    const keys = { frameId: there.frameId(DATA_CONTEXT), key: there.frameKey(DATA_CONTEXT) };
    if (i >= FAR) map.set(toHex(keys.frameId), keys);
  }
  const payload = new Uint8Array(3).fill(7);
  const content = { acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0, payload };
  const frame = { type: "data", previous: NO_MARK, ...content } as const;
  const core = new SubscriptionCore({
    read: ReadCapability.of(rootPublicKey(seed), chain),
    repair: undefined,
    cellBytes: CELL_BYTES,
    random,
    options: resolveSubscriptionOptions({ onLag: "skip", gapLimitMs: 30_000 }),
  });

  const next = vi.spyOn(Chain.prototype, "next");
  const wipe = vi.spyOn(Chain.prototype, "wipe");
  const steps: number[] = [];
  const told: unknown[] = [];
  const step = (work: () => void): void => {
    const before = next.mock.calls.length;
    work();
    steps.push(next.mock.calls.length - before);
  };
  let now = 0;
  step(() => core.handle({ kind: "start", unixMs: 0 }, now));
  while (told.length < 2 && now < 7_200_000) {
    for (const effect of effectsOf(core)) {
      const asked = effect;
      if (asked.kind === "turn") step(() => core.handle(asked, now));
      if (asked.kind === "warning" || asked.kind === "deliver") told.push(asked);
      if (asked.kind !== "get") continue;
      const { request } = asked;
      const keys = map.get(toHex(asked.frameId));
      const cell = keys && sealFrame(frame, { keys, cellBytes: CELL_BYTES, random }).slice(32);
      step(() => {
        if (cell !== undefined) core.handle({ kind: "got", request, cell }, now);
        else core.handle({ kind: "failed", request, code: "CULVERT_NOT_FOUND" }, now);
      });
    }
    now = Math.max(now + 1, Math.min(core.deadline(), now + 60_000));
    step(() => core.timeout(now));
  }
  expect(told).toMatchObject([
    { kind: "warning", code: "CULVERT_LAGGED", detail: { frames: FAR } },
    { kind: "deliver", bytes: payload },
  ]);
  expect(Math.max(...steps)).toBeLessThanOrEqual(512 + 64);
  // Nothing was taken, so that the reader has its own: this is what its lookout had found.
  const wiped = wipe.mock.contexts.map((state) => state instanceof Chain && state.index);
  expect(wiped.filter((index) => index === chain.index + BigInt(FAR))).toHaveLength(1);
});
