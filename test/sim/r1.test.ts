import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { payloadBytesMax } from "../../src/stream/frame/frame.ts";
import {
  quantile,
  R1,
  type R1Result,
  runR1,
  runR1Limit,
  shareDerivations,
  streamSubjects,
} from "../../src/testing/world/index.ts";
import { ROOT } from "../tidy/source.ts";

shareDerivations();

const frameBytes = payloadBytesMax(R1.cellBytes);

function r1(run: { loss: number; seed: number; frames: number; paced: boolean }): R1Result {
  const options = { window: R1.window, paceMeanMs: run.paced ? R1.paceMeanMs : 0 };
  const create = streamSubjects({ cellBytes: R1.cellBytes, options });
  const { loss, seed, frames, paced } = run;
  return runR1({ loss, seed, bytes: frames * frameBytes, frameBytes, paced, create });
}

describe("profile R1", () => {
  test("gives the same figures for the same seed, and others for another", () => {
    const run = { loss: 0.1, frames: 60, paced: false };
    expect(r1({ ...run, seed: 7 })).toEqual(r1({ ...run, seed: 7 }));
    expect(r1({ ...run, seed: 8 }).traceHash).not.toBe(r1({ ...run, seed: 7 }).traceHash);
  });

  test("delivers the first frame after one leg of the put and one of the get", () => {
    const result = r1({ loss: 0, seed: 1, frames: 1, paced: false });
    expect(result.latencyP50Ms).toBe(R1.rttMs);
    expect(result.goodputBps).toBeCloseTo(frameBytes / 2, 6);
  });

  test("keeps to the pace, of which the world is the judge, and uses most of it", () => {
    const result = r1({ loss: 0.1, seed: 3, frames: 100, paced: true });
    const ceiling = (frameBytes * 1_000) / R1.paceMeanMs;
    expect(result.goodputBps).toBeLessThan(ceiling);
    expect(result.goodputBps).toBeGreaterThan(0.5 * ceiling);
    expect(result.putsPerFrame).toBeLessThan(1.5);
  });

  test("fills the window", () => {
    const result = r1({ loss: 0, seed: 3, frames: 640, paced: false });
    const ceiling = (R1.window * frameBytes * 1_000) / R1.rttMs;
    expect(result.goodputBps).toBeLessThan(ceiling);
    expect(result.goodputBps).toBeGreaterThan(0.8 * ceiling);
  });
});

describe("npm run r1", () => {
  const command = (...words: string[]) =>
    promisify(execFile)(join(ROOT, "node_modules/.bin/tsx"), [join(ROOT, "bench/r1.ts"), ...words]);

  test("refuses what is not a whole number as a matter of usage", async () => {
    const refusals = [["--window", "1.5"] as const, ["--seed", "0.5"] as const].map(
      ([option, value]) =>
        expect(command("--frames", "1", option, value)).rejects.toMatchObject({
          code: 2,
          stderr: expect.stringMatching(`^${option} must be a whole number[^]*npm run`),
        }),
    );
    await Promise.all(refusals);
  });
});

test("a question that is hedged is not cancelled before its answer can come", () => {
  // Seed 7 loses one early frame; a reader that asks ever faster ignored its answers for 12 s.
  const result = r1({ loss: 0.1, seed: 7, frames: 6, paced: false });
  expect(result.latencyP99Ms).toBeLessThan(8_000);
});

test.each([8, 12])("a lost receipt for the first frame is asked for at once, seed %i", (seed) => {
  // Until it comes no acknowledgement is believed; new frames went first, and most of them twice.
  const run = { loss: 0.2, seed, frames: 100, paced: true };
  const limit = runR1Limit({ ...run, frameBytes, window: R1.window });
  expect(r1(run).goodputBps / limit).toBeGreaterThan(0.9);
});

describe("the ideal that it is compared with", () => {
  const ideal = { frameBytes, window: R1.window, seed: 1 };

  test("fills the window, or the pace, when nothing is lost", () => {
    const open = runR1Limit({ ...ideal, loss: 0, frames: 640, paced: false });
    expect(open).toBeCloseTo((R1.window * frameBytes * 1_000) / R1.rttMs, 0);
    const paced = runR1Limit({ ...ideal, loss: 0, frames: 3_000, paced: true });
    const ceiling = (frameBytes * 1_000) / R1.paceMeanMs;
    expect(Math.abs(paced / ceiling - 1)).toBeLessThan(0.05);
  });

  test("is close to what a stream makes of a lossy way", () => {
    const run = { loss: 0.2, seed: 1, frames: 400, paced: false };
    const part = r1(run).goodputBps / runR1Limit({ ...ideal, ...run });
    expect(part).toBeLessThan(1.1);
    expect(part).toBeGreaterThan(0.6);
  });
});

test("quantiles are by nearest rank", () => {
  const values = [5, 1, 4, 2, 3];
  expect([0, 0.2, 0.5, 0.99, 1].map((fraction) => quantile(values, fraction))).toEqual([
    1, 1, 3, 5, 5,
  ]);
  expect(quantile([], 0.5)).toBe(0);
});
