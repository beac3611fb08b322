import { describe, expect, it, type MockInstance, onTestFinished, vi } from "vitest";
import type { StreamProgress } from "../../src/stream/core/progress.ts";
import { StreamEngine } from "../../src/stream/duplex/engine.ts";
import { Stream } from "../../src/stream/index.ts";
import type { Rule } from "../../src/testing/world/index.ts";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { seedMachine } from "./seed-machine.ts";
import { type LifeReport, StreamLife } from "./stream-lives.ts";

it(
  "streams bring every byte and their end, or say why not, whatever befalls them",
  async () => {
    const seedWith = seedMachine();
    for (const seed of lifeSeeds(1_000)) {
      seedWith(seed);
      const life = new StreamLife(seed);
      const told = tellLife(seed, life.plan);
      const { violation } = await life.run();
      expect(violation, told).toBeUndefined();
    }
  },
  LIVES_MS,
);

it("the same seed is the same life", async () => {
  const seedWith = seedMachine();
  const live = async (seed: number): Promise<LifeReport> => {
    seedWith(seed);
    return await new StreamLife(seed).run();
  };
  const [one, again, other] = [await live(1), await live(1), await live(2)];
  expect(again).toEqual(one);
  expect(other.traceHash).not.toBe(one.traceHash);
});

describe("each of these defects is found", () => {
  /** What is wrong first in one of some lives. */
  const found = async (isBlind = false): Promise<Rule | undefined> => {
    const seedWith = seedMachine();
    for (let seed = 1; seed <= 20; seed++) {
      seedWith(seed);
      const { violation } = await new StreamLife(seed, { isBlind }).run();
      if (violation !== undefined && violation.rule !== "failure") return violation.rule;
    }
    return undefined;
  };
  const plant = (mock: MockInstance): void => void onTestFinished(() => mock.mockRestore());

  it("an old backup is taken for what was kept", async () => {
    expect(await found(true)).toBe("frame-reused");
  });

  it("a byte is another one", async () => {
    const { push } = Stream.prototype;
    const bug = function (this: Stream, chunk: Buffer | null): boolean {
      return push.call(this, chunk === null ? null : Buffer.from(chunk).fill(0x21, 0, 1));
    };
    plant(vi.spyOn(Stream.prototype, "push").mockImplementation(bug));
    expect(await found()).toBe("content");
  });

  it("all is said to be acknowledged at once", async () => {
    plant(vi.spyOn(Stream.prototype, "sync").mockResolvedValue());
    expect(await found()).toBe("early-acknowledgement");
  });

  it("what was said to be stored is taken back", async () => {
    const { progress } = Stream.prototype;
    let looks = 0;
    const bug = function (this: Stream): StreamProgress {
      looks += 1;
      const told = progress.call(this);
      return looks % 2 === 0 ? { ...told, storedBytes: told.acknowledgedBytes } : told;
    };
    plant(vi.spyOn(Stream.prototype, "progress").mockImplementation(bug));
    expect(await found()).toBe("figures");
  });

  it("a halt forgets what waits for a frame", async () => {
    const bug = async (): Promise<void> => {};
    plant(vi.spyOn(StreamEngine.prototype, "keep").mockImplementation(bug));
    expect(await found()).toBe("loss");
  });
});
