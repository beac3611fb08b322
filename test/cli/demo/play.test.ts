import { expect, test } from "vitest";
import type { Context } from "../../../src/cli/context.ts";
import { wordsOfReturn } from "../../../src/cli/demo/play.ts";
import { Stage } from "../../../src/cli/demo/stage.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { FakeScreen, outputOn } from "../screen.ts";

test("nobody enters a stage that was cleared, to play on behind what was stopped", async () => {
  const output = outputOn(new FakeScreen(false), false);
  const self = [process.execPath, "-e", "setInterval(() => {}, 1000);", "--"];
  const context = { output, clock: systemClock, env: process.env, self } as unknown as Context;
  const stage = new Stage(context, "/nowhere");
  const first = stage.start("first", []);
  await stage.clear();
  expect(await first.ended).toBe("SIGKILL");
  expect(() => stage.start("second", [])).toThrow(
    expect.objectContaining({ code: "CULVERT_CLOSED" }),
  );
});

test("the demo says why a killed receiver goes on before the place where it was", () => {
  expect(wordsOfReturn(500, 500, 1000)).toBe("bob goes on at 50 %");
  expect(wordsOfReturn(500, 501, 1000)).toBe("bob goes on at 50 %");
  const words = "bob goes on at 40 %: the rest was not in his journal yet";
  expect(wordsOfReturn(500, 400, 1000)).toBe(words);
});
