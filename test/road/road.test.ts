import {
  addressesToldByClients,
  clientsAtStores,
  type Evidence,
  oddUnits,
  ROAD_CELL_BYTES,
  type RoadPlan,
  type RoadReport,
  RoadWorld,
  runRoad,
  runsSharedByLinks,
  type StreamEnd,
  sharesOfExits,
  trailsOf,
  trailsSeenWhole,
} from "culvert/testing";
import { beforeAll, describe, expect, it } from "vitest";

/** ⌈8 / 2⌉ + 1: what one exit may be shown by one end of a stream with these options. */
const EXIT_BUDGET = 5;
/** A packet of five hops, and a cell of a circuit: docs/WIRE.md. */
const SIZES = { packetBytes: 490 + 2_048, cellBytes: 1_024 };

/** A world is some seconds of work, on a machine that may be busy. */
const PATIENCE_MS = 600_000;

const CALM: RoadPlan = {
  seed: 1,
  nodes: 9,
  clients: 2,
  streams: 2,
  bytes: 3_000,
  via: "onion",
  stream: { window: 8 },
  onion: { window: 8, paths: 2, spares: 1 },
  isWatched: true,
};

const STORMY: RoadPlan = {
  ...CALM,
  line: { loss: 0.02, reorder: 0.02, reorderMs: 50 },
  hostile: 2,
  limitMs: 120_000,
  crashes: 1,
  // Routes that fail show frames to other exits; so few of them cannot keep a budget for all.
  onion: { ...CALM.onion, framesPerExit: 64 },
  isWatched: false,
};

async function evidenceOf(plan: RoadPlan): Promise<{ world: RoadWorld; evidence: Evidence }> {
  const world = new RoadWorld(plan);
  await world.start();
  const report = await world.finish(await world.carry());
  expectWhole(report, plan);
  const { clientNames: clients, owners, capture } = world;
  return { world, evidence: { ends: capture.ends, clients, owners } };
}

function expectWhole(report: RoadReport, { streams, bytes }: RoadPlan): void {
  expect(report.violation).toBeUndefined();
  expect(report.receivedBytes).toBe(2 * streams * bytes);
  expect(report.timersLeft).toBe(0);
}

describe("the whole road in the virtual world", () => {
  it(
    "carries every stream through loss, crashes and hostile nodes, the same way each time",
    async () => {
      const report = await runRoad(STORMY);
      expectWhole(report, STORMY);
      expect(report.crashes).toBe(1);
      expect((await runRoad(STORMY)).traceHash).toBe(report.traceHash);
    },
    PATIENCE_MS,
  );

  it(
    "carries them through a partition too",
    async () => {
      const plan: RoadPlan = { ...STORMY, seed: 2, crashes: 0, partitionMs: 10_000 };
      expectWhole(await runRoad(plan), plan);
    },
    PATIENCE_MS,
  );
});

describe("what each party sees through onions", () => {
  let world: RoadWorld;
  let evidence: Evidence;
  beforeAll(async () => {
    ({ world, evidence } = await evidenceOf(CALM));
  }, PATIENCE_MS);

  it("keeps clients away from stores, and addresses away from whoever hears a client", () => {
    expect(evidence.owners.size).toBeGreaterThan(20);
    expect(clientsAtStores(evidence)).toEqual([]);
    expect(addressesToldByClients(evidence)).toEqual([]);
  });

  it("leads every circuit over three nodes, of which none sees both ends", () => {
    const trails = trailsOf(evidence.ends, evidence.clients);
    expect(trails.length).toBeGreaterThanOrEqual(8);
    expect(trails.map(({ length }) => length)).toEqual(trails.map(() => 4));
    expect(trailsSeenWhole(trails)).toEqual([]);
  });

  it("shows no exit more of a stream than its budget", () => {
    const shares = sharesOfExits(evidence);
    expect(shares.length).toBeGreaterThan(4);
    expect(shares[0]?.frames).toBeLessThanOrEqual(EXIT_BUDGET);
  });

  it("sends units of one size for each kind, and stores cells of one length", () => {
    expect(oddUnits(evidence, SIZES)).toEqual([]);
    const lengths = new Set(world.nodes.flatMap(({ cellLengths }) => [...cellLengths]));
    expect([...lengths]).toEqual([ROAD_CELL_BYTES]);
  });

  it("has no 8 bytes in a row in common on the onion streams of two links", () => {
    expect(runsSharedByLinks(evidence)).toEqual([]);
  });

  it("would notice eight bytes that go over two links", () => {
    const circuits = evidence.ends.filter(
      ({ protocol, sights }) => protocol === "circuit" && sights.some(({ isSent }) => isSent),
    );
    const [one] = circuits;
    const other = circuits.find(
      ({ node, peer }) => new Set([node, peer, one?.node, one?.peer]).size > 2,
    );
    const sentBy = (end: StreamEnd | undefined): Uint8Array =>
      end?.sights.find(({ isSent }) => isSent)?.bytes ?? new Uint8Array(0);
    const copy = sentBy(other).slice();
    copy.set(sentBy(one).subarray(100, 108), 300);
    const planted = { ...(other ?? circuits[0]), sights: [{ atMs: 0, isSent: true, bytes: copy }] };
    const ends = [...evidence.ends, planted as StreamEnd];
    expect(runsSharedByLinks({ ...evidence, ends })).toHaveLength(1);
  });

  it("would notice if the middle of a circuit told its guard everything", () => {
    const [trail] = trailsOf(evidence.ends, evidence.clients);
    const [, guard = "", , exit = ""] = trail ?? [];
    const asOne = (name: string): string => (name === exit ? guard : name);
    const ends = evidence.ends.map((end) => ({
      ...end,
      node: asOne(end.node),
      peer: asOne(end.peer),
    }));
    expect(trailsSeenWhole(trailsOf(ends, evidence.clients)).length).toBeGreaterThan(0);
  });

  it("would notice a unit that is a byte short", () => {
    const shortened = (end: StreamEnd): StreamEnd => ({
      ...end,
      sights: end.sights.map((sight, i) =>
        i > 0 ? sight : { ...sight, bytes: sight.bytes.subarray(1) },
      ),
    });
    const at = evidence.ends.findIndex(
      ({ protocol, sights }) => protocol === "circuit" && sights[0]?.isSent === true,
    );
    const ends = evidence.ends.map((end, i) => (i === at ? shortened(end) : end));
    expect(oddUnits({ ...evidence, ends }, SIZES)).toHaveLength(1);
  });
});

describe("what would be seen otherwise", () => {
  it(
    "catches a client that asks the stores itself",
    async () => {
      const { evidence } = await evidenceOf({ ...CALM, streams: 1, via: "direct" });
      expect(clientsAtStores(evidence).length).toBeGreaterThan(0);
      expect(addressesToldByClients(evidence).length).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  it(
    "catches a client that shows its exits more than its budget",
    async () => {
      const onion = { ...CALM.onion, framesPerExit: 64 };
      const { evidence } = await evidenceOf({ ...CALM, streams: 1, bytes: 8_000, onion });
      expect(sharesOfExits(evidence)[0]?.frames).toBeGreaterThan(EXIT_BUDGET);
    },
    PATIENCE_MS,
  );
});
