import { SeededRandom } from "../src/base/index.ts";
import { payloadBytesMax } from "../src/stream/frame/frame.ts";
import type { StreamOptions } from "../src/stream/options.ts";
import {
  abandons,
  aborts,
  type CreateSubject,
  crashes,
  hostileMap,
  type PartyPlan,
  quantile,
  R1,
  runR1,
  runR1Limit,
  runWorld,
  type Scenario,
  staleBackup,
  stormyBulk,
  streamSubjects,
  writeAtOnce,
  writeSyncClose,
} from "../src/testing/world/index.ts";
import { atLeast, atMost } from "./harness.ts";
import { everySeed, guarded, mean, type Row } from "./sim-row.ts";

/** Cells of the sweeping scenarios: small, so that few bytes make many frames. */
const SMALL_CELL_BYTES = 256;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Asked goodput on profile R1 by loss in percent, in B/s. */
const ASKED: readonly { loss: number; paced: number; open: number }[] = [
  { loss: 0, paced: 366, open: 53_000 },
  { loss: 1, paced: 357, open: 49_000 },
  { loss: 5, paced: 328, open: 43_000 },
  { loss: 10, paced: 286, open: 36_000 },
  { loss: 20, paced: 221, open: 26_000 },
  { loss: 30, paced: 165, open: 18_000 },
];

/** Asked puts per frame, by loss in percent. */
const ASKED_PUTS: Readonly<Record<number, number>> = { 10: 1.3, 30: 2.2 };

function cores(cellBytes: number, options: Partial<StreamOptions> = {}): CreateSubject {
  return streamSubjects({ cellBytes, options });
}

function r1Row(loss: number, isPaced: boolean, asked: number): Row {
  const frames = isPaced ? R1.framesPaced : R1.framesOpen;
  const frameBytes = payloadBytesMax(R1.cellBytes);
  const options = { window: R1.window, paceMeanMs: isPaced ? R1.paceMeanMs : 0 };
  const mode = isPaced ? "paced" : "open";
  const plan = { loss: loss / 100, bytes: frames * frameBytes, frameBytes, paced: isPaced };
  return {
    name: `${mode}-${loss}`,
    title: `profile R1, ${mode}, ${loss} % loss`,
    seeds: 20,
    parameters: { ...plan, ...options, rttMs: R1.rttMs, cellBytes: R1.cellBytes },
    run: (seed) =>
      guarded(seed, () => {
        const result = runR1({ ...plan, seed, create: cores(R1.cellBytes, options) });
        const { goodputBps, putsPerFrame, getsPerFrame } = result;
        const limitBps = runR1Limit({ ...plan, window: R1.window, frames, seed });
        return { goodputBps, limitBps, putsPerFrame, getsPerFrame };
      }),
    judge: (samples) => {
      const goodput = mean(samples, "goodputBps");
      const part = goodput / mean(samples, "limitBps");
      const verdicts = [atLeast(`goodput, B/s (${part.toFixed(2)} of limit)`, goodput, asked)];
      const putsMax = ASKED_PUTS[loss];
      if (putsMax !== undefined) {
        verdicts.push(atMost("puts per frame", mean(samples, "putsPerFrame"), putsMax));
      }
      return verdicts;
    },
  };
}

/** A row in which every seed must keep every rule. */
function scenarioRow(row: {
  name: string;
  title: string;
  seeds: number;
  cellBytes: number;
  options?: Partial<StreamOptions>;
  scenario: (seed: number) => Scenario;
}): Row {
  const { cellBytes, options = {} } = row;
  return {
    name: row.name,
    title: row.title,
    seeds: row.seeds,
    parameters: { cellBytes, options },
    plan: row.scenario,
    run: (seed) =>
      guarded(seed, () => {
        const plan = { ...row.scenario(seed), create: cores(cellBytes, options) };
        const report = runWorld(plan);
        if (report.violation !== undefined) throw report.violation;
        const { a, b } = report;
        return { frames: report.places, crashes: a.crashes + b.crashes, events: report.events };
      }),
    judge: everySeed,
  };
}

const MESSAGE_BYTES = 100;

/** A message at a random time: of a fresh pair, or of one that has talked and fallen silent. */
function messageScenario(seed: number): Scenario & { readonly atMs: number } {
  const random = new SeededRandom(seed);
  const isFresh = seed % 2 === 0;
  const atMs = isFresh ? 120_000 * random.unit() : 120_000 + 600_000 * random.unit();
  const greeting = isFresh ? [] : [{ atMs: 0, bytes: MESSAGE_BYTES }];
  return {
    seed,
    atMs,
    faults: { rttMs: R1.rttMs, loss: 0.1 },
    a: { writer: { writes: [...greeting, { atMs, bytes: MESSAGE_BYTES }], end: "never" } },
    b: { writer: { writes: greeting, end: "never" } },
    goal: "delivered",
    limitMs: 2 * 24 * HOUR_MS,
  };
}

const MESSAGE: Row = {
  name: "message",
  title: "one small message, 10 % loss, RTT 2 s",
  seeds: 4_000,
  parameters: { bytes: MESSAGE_BYTES, loss: 0.1, rttMs: R1.rttMs, cellBytes: R1.cellBytes },
  plan: messageScenario,
  run: (seed) =>
    guarded(seed, () => {
      const scenario = messageScenario(seed);
      let deliveredAtMs = 0;
      const report = runWorld({
        ...scenario,
        create: cores(R1.cellBytes),
        onDelivered: (side, _end, atMs) => {
          if (side === "b") deliveredAtMs = atMs;
        },
      });
      if (report.violation !== undefined) throw report.violation;
      return { latencyMs: deliveredAtMs - scenario.atMs };
    }),
  judge: (samples) => {
    const latencies = samples.flatMap(({ figures }) => figures.latencyMs ?? []);
    return [
      atMost("latency p50, ms", quantile(latencies, 0.5), 2_200),
      atMost("latency p99, ms", quantile(latencies, 0.99), 12_000),
      ...everySeed(samples),
    ];
  },
};

/** The writes of `writeSyncClose` without the close, and then a day in which nothing happens. */
function idleScenario(seed: number): Scenario {
  const scenario = writeSyncClose(seed);
  const open = (plan: PartyPlan = {}): PartyPlan =>
    plan.writer === undefined ? plan : { ...plan, writer: { ...plan.writer, end: "never" } };
  return {
    ...scenario,
    a: open(scenario.a),
    b: open(scenario.b),
    goal: "acknowledged",
    idle: { settleMs: 10 * MINUTE_MS, watchMs: 24 * HOUR_MS },
  };
}

const IDLE: Row = {
  ...scenarioRow({
    name: "idle",
    title: "puts in a day, from ten minutes after everything is acknowledged",
    seeds: 500,
    cellBytes: SMALL_CELL_BYTES,
    scenario: idleScenario,
  }),
  judge: (samples) => {
    const noisy = samples.filter((sample) => sample.violation !== undefined).length;
    return [atMost("runs with a put", noisy, 0)];
  },
};

const CELLS: Row = {
  ...scenarioRow({
    name: "cell-length",
    title: "lengths of cells over 100,000 frames",
    seeds: 100,
    cellBytes: SMALL_CELL_BYTES,
    scenario: (seed) => ({
      seed,
      faults: { rttMs: 100, loss: 0.05 },
      a: { writer: writeAtOnce(95_000) },
      b: { writer: writeAtOnce(95_000) },
    }),
  }),
  judge: (samples) => {
    const frames = samples.reduce((sum, { figures }) => sum + (figures.frames ?? 0), 0);
    return [atLeast("frames, all of one length", frames, 100_000), ...everySeed(samples)];
  },
};

/** The stream between two cores and a Map: both of its tables, and what must not happen. */
export const STREAM_ROWS: readonly Row[] = [
  ...ASKED.map(({ loss, paced }) => r1Row(loss, true, paced)),
  ...ASKED.map(({ loss, open }) => r1Row(loss, false, open)),
  scenarioRow({
    name: "write-sync-close",
    title: "write, sync, close; loss up to 50 %",
    seeds: 10_000,
    cellBytes: SMALL_CELL_BYTES,
    scenario: writeSyncClose,
  }),
  MESSAGE,
  scenarioRow({
    name: "storm",
    title: "1 MB; 50 % lost, 30 % reordered, 10 % duplicated, 1 % corrupted",
    seeds: 1_000,
    cellBytes: R1.cellBytes,
    scenario: (seed) => stormyBulk(seed),
  }),
  scenarioRow({
    name: "crash",
    title: "crashes after any journal write or network event, then resume",
    seeds: 10_000,
    cellBytes: SMALL_CELL_BYTES,
    options: { durable: true },
    scenario: crashes,
  }),
  scenarioRow({
    name: "stale-backup",
    title: "a restore from an old backup",
    seeds: 2_000,
    cellBytes: SMALL_CELL_BYTES,
    options: { durable: true },
    scenario: staleBackup,
  }),
  scenarioRow({
    name: "hostile-map",
    title: "outages, lies, refusals, short lives, forgetful places",
    seeds: 2_000,
    cellBytes: SMALL_CELL_BYTES,
    scenario: hostileMap,
  }),
  scenarioRow({
    name: "abort",
    title: "one side gives up in the middle",
    seeds: 2_000,
    cellBytes: SMALL_CELL_BYTES,
    scenario: aborts,
  }),
  scenarioRow({
    name: "abandon",
    title: "one side gives up behind frames that are lost for good",
    seeds: 500,
    cellBytes: SMALL_CELL_BYTES,
    options: { durable: true },
    scenario: abandons,
  }),
  IDLE,
  CELLS,
];
