/**
 * What three relays cost: a megabyte through circuits to the five nodes closest to each frame, and
 * the same without tunnels, in turns over the same eight nodes, each a process of its own. Then the
 * first byte of a stream, in round trips of one request, and the processor time by layer.
 *
 * Run: `npm run -s bench -- road`; `node bench/dist/bench/road.js BYTES ROUNDS` for other sizes.
 */

import { wholeNumber } from "./command-line.ts";
import { atLeast, atMost, median, printTable, writeResults } from "./harness.ts";
import { carry, closeStream, openStream, type RoadPair, RoadParties } from "./road-parties.ts";

const NODES = 8;
const usage = "node bench/dist/bench/road.js [BYTES [ROUNDS]]";
const [bytesWord = "1000000", roundsWord = "5"] = process.argv.slice(2);
const BYTES = wholeNumber(bytesWord, { name: "BYTES", min: 1, max: 1e12, usage });
const ROUNDS = wholeNumber(roundsWord, { name: "ROUNDS", min: 1, max: 1_000, usage });
const REQUESTS = 21;

type Via = "direct" | "onion";
const WAYS: readonly Via[] = ["direct", "onion"];

interface Way {
  readonly pair: RoadPair;
  readonly firstByteMs: number[];
  readonly carriedMs: number[];
  readonly roundTripMs: number[];
}

/** One stream from its first byte to its last. */
async function carryOnce({ pair, firstByteMs, carriedMs }: Way): Promise<void> {
  await openStream(pair);
  firstByteMs.push(await carry(pair, 1));
  carriedMs.push(await carry(pair, BYTES));
  await closeStream(pair);
}

/** Microseconds of processor time of all processes, by layer, for one stream. */
async function layersOf(road: RoadParties, way: Way): Promise<Record<string, number>> {
  await Promise.all(road.all.map((party) => party.ask({ kind: "profile" })));
  await carryOnce(way);
  const profiled = await Promise.all(road.all.map((party) => party.ask({ kind: "profiled" })));
  const sample = () => Promise.all(road.all.map((party) => party.ask({ kind: "sample" })));
  const before = await sample();
  await carryOnce(way);
  const after = await sample();
  const sums: Record<string, number> = {};
  const add = (layer: string, us: number): void => {
    sums[layer] = (sums[layer] ?? 0) + us;
  };
  for (const [i, { layers = {} }] of profiled.entries()) {
    const mainUs = (after[i]?.mainUs ?? 0) - (before[i]?.mainUs ?? 0);
    const allUs = (after[i]?.allUs ?? 0) - (before[i]?.allUs ?? 0);
    for (const [layer, share] of Object.entries(layers)) add(layer, share * mainUs);
    add("other threads", allUs - mainUs);
  }
  return sums;
}

const results = await RoadParties.with(NODES, async (road) => {
  const ways = new Map<Via, Way>();
  for (const via of WAYS) {
    const pair = await road.pair(via);
    ways.set(via, { pair, firstByteMs: [], carriedMs: [], roundTripMs: [] });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ways.values()) {
      const answer = await way.pair.reader.ask({ kind: "request", rounds: REQUESTS });
      way.roundTripMs.push(answer.roundTripMs ?? Number.NaN);
      await carryOnce(way);
    }
  }
  const layers = new Map<Via, Record<string, number>>();
  for (const [via, way] of ways) layers.set(via, await layersOf(road, way));
  return WAYS.map((via) => {
    const { carriedMs = [], firstByteMs = [], roundTripMs = [] } = ways.get(via) ?? {};
    const rounds = carriedMs.slice(0, ROUNDS);
    return {
      via,
      kBps: BYTES / median(rounds),
      firstByteMs: median(firstByteMs.slice(0, ROUNDS)),
      requestMs: median(roundTripMs),
      rounds: rounds.map(Math.round),
      cpuMsPerMB: layers.get(via) ?? {},
    };
  });
});

const [direct, onion] = results;
if (direct === undefined || onion === undefined) throw new Error("both ways are measured");
printTable(
  `${BYTES} bytes, ${NODES} nodes, median of ${ROUNDS}`,
  results.map(({ cpuMsPerMB: _, rounds: __, ...row }) => row),
);
const perMB = (us = 0): number => us / 1_000 / (BYTES / 1e6);
const layers = [...new Set(results.flatMap(({ cpuMsPerMB }) => Object.keys(cpuMsPerMB)))];
printTable("processor time of all processes, ms for each MB delivered", [
  ...layers.map((layer) => ({
    layer,
    direct: perMB(direct.cpuMsPerMB[layer]),
    onion: perMB(onion.cpuMsPerMB[layer]),
  })),
  {
    layer: "all",
    direct: perMB(Object.values(direct.cpuMsPerMB).reduce((sum, us) => sum + us, 0)),
    onion: perMB(Object.values(onion.cpuMsPerMB).reduce((sum, us) => sum + us, 0)),
  },
]);
console.log();
writeResults("road", results, [
  atLeast("throughput through three relays, of that without", onion.kBps / direct.kBps, 1 / 3),
  atMost("first byte, in round trips of a request", onion.firstByteMs / onion.requestMs, 10),
]);
