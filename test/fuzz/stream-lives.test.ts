import { describe, expect, it, vi } from "vitest";
import type { StreamProgress } from "../../src/stream/core/progress.ts";
import { StreamEngine } from "../../src/stream/duplex/engine.ts";
import { Stream } from "../../src/stream/index.ts";
import { brokenRule, plant, testLives } from "./lives.ts";
import { StreamLife } from "./stream-lives.ts";

const begin = (seed: number) => new StreamLife(seed);

testLives("streams bring every byte and their end, or say why not, whatever befalls them", begin);

describe("each of these defects is found", () => {
  it("an old backup is taken for what was kept", async () => {
    expect(await brokenRule((seed) => new StreamLife(seed, { isBlind: true }))).toBe(
      "frame-reused",
    );
  });

  it("a byte is another one", async () => {
    const { push } = Stream.prototype;
    const bug = function (this: Stream, chunk: Buffer | null): boolean {
      return push.call(this, chunk === null ? null : Buffer.from(chunk).fill(0x21, 0, 1));
    };
    plant(vi.spyOn(Stream.prototype, "push").mockImplementation(bug));
    expect(await brokenRule(begin)).toBe("content");
  });

  it("all is said to be acknowledged at once", async () => {
    plant(vi.spyOn(Stream.prototype, "sync").mockResolvedValue());
    expect(await brokenRule(begin)).toBe("early-acknowledgement");
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
    expect(await brokenRule(begin)).toBe("figures");
  });

  it("a halt forgets what waits for a frame", async () => {
    const bug = async (): Promise<void> => {};
    plant(vi.spyOn(StreamEngine.prototype, "keep").mockImplementation(bug));
    expect(await brokenRule(begin)).toBe("loss");
  });
});
