import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom } from "../../../src/base/index.ts";
import { encodeFrame } from "../../../src/link/relay/frames.ts";
import { RelayStage } from "./relay-stage.ts";

const random = new SeededRandom(5);

describe("a quota that is used up by what a caller has sent ahead", () => {
  it("lets nothing pass of what comes behind", () => {
    const [stage, holder] = [new RelayStage({ quotaBytes: 1_000 }), random.bytes(32)];
    stage.reserve(holder);
    const calling = stage.open(random.bytes(32));
    stage.say(calling, { kind: "connect", target: holder });
    stage.send(calling, new Uint8Array(1_001));
    const called = stage.lastCall();
    stage.send(called, concatBytes(encodeFrame({ kind: "connected" }), new Uint8Array(50)));
    expect([calling.end, called.end]).toEqual(["reset", "reset"]);
    expect(stage.core.statistics).toMatchObject({ circuits: 0, passedBytes: 1_001 });
  });
});
