import { describe, expect, it } from "vitest";
import { type NodeAddress, parseNodeAddress } from "../../../src/identity/index.ts";
import {
  type DialBackVerdict,
  ReachabilityCore,
  type ReachabilityEffect,
} from "../../../src/node/reach/reachability-core.ts";
import { effectsOf } from "../../effects-of.ts";

const UDP = parseNodeAddress("udp://192.0.2.1:7000");
const TCP = parseNodeAddress("tcp://192.0.2.1:7000");

const UNASKED = {
  kind: "answers",
  candidates: [UDP],
  isExpected: false,
  verdicts: [["missed"]],
} as const;

/** A core, and what it said last. */
class Stage {
  readonly core = new ReachabilityCore();
  now = 0;

  /** What follows from asking once more, and these answers, each for UDP and TCP. */
  round(
    verdicts: readonly (readonly DialBackVerdict[])[],
    candidates: readonly NodeAddress[] = [UDP, TCP],
    isExpected = false,
  ): ReachabilityEffect[] {
    expect(this.drain()).toEqual([{ kind: "ask" }]);
    this.core.handle({ kind: "answers", candidates, isExpected, verdicts }, this.now);
    return this.drain();
  }

  /** Lets the pause pass, and tells how long it was. */
  pause(): number {
    const pauseMs = this.core.deadline() - this.now;
    this.now += pauseMs;
    this.core.timeout(this.now - 1);
    expect(this.core.poll()).toBeUndefined();
    this.core.timeout(this.now);
    return pauseMs;
  }

  look(): this {
    this.core.handle({ kind: "look" }, this.now);
    return this;
  }

  drain(): ReachabilityEffect[] {
    return [...effectsOf(this.core)];
  }
}

describe("finding out whether others reach a node", () => {
  it("believes what most say, of each address by itself", () => {
    const stage = new Stage().look();
    const said = stage.round([
      ["met", "missed"],
      ["met", "missed"],
      ["missed", "met"],
    ]);
    expect(said).toEqual([{ kind: "reached", addresses: [UDP] }]);
  });

  it("takes a tie, and what nobody has tried, for missed", () => {
    const stage = new Stage().look();
    expect(stage.round([["met", "untried"]])).toEqual([{ kind: "reached", addresses: [UDP] }]);
    stage.pause();
    expect(
      stage.round([
        ["met", "met"],
        ["missed", "met"],
      ]),
    ).toEqual([{ kind: "reached", addresses: [TCP] }]);
  });

  it("looks a second time before it believes that nobody gets through", () => {
    const stage = new Stage().look();
    expect(stage.round([["missed", "missed"]])).toEqual([]);
    expect(stage.pause()).toBe(5_000);
    expect(stage.round([["missed", "missed"]])).toEqual([{ kind: "unreached" }]);
    expect(stage.pause()).toBe(10_000);
    expect(stage.round([["missed", "missed"]])).toEqual([]);
  });

  it("looks five times where others should get through: they may be busy", () => {
    const stage = new Stage().look();
    const pauses = [1, 2, 3, 4].map(() => {
      expect(stage.round([["missed", "missed"]], [UDP, TCP], true)).toEqual([]);
      return stage.pause();
    });
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(stage.round([["missed", "missed"]], [UDP, TCP], true)).toEqual([{ kind: "unreached" }]);
    expect(stage.pause()).toBe(80_000);
    expect(stage.round([["met", "missed"]])).toEqual([{ kind: "reached", addresses: [UDP] }]);
    expect(stage.pause()).toBe(600_000);
  });

  it("forgets one miss after one that got through", () => {
    const stage = new Stage().look();
    for (let i = 0; i < 3; i++) {
      expect(stage.round([["missed", "missed"]])).toEqual([]);
      stage.pause();
      const said = stage.round([["met", "met"]]);
      expect(said).toEqual(i === 0 ? [{ kind: "reached", addresses: [UDP, TCP] }] : []);
      stage.pause();
    }
  });

  it("knows nothing while nobody answers, and asks more and more seldom", () => {
    const stage = new Stage().look();
    const pauses = [[], [["untried", "untried"]], [], [], [], [], [], []].map((verdicts) => {
      expect(stage.round(verdicts as DialBackVerdict[][])).toEqual([]);
      return stage.pause();
    });
    expect(pauses).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  });

  it("is not reached where nobody has seen it at a public address", () => {
    const stage = new Stage().look();
    expect(stage.round([[]], [])).toEqual([]);
    stage.pause();
    expect(stage.round([[]], [])).toEqual([{ kind: "unreached" }]);
  });

  it("asks once at a time, and hears no answer that it did not ask for", () => {
    const stage = new Stage().look();
    expect(stage.round([["met", "met"]])).toHaveLength(1);
    stage.core.handle(UNASKED, stage.now);
    expect(stage.core.deadline()).toBe(600_000);
    expect(stage.drain()).toEqual([]);
  });

  it("begins anew when something has changed, without the answers to what was asked before", () => {
    const stage = new Stage().look();
    expect(stage.round([["met", "met"]])).toEqual([{ kind: "reached", addresses: [UDP, TCP] }]);
    stage.look();
    expect(stage.round([["met", "met"]]), "told again").toHaveLength(1);
    stage.pause();
    expect(stage.drain()).toEqual([{ kind: "ask" }]);
    stage.look();
    const old = { kind: "answers", candidates: [UDP], isExpected: false } as const;
    stage.core.handle({ ...old, verdicts: [["met"]] }, stage.now);
    expect(stage.round([["met", "missed"]])).toEqual([{ kind: "reached", addresses: [UDP] }]);
  });
});
