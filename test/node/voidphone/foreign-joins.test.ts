import { expect, test } from "vitest";
import { CulvertError, SILENT } from "../../../src/base/index.ts";
import { ForeignJoins } from "../../../src/node/voidphone/foreign-joins.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const ENTRANCE = { host: "192.0.2.1", port: 7402 };
const CONTACT = { ...ENTRANCE, id: new Uint8Array(32) };

/** A network that is there or not, and what it is asked. */
function rig(isThere: boolean) {
  const clock = new VirtualClock();
  const world = { isThere, known: 0, joinedAt: [] as number[] };
  const network = {
    join: async () => {
      world.joinedAt.push(clock.now() / 1_000);
      if (!world.isThere) throw new CulvertError("CULVERT_UNREACHABLE");
      world.known = 3;
      return world.known;
    },
    closest: () => Array.from({ length: world.known }, () => CONTACT),
  };
  return { clock, world, joins: new ForeignJoins({ network, clock, log: SILENT }, [ENTRANCE]) };
}

test("joins again when an outage has left nobody, and not while somebody is known", async () => {
  const { clock, world, joins } = rig(true);
  await clock.runUntil(3_600_000);
  expect(world.joinedAt).toEqual([0]);
  world.known = 0;
  world.isThere = false;
  await clock.runUntil(4_000_000);
  world.isThere = true;
  await clock.runUntil(5_000_000);
  expect(world.joinedAt.length).toBeGreaterThan(3);
  expect(world.known).toBe(3);
  joins.close();
  expect(clock.pending).toBe(0);
});

test("tries a peer that does not answer with growing pauses, and not after its end", async () => {
  const { clock, world, joins } = rig(false);
  await clock.runUntil(40_000);
  expect(world.joinedAt).toEqual([0, 2, 6, 14, 30]);
  joins.close();
  await clock.runUntil(1_000_000);
  expect(world.joinedAt.length).toBe(5);
  const ended = rig(false);
  ended.joins.close();
  await ended.clock.runUntil(1_000_000);
  expect(ended.world.joinedAt).toEqual([0]);
});
