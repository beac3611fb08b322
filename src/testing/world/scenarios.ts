import { SeededRandom } from "../../base/index.ts";
import { crashAtRandom, crashIntoBackup } from "./crashes.ts";
import type { MapFaults, Outage, Side } from "./faults.ts";
import type { ReaderPlan } from "./reader.ts";
import type { WorldPlan } from "./world.ts";
import { type WriterPlan, writeAtOnce, writeInChunks } from "./writer.ts";

/** A world without its cores: everything else follows from a seed. */
export type Scenario = Omit<WorldPlan, "create">;

const HOUR_MS = 3_600_000;

/** What the default options let a core hold: unacknowledged, early, some probes and acks. */
const FRAMES_IN_MEMORY_MAX = 256 + 256 + 128;

/**
 * Both sides write something, wait until the peer has it, and end: at up to 50 % loss, every run
 * has to come to its end.
 */
export function writeSyncClose(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const faults = { loss: 0.5 * random.unit(), rttMs: drawRtt(random) };
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults,
    a: { writer: drawWriter(random, { bytesMax: 12_000, end: "acknowledged" }) },
    b: { writer: drawWriter(random, { bytesMax: 12_000, end: "acknowledged" }) },
    limitMs: 72 * HOUR_MS,
  };
}

/** A bulk transfer through a Map that loses half of everything and spoils some of the rest. */
export function stormyBulk(seed: number, bytes = 1_000_000): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: {
      rttMs,
      loss: 0.5,
      reorder: 0.3,
      reorderMs: 3 * rttMs,
      duplicate: 0.1,
      corrupt: 0.01,
    },
    a: { writer: writeAtOnce(bytes) },
    b: { writer: writeAtOnce(0) },
    limitMs: 72 * HOUR_MS,
  };
}

/**
 * Both processes die at random points and come back; the disk takes its time, readers are slow or
 * not, and the network is bad. Nothing may be lost, doubled, reused or hung.
 */
export function crashes(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  const plan = { chance: 0.002 + 0.02 * random.unit() ** 2, crashesMax: 1 + random.below(6) };
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: { ...drawWeather(random, rttMs), loss: 0.3 * random.unit() },
    a: drawParty(random, 20_000),
    b: drawParty(random, random.unit() < 0.5 ? 0 : 20_000),
    crashes: crashAtRandom(random.fork(1), { ...plan, downMsMax: 4 * HOUR_MS }),
    commitMsMax: random.unit() < 0.3 ? 0 : 0.5 * rttMs * random.unit(),
    limitMs: 30 * 24 * HOUR_MS,
  };
}

/**
 * A restore from an old backup: it has to be noticed, unless nothing has happened since. A frame of
 * the session that was lost leaves its place to another one of the restored session; the reader
 * then finds a frame behind it that follows another one, and notices first.
 */
export function staleBackup(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  const side: Side = random.unit() < 0.5 ? "a" : "b";
  const backup = 4 + random.below(60);
  const crash = backup + 1 + random.below(120);
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: { rttMs, loss: 0.2 * random.unit() },
    a: drawParty(random, 20_000),
    b: drawParty(random, 20_000),
    crashes: crashIntoBackup(side, { backup, crash, downMs: rttMs * 10 * random.unit() }),
    commitMsMax: 0.2 * rttMs,
    mayFailWith: [
      "CULVERT_STALE_STATE",
      "CULVERT_SECRET_USED",
      "CULVERT_PEER_ABORTED",
      "CULVERT_PROTOCOL",
    ],
    limitMs: 30 * 24 * HOUR_MS,
  };
}

/** Everything at once but crashes: outages, lies, refusals, short lives, forgetful places. */
export function hostileMap(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: {
      ...drawWeather(random, rttMs),
      loss: 0.3 * random.unit(),
      refuse: one(random, 0, () => 0.2 * random.unit()),
      forget: one(random, 0, () => 0.1 * random.unit()),
      lie: one(random, 0, () => 0.2 * random.unit()),
      ttlSecondsMax: one(random, 7 * 24 * 3600, () => 600 + random.below(3_600)),
      waitMsMax: one(random, HOUR_MS, () => 1_000 + random.below(60_000)),
      hardTimeoutMs: one(random, Number.POSITIVE_INFINITY, () => 70_000 + random.below(60_000)),
      outages: one<readonly Outage[]>(random, [], () => drawOutages(random, rttMs)),
    },
    a: drawParty(random, 20_000),
    b: drawParty(random, 20_000),
    limitMs: 30 * 24 * HOUR_MS,
  };
}

/** One side gives up in the middle: it leaves soon, and the other side learns why. */
export function aborts(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  const a = drawParty(random, 20_000);
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: { ...drawWeather(random, rttMs), loss: 0.2 * random.unit() },
    a: { ...a, writer: { ...a.writer, abortAtMs: 30 * rttMs * random.unit() } },
    b: drawParty(random, 20_000),
    goal: "over",
    mayFailWith: ["CULVERT_PEER_ABORTED"],
    limitMs: 24 * HOUR_MS,
  };
}

/**
 * One side gives up with much under way, and the Map forgets half of what it has promised to keep:
 * frames are missing that nobody will put again. The other side, which only reads, learns of it.
 */
export function abandons(seed: number): Scenario {
  const random = new SeededRandom(seed);
  const rttMs = drawRtt(random);
  const loss = 0.5 * random.unit();
  const forget = one(random, 0, () => 0.5);
  const abortAtMs = 20 * rttMs * random.unit();
  const end = one<WriterPlan["end"]>(random, "never", () => "written");
  return {
    seed,
    framesInMemoryMax: FRAMES_IN_MEMORY_MAX,
    faults: { rttMs, loss, forget },
    a: { writer: { ...writeAtOnce(100_000, "never"), abortAtMs } },
    b: { writer: writeAtOnce(0, end) },
    goal: "over",
    mayFailWith: ["CULVERT_PEER_ABORTED"],
    limitMs: 24 * HOUR_MS,
  };
}

/** One thing or the other, equally likely. */
function one<T>(random: SeededRandom, off: T, on: () => T): T {
  return random.unit() < 0.5 ? off : on();
}

function drawRtt(random: SeededRandom): number {
  // From a local socket to a mixnet, evenly spread over the decades.
  return 10 ** (0.5 + 3 * random.unit());
}

function drawWeather(random: SeededRandom, rttMs: number): Partial<MapFaults> {
  return {
    rttMs,
    jitterMs: rttMs * random.unit() ** 2,
    reorder: 0.3 * random.unit(),
    reorderMs: 3 * rttMs,
    duplicate: 0.1 * random.unit(),
    corrupt: 0.02 * random.unit(),
  };
}

function drawOutages(random: SeededRandom, rttMs: number): Outage[] {
  const outages: Outage[] = [];
  let fromMs = 0;
  for (let i = 0; i <= random.below(3); i++) {
    fromMs += 20 * rttMs * random.unit();
    const toMs = fromMs + 200 * rttMs * random.unit();
    const side = (["a", "b", "both"] as const)[random.below(3)] ?? "both";
    outages.push({ fromMs, toMs, side });
    fromMs = toMs;
  }
  return outages;
}

function drawParty(
  random: SeededRandom,
  bytesMax: number,
): { writer: WriterPlan; reader: Partial<ReaderPlan> } {
  const end = random.unit() < 0.5 ? "written" : "acknowledged";
  const takeMsMean = random.unit() < 0.5 ? 0 : 200 * random.unit() ** 3;
  return { writer: drawWriter(random, { bytesMax, end }), reader: { takeMsMean } };
}

function drawWriter(
  random: SeededRandom,
  plan: { bytesMax: number; end: WriterPlan["end"] },
): WriterPlan {
  const { bytesMax, end } = plan;
  const bytes = Math.floor(bytesMax * random.unit() ** 2);
  if (random.unit() < 0.3) return writeAtOnce(bytes, end);
  const chunkBytesMax = 1 + random.below(Math.max(2, bytes / 2));
  const gapMsMean = 2_000 * random.unit() ** 3;
  return writeInChunks(random, { bytes, chunkBytesMax, gapMsMean, end });
}
