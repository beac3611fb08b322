import { type RoadNode, RoadWorld } from "culvert/testing";
import { expect, it } from "vitest";

/** A world is some seconds of work, on a machine that may be busy. */
const PATIENCE_MS = 600_000;

it(
  "gives a node that lost its disk, and is back within seconds, what it had",
  async () => {
    const world = new RoadWorld({
      seed: 1,
      nodes: 8,
      clients: 2,
      streams: 1,
      bytes: 8_000,
      via: "direct",
      stream: { window: 8 },
    });
    await world.start();
    const { tookMs } = await world.carry();
    const pass = async (ms: number): Promise<void> => {
      await world.clock.runUntil(world.clock.now() + ms);
    };
    await pass(10_000);
    const entriesOf = ({ disk }: RoadNode): number => disk.statistics().entries;
    const [victim] = [...world.nodes.slice(1)].sort((a, b) => entriesOf(b) - entriesOf(a));
    if (victim === undefined) throw new Error("a world has nodes");
    const had = entriesOf(victim);
    expect(had).toBeGreaterThan(5);
    const bootstrap = world.nodes.filter((node) => node !== victim).map(({ contact }) => contact);
    // The second time all of its neighbours have heard of another store before.
    for (const _ of ["once", "again"]) {
      await world.clock.runPromise(victim.crash());
      victim.loseDisk();
      await pass(2_000);
      await world.clock.runPromise(victim.start(bootstrap), 60_000);
      await pass(180_000);
      expect(entriesOf(victim)).toBe(had);
    }
    expect((await world.finish({ tookMs })).timersLeft).toBe(0);
  },
  PATIENCE_MS,
);
