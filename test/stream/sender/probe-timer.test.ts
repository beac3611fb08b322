import { describe, expect, it } from "vitest";
import { ackDelayMs } from "../../../src/stream/acks/ack-delay.ts";
import { ProbeTimer } from "../../../src/stream/sender/probe-timer.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

const NEVER = Number.POSITIVE_INFINITY;

function timerOf(given: Parameters<typeof exchangeFixture>[0] = {}) {
  const { exchange, options } = exchangeFixture(given);
  return { probe: new ProbeTimer(options, exchange), exchange, options };
}

describe("a probe timer", () => {
  it("is not armed at first, and nothing expires then", () => {
    const { probe } = timerOf();
    expect([probe.isArmed, probe.deadline, probe.expire(1e12)]).toEqual([false, NEVER, false]);
  });

  it("waits for four round trips and two delayed acks, and expires once", () => {
    const { probe } = timerOf();
    probe.arm(1_000);
    // 4 × 3,000 for the guess of a round trip, 2 × 750 for the delay that follows from it.
    expect(probe.deadline).toBe(1_000 + 12_000 + 1_500);
    expect(probe.expire(14_499)).toBe(false);
    expect([probe.expire(14_500), probe.isArmed, probe.expire(99_999)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("asks at doubling gaps up to a day, and at short ones once the reader advances", () => {
    const { probe } = timerOf();
    const gaps: number[] = [];
    for (let i = 0; i < 40; i++) {
      probe.arm(0);
      gaps.push(probe.deadline);
      probe.expire(probe.deadline);
    }
    expect(gaps.slice(0, 4)).toEqual([13_500, 27_000, 54_000, 108_000]);
    expect(gaps.at(-1)).toBe(24 * 3_600_000);
    probe.sealed(7);
    probe.arrived([7], 6, 50);
    expect([probe.deadline, probe.unread]).toEqual([NEVER, 1]);
    // Nor is one that comes alone; one before the last was lost, and so may others be.
    probe.sealed(8);
    probe.arrived([8], 6, 50);
    expect(probe.deadline).toBe(NEVER);
    probe.arrived([7], 6, 40);
    expect(probe.deadline).toBe(13_540);
    probe.arrived([6, 7, 8], 9, 50);
    expect(probe.unread).toBe(0);
    expect(probe.deadline).toBe(13_550);
    probe.disarm();
    expect(probe.isArmed).toBe(false);
  });

  it("awaits an answer from what is sent until the reader is heard", () => {
    const { probe } = timerOf();
    expect(probe.isAsking).toBe(false);
    probe.arm(0);
    expect(probe.isAsking).toBe(true);
    probe.heard(40);
    probe.arrived([4], 5, 50);
    expect([probe.isAsking, probe.isArmed]).toEqual([false, true]);
    probe.arm(100);
    expect(probe.isAsking).toBe(true);
  });

  it("asks soon again when a reader that was away is back, and not when one answers each", () => {
    const { probe } = timerOf();
    const askInVain = (): void => {
      probe.arm(0);
      probe.expire(probe.deadline);
    };
    for (let i = 0; i < 3; i++) {
      askInVain();
      probe.heard(0);
    }
    probe.arm(0);
    expect(probe.deadline).toBe(8 * 13_500);
    for (let i = 0; i < 2; i++) askInVain();
    probe.arm(0);
    probe.heard(100);
    expect(probe.deadline).toBe(100 + 13_500);
  });

  it("counts the probes since the reader was heard", () => {
    const { probe } = timerOf();
    for (let count = 1; count < 4; count++) {
      probe.arm(0);
      probe.expire(probe.deadline);
      expect(probe.unanswered).toBe(count);
    }
    probe.heard(0);
    expect(probe.unanswered).toBe(0);
  });

  it("knows the probes of earlier sessions, as many as may lie beyond a limit", () => {
    const { exchange, options } = exchangeFixture();
    const probe = new ProbeTimer(options, exchange, [3, 5]);
    probe.sealed(6);
    expect([probe.unread, probe.save()]).toEqual([3, [3, 5, 6]]);
    probe.arrived([3], 5, 0);
    expect([probe.unread, probe.save()]).toEqual([2, [5, 6]]);
    for (let index = 7; index < 200; index++) probe.sealed(index);
    expect([probe.unread, probe.save().length, probe.save().at(-1)]).toEqual([128, 128, 199]);
  });

  it("waits longer where requests are rationed", () => {
    const { probe } = timerOf({ paceMeanMs: 100 });
    probe.arm(0);
    expect(probe.deadline).toBe(12_000 + 2 * 750 + 2 * 8 * 100);
  });
});

describe("the delay of an acknowledgement", () => {
  it("is a quarter of a round trip, within bounds", () => {
    const { exchange, options } = timerOf();
    expect(ackDelayMs(options, exchange)).toBe(750);
    exchange.rto.sample(400);
    expect(ackDelayMs(options, exchange)).toBe(100);
    exchange.rto.reset();
    exchange.rto.sample(8);
    expect(ackDelayMs(options, exchange)).toBe(40);
    exchange.rto.reset();
    exchange.rto.sample(9_000);
    expect(ackDelayMs(options, exchange)).toBe(1_000);
  });

  it("is four gaps where requests are rationed", () => {
    const { exchange, options } = timerOf({ paceMeanMs: 700 });
    expect(ackDelayMs(options, exchange)).toBe(2_800);
  });
});
