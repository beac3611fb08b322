import { expect, test } from "vitest";
import { isInForeground } from "../../../src/cli/terminal/foreground.ts";

const stat = (group: number, terminal: number): string =>
  `71 (a) 1 (b) S 70 ${group} 70 34816 ${terminal} 4194304 1 2`;

test.each([
  ["a job that has the terminal", () => stat(71, 71), true],
  ["one that another has it from", () => stat(71, 80), false],
  ["a process without a terminal", () => stat(71, -1), true],
  ["a line of another form", () => "", true],
])("who may write in place: %s", (_who, readStat, may) => {
  expect(isInForeground(readStat)).toBe(may);
});

test("where nothing tells of it, everyone", () => {
  const nowhere = (): string => {
    throw new Error("ENOENT");
  };
  expect(isInForeground(nowhere)).toBe(true);
});
