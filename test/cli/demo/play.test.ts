import { expect, test } from "vitest";
import { wordsOfReturn } from "../../../src/cli/demo/play.ts";

test("the demo says why a killed receiver goes on before the place where it was", () => {
  expect(wordsOfReturn(500, 500, 1000)).toBe("bob goes on at 50 %");
  expect(wordsOfReturn(500, 501, 1000)).toBe("bob goes on at 50 %");
  const words = "bob goes on at 40 %: the rest was not in his journal yet";
  expect(wordsOfReturn(500, 400, 1000)).toBe(words);
});
