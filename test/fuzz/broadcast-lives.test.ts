import { describe, expect, it, vi } from "vitest";
import { StreamEngine } from "../../src/stream/duplex/engine.ts";
import { Broadcast, Subscription } from "../../src/stream/index.ts";
import { BroadcastLife } from "./broadcast-lives.ts";
import { brokenRule, plant, testLives } from "./lives.ts";

const begin = (seed: number) => new BroadcastLife(seed);

testLives(
  "readers get every byte and the end, or are told what is gone, whatever befalls them",
  begin,
);

describe("each of these defects is found", () => {
  it("a byte is another one", async () => {
    const { push } = Subscription.prototype;
    const bug = function (this: Subscription, chunk: Buffer | null): boolean {
      return push.call(this, chunk === null ? null : Buffer.from(chunk).fill(0x21, 0, 1));
    };
    plant(vi.spyOn(Subscription.prototype, "push").mockImplementation(bug));
    expect(await brokenRule(begin)).toBe("content");
  });

  it("all is said to be stored at once", async () => {
    plant(vi.spyOn(Broadcast.prototype, "sync").mockResolvedValue());
    expect(await brokenRule(begin)).toBe("early-acknowledgement");
  });

  it("a halt forgets what waits for a frame", async () => {
    const bug = async (): Promise<void> => {};
    plant(vi.spyOn(StreamEngine.prototype, "keep").mockImplementation(bug));
    expect(await brokenRule(begin)).toBe("loss");
  });
});
