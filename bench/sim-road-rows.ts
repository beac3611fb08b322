import { SeededRandom } from "../src/base/index.ts";
import { rootPublicKey } from "../src/crypto/index.ts";
import { MISDEEDS, type RoadPlan, RoadWorld, runRoad } from "../src/testing/index.ts";
import { atLeast, type Verdict } from "./harness.ts";
import { everySeed, type Figures, mean, type Row, type RowSize, type Sample } from "./sim-row.ts";

/** What a row has unless the command line says otherwise. */
const SIZE: RowSize = { nodes: 12, streams: 4 };

/** Streams through circuits to the nodes closest to each frame, in bad weather. */
function stormy(seed: number, { nodes, streams }: RowSize): RoadPlan {
  return {
    seed,
    nodes,
    clients: Math.max(2, Math.min(streams, 8)),
    streams,
    bytes: 4_000,
    via: "onion",
    line: { loss: 0.02, reorder: 0.02, reorderMs: 50 },
    crashes: Math.ceil(nodes / 12),
    stream: { window: 8 },
    // So small a network cannot keep the budget of an exit: test/road judges that in calm weather.
    onion: { window: 8, paths: 2, spares: 1, framesPerExit: 64 },
  };
}

async function tried(seed: number, run: () => Promise<Figures>): Promise<Sample> {
  try {
    return { seed, figures: await run() };
  } catch (error) {
    const violation = error instanceof Error ? error.message : String(error);
    return { seed, violation, figures: {} };
  }
}

async function runStorm(plan: RoadPlan): Promise<Figures> {
  const report = await runRoad(plan);
  if (report.violation !== undefined) throw report.violation;
  if (report.timersLeft > 0) throw new Error(`${report.timersLeft} timers are left`);
  return { latencyMs: report.tookMs, crashes: report.crashes, events: report.packets };
}

/** A fifth of the nodes is hostile, in every way in turn; whoever gets stuck is counted. */
function besieged(seed: number, size: RowSize): RoadPlan {
  const { streams } = size;
  const hostile = Math.round(size.nodes / 5);
  // Each seed begins with another kind, so that all of them are met.
  const hostilities = MISDEEDS.map((_, i) => MISDEEDS[(i + seed) % MISDEEDS.length] ?? "lies");
  const plan = { ...stormy(seed, size), hostile, hostilities, crashes: 0, limitMs: HOUR_MS };
  return { ...plan, clients: Math.min(streams, 4) };
}

async function runSiege(plan: RoadPlan): Promise<Figures> {
  const { violation, receivedBytes, tookMs } = await runRoad(plan);
  if (violation !== undefined && violation.rule !== "hang") throw violation;
  return { latencyMs: tookMs, deliveredShare: receivedBytes / (2 * plan.streams * plan.bytes) };
}

function judgeSiege(samples: readonly Sample[]): Verdict[] {
  const good = samples.filter(({ violation }) => violation === undefined);
  const delivered = atLeast("share of bytes delivered", mean(good, "deliveredShare"), 0.99);
  return [...everySeed(samples), delivered];
}

/** Records that are kept when the nodes vanish, and how long the others have to repair. */
const RECORDS = 500;
const AT_ONCE = 16;
const REPAIR_MS = 600_000;
const HOUR_MS = 3_600_000;

/** Three of ten nodes lose their power for good, all at one instant. */
async function runVanishing(seed: number, nodes: number): Promise<Figures> {
  const plan = { seed, nodes, clients: 1, streams: 0, bytes: 0, via: "direct" } as const;
  const world = new RoadWorld(plan);
  await world.start();
  const random = new SeededRandom(seed).fork(3_000);
  const writeSeed = random.bytes(32);
  const [client] = world.clients;
  if (client === undefined) throw new Error("a world has a client");
  const map = client.transport().bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
  const cells = Array.from({ length: RECORDS }, () => random.bytes(map.payloadSize));
  const nameOf = (i: number): Uint8Array => new SeededRandom(i).bytes(32);
  const each = async (work: (i: number) => Promise<boolean>): Promise<number> => {
    let [next, good] = [0, 0];
    const run = async (): Promise<void> => {
      while (next < RECORDS) if (await work(next++)) good += 1;
    };
    const all = Promise.all(Array.from({ length: AT_ONCE }, run));
    await world.clock.runPromise(all, HOUR_MS);
    return good / RECORDS;
  };
  const found = (): Promise<number> =>
    each(async (i) => {
      const got = await map.get(nameOf(i), { waitMs: 0 }).catch(() => undefined);
      if (got === undefined) return false;
      if (Buffer.compare(got, cells[i] ?? got) !== 0) throw new Error(`record ${i} is another`);
      return true;
    });
  const stored = await each(async (i) => {
    await map.put(nameOf(i), cells[i] ?? new Uint8Array(0), { ttlSeconds: 86_400 });
    return true;
  });
  if (stored < 1) throw new Error(`only ${stored} of the records were kept`);
  const left = [...world.nodes];
  const gone = Array.from({ length: Math.round(0.3 * nodes) }, () =>
    left.splice(random.below(left.length), 1),
  ).flat();
  await world.clock.runPromise(Promise.all(gone.map((node) => node.crash())), HOUR_MS);
  const foundAtOnce = await found();
  await world.clock.runUntil(world.clock.now() + REPAIR_MS);
  const foundAfterRepair = await found();
  await world.finish({ tookMs: 0 });
  return { foundAtOnce, foundAfterRepair };
}

function judgeVanishing(samples: readonly Sample[]): Verdict[] {
  return [
    ...everySeed(samples),
    atLeast("gets that succeed at once", mean(samples, "foundAtOnce"), 0.99),
    atLeast("gets that succeed after repair", mean(samples, "foundAfterRepair"), 0.999),
  ];
}

/** The whole road: every room, put together as in a process, on a virtual network. */
export const ROAD_ROWS: readonly Row[] = [
  {
    name: "road",
    title: "streams through circuits to a Map of many nodes; 2 % lost, nodes lose their power",
    seeds: 1_000,
    parameters: { ...SIZE },
    plan: (seed, size) => stormy(seed, { ...SIZE, ...size }),
    run: (seed, size) => tried(seed, () => runStorm(stormy(seed, { ...SIZE, ...size }))),
    judge: everySeed,
  },
  {
    name: "siege",
    title: "the same while a fifth of the nodes forgets, lies, garbles, replays or says nothing",
    seeds: 16,
    parameters: { ...SIZE, nodes: 15, kinds: MISDEEDS },
    plan: (seed, size) => besieged(seed, { ...SIZE, nodes: 15, ...size }),
    run: (seed, size) =>
      tried(seed, () => runSiege(besieged(seed, { ...SIZE, nodes: 15, ...size }))),
    judge: judgeSiege,
  },
  {
    name: "vanish",
    title: "three of ten nodes are gone at once: what of the records is found, K = 5",
    seeds: 4,
    parameters: { nodes: 30, records: RECORDS, repairMs: REPAIR_MS },
    run: (seed, size) => tried(seed, () => runVanishing(seed, size?.nodes ?? 30)),
    judge: judgeVanishing,
  },
];
