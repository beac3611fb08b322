import { describe, expect, it } from "vitest";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import { Outcome } from "../../../src/stream/exchange/outcome.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

function outcomeOf() {
  const fixture = exchangeFixture();
  const { exchange, effects } = fixture;
  const commits = new CommitQueue(effects, false, () => new Uint8Array(1));
  const outcome = new Outcome({ exchange, effects, commits, isOver: false });
  const warnings = (): number => effects.filter(({ kind }) => kind === "warning").length;
  return { ...fixture, outcome, warnings };
}

describe("how a core fares", () => {
  it("is told once, but that a Map is out of reach again once it was reached", () => {
    const { outcome, warnings } = outcomeOf();
    const setbacks = (): number => {
      outcome.setback("CULVERT_UNREACHABLE");
      outcome.setback("CULVERT_BUSY");
      return warnings();
    };
    expect([setbacks(), setbacks()]).toEqual([2, 2]);
    outcome.reached();
    expect(setbacks()).toBe(3);
  });

  it("ends with nothing under way, by an error or well", () => {
    for (const isWell of [true, false]) {
      const { outcome, asked, put, effects } = outcomeOf();
      put(0, 0);
      if (isWell) outcome.finish(10);
      else outcome.fail("CULVERT_PROTOCOL", "a word");
      expect([asked("cancel").length, effects.at(-1)?.kind]).toEqual([1, isWell ? "done" : "fail"]);
    }
  });
});
