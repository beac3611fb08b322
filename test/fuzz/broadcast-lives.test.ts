import { describe, expect, it, type MockInstance, onTestFinished, vi } from "vitest";
import { StreamEngine } from "../../src/stream/duplex/engine.ts";
import { Broadcast, Subscription } from "../../src/stream/index.ts";
import type { Rule } from "../../src/testing/world/index.ts";
import { BroadcastLife } from "./broadcast-lives.ts";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { seedMachine } from "./seed-machine.ts";

it(
  "readers get every byte and the end, or are told what is gone, whatever befalls them",
  async () => {
    const seedWith = seedMachine();
    for (const seed of lifeSeeds(1_000)) {
      seedWith(seed);
      const life = new BroadcastLife(seed);
      const told = tellLife(seed, life.plan);
      const { violation } = await life.run();
      expect(violation, told).toBeUndefined();
    }
  },
  LIVES_MS,
);

it("the same seed is the same life", async () => {
  const seedWith = seedMachine();
  const live = async (seed: number) => {
    seedWith(seed);
    return await new BroadcastLife(seed).run();
  };
  const [one, again, other] = [await live(1), await live(1), await live(2)];
  expect(again).toEqual(one);
  expect(other.traceHash).not.toBe(one.traceHash);
});

describe("each of these defects is found", () => {
  /** What is wrong first in one of some lives. */
  const found = async (): Promise<Rule | undefined> => {
    const seedWith = seedMachine();
    for (let seed = 1; seed <= 20; seed++) {
      seedWith(seed);
      const { violation } = await new BroadcastLife(seed).run();
      if (violation !== undefined && violation.rule !== "failure") return violation.rule;
    }
    return undefined;
  };
  const plant = (mock: MockInstance): void => void onTestFinished(() => mock.mockRestore());

  it("a byte is another one", async () => {
    const { push } = Subscription.prototype;
    const bug = function (this: Subscription, chunk: Buffer | null): boolean {
      return push.call(this, chunk === null ? null : Buffer.from(chunk).fill(0x21, 0, 1));
    };
    plant(vi.spyOn(Subscription.prototype, "push").mockImplementation(bug));
    expect(await found()).toBe("content");
  });

  it("all is said to be stored at once", async () => {
    plant(vi.spyOn(Broadcast.prototype, "sync").mockResolvedValue());
    expect(await found()).toBe("early-acknowledgement");
  });

  it("a halt forgets what waits for a frame", async () => {
    const bug = async (): Promise<void> => {};
    plant(vi.spyOn(StreamEngine.prototype, "keep").mockImplementation(bug));
    expect(await found()).toBe("loss");
  });
});
