import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Directory, NodeIdentity, nodeIdText } from "../../../src/identity/index.ts";
import { EPOCH_MS, epochOf } from "../../../src/onion/packet/key-ring.ts";
import { type AskGuard, DescriptorRoutes } from "../../../src/onion/route/descriptor-routes.ts";
import type { Route } from "../../../src/onion/route/route.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { UNIX_MS } from "../fixtures.ts";
import { descriptorOf, many, names } from "./descriptors.ts";

const SELF = new NodeIdentity(new Uint8Array(32).fill(99));
let clock = new VirtualClock({ startUnixMs: UNIX_MS });
afterEach(() => expect(clock.pending).toBe(0));

async function draw(routes: DescriptorRoutes, count: number): Promise<Route[]> {
  const drawn: Route[] = [];
  for (let i = 0; i < count; i++) drawn.push(await clock.runPromise(routes.route()));
  return drawn;
}

describe("routes in a network that is larger than what is seen of it", () => {
  const guards = many.slice(0, 3);
  const wanted = guards.map(({ id }) => nodeIdText(id));

  /** A discovery never shows the guards of the last run; they are found when asked for. */
  function large(askGuard?: AskGuard) {
    clock = new VirtualClock({ startUnixMs: UNIX_MS });
    const [shown, known] = [0, 1].map(() => new Directory({ unixMs: () => clock.unixMs() }));
    if (shown === undefined || known === undefined) throw new Error("two directories");
    for (const guard of guards) known.add(guard);
    for (const other of many.slice(3)) shown.add(other);
    const changes: string[][] = [];
    let lookups = 0;
    const routes = new DescriptorRoutes({
      discovery: shown,
      lookup: {
        lookup: (id) => {
          lookups += 1;
          return known.lookup(id);
        },
      },
      ...(askGuard && { askGuard }),
      clock,
      random: new SeededRandom(3),
      self: SELF.id,
      guards: guards.map(({ id }) => id),
      onGuards: (now) => changes.push(now.map(nodeIdText)),
    });
    /** Everybody has new keys, but for so many guards, which are gone. */
    const nextEpoch = (gone: number): void => {
      const epoch = epochOf(UNIX_MS) + 1;
      for (let i = 3; i < many.length; i++) shown.add(descriptorOf(i + 1, { epoch }));
      for (let i = gone; i < 3; i++) known.add(descriptorOf(i + 1, { epoch }));
    };
    return { routes, changes, nextEpoch, known, lookups: () => lookups };
  }

  it("name their guards to nobody while these answer themselves", async () => {
    const asked: (readonly [number, boolean])[] = [];
    let isThere = true;
    const { routes, changes, nextEpoch, known, lookups } = large(async (id, { mayDial }) => {
      asked.push([guards.findIndex((one) => nodeIdText(one.id) === nodeIdText(id)), mayDial]);
      return isThere ? known.find(id) : undefined;
    });
    for (let minute = 0; minute < 90; minute += 3) {
      if (minute === 30) nextEpoch(0);
      await clock.runUntil(minute * 60_000);
      for (const route of await draw(routes, 3)) expect(wanted).toContain(names(route)[0]);
    }
    expect(lookups()).toBe(0);
    expect(new Set(asked.map(([guard]) => guard))).toEqual(new Set([0, 1, 2]));
    // Who does not answer is looked up when his keys are too old, and not before.
    isThere = false;
    await clock.runUntil(EPOCH_MS / 2 + 40 * 60_000);
    await draw(routes, 3);
    expect(lookups()).toBe(0);
    expect(changes).toEqual([]);
  });

  it("look a guard up that does not answer itself, and wait for that no longer", async () => {
    const { routes, changes, lookups } = large(() => new Promise(() => {}));
    for (const route of await draw(routes, 3)) expect(wanted).toContain(names(route)[0]);
    expect(clock.now()).toBeLessThan(5_000);
    expect(lookups()).toBe(3);
    expect(changes).toEqual([]);
  });

  it("dial no more guards for that than are used", async () => {
    const dialled = new Set<string>();
    const { routes, known } = large(async (id, { mayDial }) => {
      if (mayDial) dialled.add(nodeIdText(id));
      return known.find(id);
    });
    const [first] = await draw(routes, 1);
    if (first === undefined) throw new Error("one route");
    routes.failed(first, { reason: "next-unreachable", hop: -1 });
    await draw(routes, 3);
    expect(routes.guards).toHaveLength(4);
    await clock.runUntil(310_000);
    await draw(routes, 3);
    expect(dialled).toEqual(new Set(wanted));
  });

  it("stay with their guards", async () => {
    const { routes, changes } = large();
    for (const route of await draw(routes, 20)) expect(wanted).toContain(names(route)[0]);
    expect(changes).toEqual([]);
  });

  it("have the keys that their guards have now", async () => {
    const { routes, changes, nextEpoch } = large();
    await draw(routes, 1);
    nextEpoch(0);
    await clock.runUntil(EPOCH_MS);
    for (const route of await draw(routes, 20)) expect(wanted).toContain(names(route)[0]);
    expect(changes).toEqual([]);
  });

  it("take other guards when those have been away for long", async () => {
    const { routes, nextEpoch } = large();
    await draw(routes, 1);
    nextEpoch(3);
    await clock.runUntil(1.6 * EPOCH_MS);
    const drawn = await draw(routes, 20);
    for (const route of drawn) expect(wanted).not.toContain(names(route)[0]);
  });
});
