import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { WriteCapability } from "../../../src/crypto/index.ts";
import { CELL_BYTES_MAX } from "../../../src/stream/frame/frame.ts";
import {
  decodeSubscriptionState,
  decodeWholeSubscription,
  encodeSubscriptionState,
  encodeWholeSubscription,
  type RepairState,
  type SubscriptionState,
} from "../../../src/stream/multicast/subscription-state.ts";

const refused = expect.objectContaining({ code: "CULVERT_BAD_STATE" });
const random = new SeededRandom(1);
const WRITE = WriteCapability.generate(random);
const CHAIN = WRITE.chain.toBytes();

const REPAIR: RepairState = {
  seed: random.bytes(32),
  next: 7,
  stored: 4,
  pending: [5, 6],
  chain: CHAIN,
};

const STATE: SubscriptionState = {
  cellBytes: 1_900,
  root: WRITE.root,
  position: { next: 4, nextOffset: 100, takenOffset: 150, mark: 99 },
  chain: CHAIN,
  isWhole: true,
  skippedFrames: 2,
  repair: REPAIR,
  isDone: false,
};

const withRepair = (changes: object): Uint8Array =>
  encodeSubscriptionState({ ...STATE, repair: { ...REPAIR, ...changes } });

describe("the state of a subscription", () => {
  it("is read as it was written", () => {
    for (const state of [STATE, { ...STATE, repair: undefined }]) {
      expect(decodeSubscriptionState(encodeSubscriptionState(state))).toEqual(state);
    }
  });

  it.each([
    ["a fraction", [4.5]],
    ["text", ["5"]],
    ["a number that was never used", [7]],
    ["a number below nought", [-1]],
    ["more than can be", Array.from({ length: 65 }, () => 1)],
  ])("is refused where a question that waits is %s", (_, pending) => {
    expect(() => decodeSubscriptionState(withRepair({ pending }))).toThrow(refused);
  });

  it("is refused where more questions are stored than were asked", () => {
    expect(() => decodeSubscriptionState(withRepair({ stored: 7 }))).toThrow(refused);
  });

  it("is refused where more was taken than one frame has, or less than those before it", () => {
    for (const takenOffset of [99, 100 + CELL_BYTES_MAX + 1]) {
      const position = { ...STATE.position, takenOffset };
      const bytes = encodeSubscriptionState({ ...STATE, position });
      expect(() => decodeSubscriptionState(bytes)).toThrow(refused);
    }
  });

  it("repeats of its questions those that lie beside it", () => {
    const frames = new Map([["a6", random.bytes(40)]]);
    const whole = decodeWholeSubscription(encodeWholeSubscription({ state: STATE, frames }));
    expect(whole).toEqual({ state: { ...STATE, repair: { ...REPAIR, pending: [6] } }, frames });
  });
});
