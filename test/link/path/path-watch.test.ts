import { describe, expect, it } from "vitest";
import { LINK_LIMITS } from "../../../src/link/index.ts";
import { type PathAlarm, PathWatch } from "../../../src/link/path/path-watch.ts";

const { keepAliveMs, silenceMs } = LINK_LIMITS;

function watch(): PathWatch {
  const made = new PathWatch({ limits: LINK_LIMITS, isInitiator: true, now: 0 });
  made.found(0);
  return made;
}

/** Every alarm until then. */
function alarms(of: PathWatch, until: number): [PathAlarm, number][] {
  const all: [PathAlarm, number][] = [];
  for (let at = of.deadline(); at <= until; at = of.deadline()) {
    const alarm = of.timeout(at);
    if (alarm !== undefined) all.push([alarm, at]);
    if (alarm === "silence") break;
  }
  return all;
}

describe("a peer that owes an answer", () => {
  it("is late once, long before its path is dead", () => {
    const one = watch();
    one.sent(1_000);
    const lateAt = 1_000 + silenceMs / 4;
    expect(alarms(one, 60_000)).toEqual([
      ["late", lateAt],
      ["silence", 1_000 + silenceMs],
    ]);
    expect(one.owedSince).toBe(Number.POSITIVE_INFINITY);
  });

  it("is late again when it was heard, and has still not answered", () => {
    const one = watch();
    one.sent(0);
    expect(alarms(one, silenceMs / 2)).toEqual([["late", silenceMs / 4]]);
    one.heard(silenceMs / 2);
    expect(one.owedSince).toBe(silenceMs / 2);
    expect(alarms(one, silenceMs)).toEqual([["late", (silenceMs * 3) / 4]]);
  });

  it("is not late when it has answered", () => {
    const one = watch();
    one.sent(0);
    one.heard(100);
    one.answered();
    expect(alarms(one, keepAliveMs)).toEqual([]);
  });
});

describe("a peer that owes nothing", () => {
  it("is in doubt if it was not heard since another one was", () => {
    const one = watch();
    one.heard(5_000);
    expect([4_999, 5_000, 5_001].map((since) => one.isDoubtful(since, 8_000))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("is not in doubt without a path, or once it owes something", () => {
    const one = watch();
    one.sent(1_000);
    expect(one.isDoubtful(2_000, 4_000)).toBe(false);
    one.answered();
    expect(one.isDoubtful(2_000, 4_000)).toBe(true);
    one.lost(4_000);
    expect(one.isDoubtful(5_000, 6_000)).toBe(false);
  });

  it("is in doubt once in the time of a keep-alive", () => {
    const one = watch();
    one.doubted(1_000);
    one.heard(1_100);
    const at = 1_000 + keepAliveMs;
    expect([at - 1, at].map((now) => one.isDoubtful(now - 5_000, now))).toEqual([false, true]);
  });
});
