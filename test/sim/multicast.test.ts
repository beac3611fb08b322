import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import type { SubscriptionOptions } from "../../src/stream/multicast/options.ts";
import type { PlannedWrite } from "../../src/testing/world/writer.ts";
import type { FollowerPlan } from "./multicast/follower.ts";
import {
  type MulticastPlan,
  type MulticastReport,
  runMulticast,
} from "./multicast/multicast-world.ts";

const CELL_BYTES = 200;
const HOUR_MS = 3_600_000;

/** Runs a plan; a broken rule fails with the plan, so that it can be run again. */
function run(plan: MulticastPlan): MulticastReport {
  const report = runMulticast(plan);
  if (report.violation !== undefined) {
    const told = JSON.stringify(plan).slice(0, 2_000);
    throw new Error(`${report.violation.message} in ${told}`, {
      cause: report.violation.cause,
    });
  }
  return report;
}

function seeds(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe("a broadcast in a bad world", () => {
  it.each(seeds(20))("reaches all readers at up to half of everything lost (seed %d)", (seed) => {
    const random = new SeededRandom(seed);
    const writes = seeds(1 + random.below(8)).map((i) => ({
      atMs: i * 2_000 * random.unit(),
      bytes: 1 + random.below(2_000),
    }));
    writes.sort((a, b) => a.atMs - b.atMs);
    const report = run({
      seed,
      cellBytes: CELL_BYTES,
      faults: { loss: 0.5 * random.unit(), rttMs: 10 + 500 * random.unit() },
      writes,
      ends: true,
      followers: [
        { atMs: 0, from: "next" },
        { atMs: 3_000, from: "next" },
        { atMs: 5_000, from: "oldest", takeMsMean: 100 },
        { atMs: 0, from: "next", closesAtMs: 4_000 },
      ],
      idle: { settleMs: HOUR_MS, watchMs: 10 * HOUR_MS },
      limitMs: 72 * HOUR_MS,
    });
    const outcomes = report.followers.map(({ outcome }) => outcome);
    expect(outcomes.slice(0, 3)).toEqual(["ended", "ended", "ended"]);
  });

  it.each(seeds(40))("survives crashes of everybody (seed %d)", (seed) => {
    const random = new SeededRandom(seed);
    const chance = 0.002 + 0.03 * random.unit() ** 2;
    const dice = random.fork(1);
    let left = 1 + random.below(6);
    const report = run({
      ...weather(seed, random),
      writes: drawWrites(random),
      ends: true,
      commitMsMax: random.unit() < 0.3 ? 0 : 100 * random.unit(),
      crashes: () => {
        if (left === 0 || dice.unit() >= chance) return undefined;
        left -= 1;
        return 120_000 * dice.unit() ** 3;
      },
      followers: [
        { atMs: 0, from: "next", kills: [{ atMs: 2_000, downMs: 5_000 * random.unit() }] },
        { atMs: 1_000, from: "next", takeMsMean: 50, ...drawKills(random) },
        { atMs: 60_000, from: "oldest", repairs: true, ...drawKills(random) },
      ],
      idle: { settleMs: 2 * HOUR_MS, watchMs: 10 * HOUR_MS },
    });
    for (const follower of report.followers) expect(follower.outcome).toBe("ended");
  });

  it("survives a crash of the writer at any point", () => {
    const plan: Omit<MulticastPlan, "crashes"> = {
      seed: 3,
      cellBytes: CELL_BYTES,
      faults: { rttMs: 100, loss: 0.2 },
      writes: [
        { atMs: 0, bytes: 700 },
        { atMs: 900, bytes: 900 },
      ],
      ends: true,
      commitMsMax: 20,
      followers: [
        { atMs: 0, from: "next", repairs: true },
        { atMs: 500, from: "next" },
      ],
    };
    const { points } = run(plan).writer;
    for (let at = 0; at < points; at += 1) {
      const report = run({ ...plan, crashes: (point) => (point === at ? 1_000 : undefined) });
      expect(report.followers.map(({ outcome }) => outcome)).toEqual(["ended", "ended"]);
    }
  });

  it.each(seeds(10))("mends what the Map forgets, by itself (seed %d)", (seed) => {
    const report = run({
      seed,
      cellBytes: CELL_BYTES,
      faults: { rttMs: 100, loss: 0.1, forget: 0.3 },
      writes: [{ atMs: 0, bytes: 20_000 }],
      ends: true,
      broadcast: { ttlSeconds: 7_200, retainSeconds: 20 * 3_600, refreshSeconds: 3_600 },
      followers: [{ atMs: HOUR_MS, from: "oldest", options: { gapLimitMs: 20 * HOUR_MS } }],
    });
    expect(report.followers[0]?.outcome).toBe("ended");
  });

  it.each(seeds(10))("mends what the Map forgets, for who asks (seed %d)", (seed) => {
    const report = run({
      seed,
      cellBytes: CELL_BYTES,
      faults: { rttMs: 100, loss: 0.1, forget: 0.2 },
      writes: [{ atMs: 0, bytes: 20_000 }],
      ends: true,
      broadcast: { ttlSeconds: 7_200, refreshSeconds: 0 },
      followers: [{ atMs: HOUR_MS, from: "oldest", repairs: true }],
      limitMs: 4 * HOUR_MS,
    });
    expect(report.followers[0]?.outcome).toBe("ended");
    expect(report.writer.repairs).toBeGreaterThan(0);
  });

  it.each(seeds(10))("passes over what is gone for a reader who may lag (seed %d)", (seed) => {
    const stall = { fromMs: 500_000, toMs: 2_500_000 };
    const report = run({
      seed,
      cellBytes: CELL_BYTES,
      faults: { rttMs: 100, loss: 0.1, ttlSecondsMax: 600 },
      writes: seeds(400).map((i) => ({ atMs: i * 10_000, bytes: 100 + (i % 90) })),
      ends: true,
      broadcast: { retainSeconds: 600 },
      followers: [
        { atMs: 0, from: "next" },
        { atMs: 0, from: "next", stall, mayLag: true, options: lagging(60_000) },
        { atMs: 2_000_000, from: "next" },
      ],
      limitMs: 72 * HOUR_MS,
    });
    expect(report.followers.map(({ outcome }) => outcome)).toEqual(["ended", "ended", "ended"]);
    expect(report.followers[1]?.skippedFrames).toBeGreaterThan(100);
  });

  it("spends its budget and no more on hostile readers", () => {
    const untilMs = 60_000;
    const plan: MulticastPlan = {
      seed: 5,
      cellBytes: CELL_BYTES,
      faults: { rttMs: 100, loss: 0.1 },
      writes: seeds(60).map((i) => ({ atMs: i * 1_000, bytes: 500 })),
      ends: true,
      followers: [{ atMs: 0, from: "next" }],
    };
    const calm = run(plan);
    const report = run({ ...plan, hecklers: { count: 8, everyMs: 100, untilMs } });
    expect(report.followers[0]?.outcome).toBe("ended");
    // Eight readers, 32 frames for each question, a question in ten seconds.
    expect(report.writer.repairs).toBeLessThanOrEqual(8 * 32 * (report.atMs / 10_000 + 1));
    expect(report.atMs).toBeLessThan(1.2 * calm.atMs);
  });
});

/** A reader who loses what it is too slow for. */
function lagging(gapLimitMs: number): Partial<SubscriptionOptions> {
  return { onLag: "skip", gapLimitMs, receiveFramesMax: 4 };
}

function weather(
  seed: number,
  random: SeededRandom,
): Pick<MulticastPlan, "seed" | "cellBytes" | "faults"> {
  const rttMs = 10 + 500 * random.unit();
  const faults = {
    rttMs,
    jitterMs: rttMs * random.unit() ** 2,
    loss: 0.3 * random.unit(),
    reorder: 0.3 * random.unit(),
    reorderMs: 3 * rttMs,
    duplicate: 0.1 * random.unit(),
    corrupt: 0.02 * random.unit(),
  };
  return { seed, cellBytes: CELL_BYTES, faults };
}

function drawWrites(random: SeededRandom): PlannedWrite[] {
  let atMs = 0;
  return seeds(1 + random.below(10)).map(() => {
    atMs += 2_000 * random.unit();
    return { atMs, bytes: 1 + random.below(1_500) };
  });
}

function drawKills(random: SeededRandom): Pick<FollowerPlan, "kills"> {
  const kills = seeds(random.below(3)).map((i) => ({
    atMs: i * 20_000 * random.unit(),
    downMs: 10_000 * random.unit(),
  }));
  return { kills };
}
