import { expect, test } from "vitest";
import {
  crashes,
  runWorld,
  type Scenario,
  shareDerivations,
  streamSubjects,
  sweepCrashPoints,
  type WorldReport,
  writeAtOnce,
} from "../../src/testing/world/index.ts";

shareDerivations();

const durable = streamSubjects({ cellBytes: 256, options: { durable: true } });
const HOUR_MS = 3_600_000;

function run(scenario: Scenario): WorldReport {
  return runWorld({ ...scenario, create: durable });
}

function seeds(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

test.each([
  { name: "one way", bytesOfB: 0, downMs: 3_000 },
  { name: "both ways", bytesOfB: 700, downMs: 40_000 },
])("a crash at any point of a small transfer, $name, costs nothing", ({ bytesOfB, downMs }) => {
  const plan = {
    seed: 5,
    create: durable,
    faults: { rttMs: 300, loss: 0.1 },
    a: { writer: writeAtOnce(900) },
    b: { writer: writeAtOnce(bytesOfB) },
    commitMsMax: 40,
    limitMs: 12 * HOUR_MS,
  };
  const { points, broken } = sweepCrashPoints(plan, { downMs });
  expect(broken).toEqual([]);
  expect(Math.min(points.a, points.b)).toBeGreaterThan(50);
});

test("crashes at random points, slow disks, slow readers and a bad network cost nothing", () => {
  const reports = seeds(1, 60).map((seed) => run(crashes(seed)));
  const broken = reports.filter(({ violation }) => violation !== undefined);
  expect(broken).toEqual([]);
  const crashed = reports.reduce((sum, { a, b }) => sum + a.crashes + b.crashes, 0);
  expect(crashed).toBeGreaterThan(60);
});

test("a hole that its writer left when it crashed is not asked for in a tight loop", () => {
  for (const seed of [23, 67, 89]) {
    const report = run({ ...crashes(seed), limitEvents: 60_000 });
    expect(report.violation).toBeUndefined();
  }
});
