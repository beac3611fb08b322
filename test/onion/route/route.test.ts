import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  Directory,
  type NodeDescriptor,
  NodeIdentity,
  nodeIdText,
} from "../../../src/identity/index.ts";
import { EPOCH_MS, epochOf } from "../../../src/onion/packet/key-ring.ts";
import { DescriptorRoutes, type RouteOptions } from "../../../src/onion/route/descriptor-routes.ts";
import { peerOf, type Route } from "../../../src/onion/route/route.ts";
import { StaticRoutes } from "../../../src/onion/route/static-routes.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { UNIX_MS } from "../fixtures.ts";
import { descriptorOf, many, names } from "./descriptors.ts";

const SELF = new NodeIdentity(new Uint8Array(32).fill(99));
let clock = new VirtualClock({ startUnixMs: UNIX_MS });
afterEach(() => expect(clock.pending).toBe(0));

function setUp(
  descriptors: readonly NodeDescriptor[],
  {
    kept: guards = [],
    ...options
  }: Partial<RouteOptions> & { readonly kept?: readonly Uint8Array[] } = {},
) {
  clock = new VirtualClock({ startUnixMs: UNIX_MS });
  const discovery = new Directory({ unixMs: () => clock.unixMs() });
  for (const descriptor of descriptors) discovery.add(descriptor);
  const kept: number[] = [];
  const components = {
    discovery,
    clock,
    random: new SeededRandom(2),
    self: SELF.id,
    guards,
    onGuards: (guards: readonly Uint8Array[]) => kept.push(guards.length),
  };
  return { discovery, kept, routes: new DescriptorRoutes(components, options) };
}

async function draw(routes: DescriptorRoutes, count = 50): Promise<Route[]> {
  const drawn: Route[] = [];
  for (let i = 0; i < count; i++) drawn.push(await clock.runPromise(routes.route()));
  return drawn;
}

describe("routes over descriptors", () => {
  it("have three relays, no node twice, and begin at one of a few guards", async () => {
    const { routes, kept } = setUp(many);
    const drawn = await draw(routes);
    for (const route of drawn) {
      expect(new Set(names(route)).size).toBe(3);
      expect(routes.guards.map(nodeIdText)).toContain(names(route)[0]);
    }
    expect(new Set(drawn.map((route) => names(route)[0])).size).toBe(3);
    expect(new Set(drawn.map((route) => names(route)[2])).size).toBeGreaterThan(15);
    expect(kept).toEqual([3]);
  });

  it("are longer or shorter within the bias", async () => {
    const { routes } = setUp(many, { relays: 3, relaysBias: 1 });
    const lengths = (await draw(routes)).map(({ hops }) => hops.length);
    expect(new Set(lengths)).toEqual(new Set([2, 3, 4]));
  });

  it("end at a destination that is nowhere else", async () => {
    const { routes } = setUp(many);
    const destination = peerOf(many[7] ?? descriptorOf(8));
    for (let i = 0; i < 50; i++) {
      const route = await clock.runPromise(routes.route({ destination, relays: 2 }));
      expect(route.hops.length).toBe(3);
      expect(names(route).indexOf(nodeIdText(destination.id))).toBe(2);
    }
  });

  it("come home by a guard, and begin anywhere: whoever has a reply block sees that", async () => {
    const { routes } = setUp(many);
    const [own] = many;
    if (own === undefined) throw new Error("many");
    const destination = { ...peerOf(own), id: SELF.id, prefixes: [] };
    const first = new Set<string | undefined>();
    for (let i = 0; i < 100; i++) {
      const route = await clock.runPromise(routes.route({ destination, isHomeward: true }));
      expect(names(route)[3]).toBe(nodeIdText(SELF.id));
      expect(routes.guards.map(nodeIdText)).toContain(names(route)[2]);
      first.add(names(route)[0]);
    }
    expect(first.size).toBeGreaterThan(20);
  });

  it("have no two hops of one network", async () => {
    const shared = many.map((_, i) => descriptorOf(i + 1, { host: `10.0.${i % 4}.${i + 1}` }));
    const { routes } = setUp(shared);
    const prefix = new Map(shared.map((one) => [nodeIdText(one.id), peerOf(one).prefixes[0]]));
    for (const route of await draw(routes)) {
      expect(new Set(names(route).map((name) => prefix.get(name))).size).toBe(3);
    }
    const one = many.map((_, i) => descriptorOf(i + 1, { host: `10.0.0.${i + 1}` }));
    const narrow = setUp(one, { waitMs: 1_000 });
    const none = clock.runPromise(narrow.routes.route(), 60_000);
    await expect(none).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    const allowed = setUp(one, { isDiverse: false });
    expect((await clock.runPromise(allowed.routes.route())).hops.length).toBe(3);
  });

  it("go through relays and end at exits, with keys of this epoch", async () => {
    const relay = [1, 2, 3].map((seed) => descriptorOf(seed, { roles: ["onion-relay"] }));
    const exit = descriptorOf(4, { roles: ["onion-exit"] });
    const old = descriptorOf(5, { epoch: epochOf(UNIX_MS) - 1 });
    const storage = descriptorOf(6, { roles: ["storage"] });
    const { routes } = setUp([...relay, exit, old, storage]);
    for (const route of await draw(routes)) {
      expect(names(route)[2]).toBe(nodeIdText(exit.id));
      expect(names(route)).not.toContain(nodeIdText(old.id));
      expect(route.epoch).toBe(Math.floor(UNIX_MS / EPOCH_MS));
    }
  });

  it.each([-2, -1, 1, 2])(
    "keep to the epoch of the others where this clock is %d h off",
    async (hours) => {
      const epoch = epochOf(UNIX_MS) - hours;
      const others = [1, 2, 3, 4].map((seed) => descriptorOf(seed, { epoch }));
      const { routes } = setUp(Math.abs(hours) > 1 ? others : [...others, descriptorOf(5)]);
      for (const route of await draw(routes, 10)) {
        expect(route.epoch).toBe(epoch);
        expect(routes.guards.map(nodeIdText)).toContain(names(route)[0]);
      }
    },
  );

  it("are in no epoch for which few have told keys, whatever is left of this one", async () => {
    const epoch = epochOf(UNIX_MS);
    const honest = many.slice(0, 20);
    const early = [50, 51, 52, 53].map((seed) => descriptorOf(seed, { epoch: epoch + 1 }));
    const kept = [...early, ...honest].map(({ id }) => id).slice(2, 5);
    const { routes } = setUp([...honest, ...early], { kept, waitMs: 1_000 });
    for (const route of await draw(routes, 20)) expect(route.epoch).toBe(epoch);
    // As when all exits have had their share.
    const isExcluded = (exit: Uint8Array): boolean =>
      honest.some(({ id }) => nodeIdText(id) === nodeIdText(exit));
    const drawn = clock.runPromise(routes.route({ isExcluded }), 60_000);
    await expect(drawn).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });

  it("are not in the epoch of a clock that is off, and of few who tell keys of it", async () => {
    const epoch = epochOf(UNIX_MS);
    const others = Array.from({ length: 20 }, (_, i) => descriptorOf(i + 1, { epoch: epoch - 1 }));
    const epochs = [epoch - 1, epoch];
    const few = [50, 51, 52, 53].map((seed) => descriptorOf(seed, { epochs }));
    const kept = [...few, ...others].map(({ id }) => id).slice(2, 5);
    const { routes } = setUp([...others, ...few], { kept });
    for (const route of await draw(routes, 20)) expect(route.epoch).toBe(epoch - 1);
  });

  it("wait until enough nodes are known", async () => {
    const { routes, discovery } = setUp(many.slice(0, 2));
    const drawn = routes.route();
    await clock.runUntil(3_000);
    discovery.add(many[9] ?? descriptorOf(10));
    const route = await clock.runPromise(drawn, 60_000);
    expect(route.hops.length).toBe(3);
    expect(clock.now()).toBeLessThan(5_000);
  });

  it("are not waited for after an abort", async () => {
    const { routes } = setUp([]);
    const abort = new AbortController();
    const drawn = routes.route({ signal: abort.signal });
    await clock.runUntil(2_000);
    abort.abort();
    await expect(drawn).rejects.toMatchObject({ name: "AbortError" });
  });

  it.each(["at first", "later"])(
    "are drawn in time, whoever holds up %s who is asked",
    async (when) => {
      clock = new VirtualClock({ startUnixMs: UNIX_MS });
      let isHeldUp = when === "at first";
      const discover = (): Promise<readonly NodeDescriptor[]> =>
        isHeldUp ? new Promise(() => {}) : Promise.resolve(many);
      const components = { discovery: { discover }, clock, random: new SeededRandom(2) };
      const routes = new DescriptorRoutes({ ...components, self: SELF.id }, { waitMs: 10_000 });
      if (!isHeldUp) await draw(routes, 1);
      isHeldUp = true;
      await clock.runUntil(310_000);
      const abort = new AbortController();
      const given = routes.route({ signal: abort.signal });
      abort.abort();
      await expect(given).rejects.toMatchObject({ name: "AbortError" });
      const code = routes.route().then(
        ({ hops }) => hops.length,
        (error) => error.code,
      );
      const begunAt = clock.now();
      expect(await clock.runPromise(code, 600_000)).toBe(
        when === "later" ? 3 : "CULVERT_UNREACHABLE",
      );
      expect(clock.now() - begunAt).toBeLessThanOrEqual(when === "later" ? 3_000 : 60_000);
      // Those at hand are too old by now.
      await clock.runUntil(700_000);
      const late = routes.route().catch(() => undefined);
      await clock.runPromise(late, 600_000);
      expect(clock.now() - 700_000).toBe(60_000);
    },
  );

  it("leave out exits that are not wanted", async () => {
    const { routes } = setUp(many.slice(0, 6));
    const unwanted = nodeIdText(many[2]?.id ?? SELF.id);
    for (let i = 0; i < 50; i++) {
      const isExcluded = (exit: Uint8Array): boolean => nodeIdText(exit) === unwanted;
      const route = await clock.runPromise(routes.route({ isExcluded }));
      expect(names(route)[2]).not.toBe(unwanted);
    }
  });

  it("avoid hops that fail, and guards too", async () => {
    const { routes } = setUp(many);
    const [first] = await draw(routes, 1);
    if (first === undefined) throw new Error("one route");
    const [guard, middle, exit] = names(first);
    routes.failed(first, { reason: "policy", hop: 1 });
    routes.failed(first, { reason: "policy", hop: 0 });
    routes.failed(first, { reason: "next-unreachable", hop: 1 });
    routes.failed(first, { reason: "next-unreachable", hop: 1 });
    for (const route of await draw(routes)) {
      for (const name of [guard, middle, exit]) expect(names(route)).not.toContain(name);
    }
    expect(routes.guards.length).toBe(4);
  });

  it("lead over hops that failed where no others are left, and never over a liar", async () => {
    const { routes } = setUp(many.slice(0, 5));
    const liar = many[4]?.id ?? SELF.id;
    routes.caught(liar);
    for (let round = 0; round < 20; round++) {
      for (const route of await draw(routes, 5)) {
        expect(names(route)).not.toContain(nodeIdText(liar));
        routes.failed(route, { reason: "timeout" });
      }
    }
  });

  it("avoid a node that was caught lying for an hour, at every place of a route", async () => {
    const few = many.slice(0, 8);
    const { routes, discovery } = setUp(few);
    const liar = few[0]?.id ?? SELF.id;
    const isMet = async (): Promise<boolean> =>
      (await draw(routes, 30)).some((route) => names(route).includes(nodeIdText(liar)));
    expect(await isMet()).toBe(true);
    routes.caught(liar);
    expect(await isMet()).toBe(false);
    await clock.runUntil(25 * 60_000);
    expect(await isMet()).toBe(false);
    // In another epoch, with other keys.
    await clock.runUntil(65 * 60_000);
    for (let i = 0; i < 8; i++) discovery.add(descriptorOf(i + 1, { epoch: epochOf(UNIX_MS) + 1 }));
    expect(await isMet()).toBe(true);
  });

  it("return to a guard that could not be dialled once", async () => {
    const { routes } = setUp(many.slice(0, 12));
    const [first] = await draw(routes, 1);
    if (first === undefined) throw new Error("one route");
    routes.failed(first, { reason: "next-unreachable", hop: -1 });
    const [guard] = names(first);
    for (const route of await draw(routes, 10)) expect(names(route)[0]).not.toBe(guard);
    await clock.runUntil(clock.now() + 60_000);
    expect((await draw(routes, 20)).map((route) => names(route)[0])).toContain(guard);
    expect(routes.guards.length).toBe(4);
  });

  it("keep the guards of the last run", async () => {
    const wanted = many.slice(5, 8).map(({ id }) => id);
    const base = setUp(many);
    const routes = new DescriptorRoutes({
      discovery: base.discovery,
      clock,
      random: new SeededRandom(3),
      self: SELF.id,
      guards: wanted,
    });
    await draw(routes, 5);
    expect(routes.guards.map(nodeIdText)).toEqual(wanted.map(nodeIdText));
  });
});

describe("static routes", () => {
  const route = { epoch: 1, hops: [{ id: SELF.id, onionKey: new Uint8Array(32) }] };

  it("come in turn, as they are", async () => {
    const other = { ...route, epoch: 2 };
    const routes = new StaticRoutes(() => [route, other]);
    expect([await routes.route(), await routes.route(), await routes.route()]).toEqual([
      route,
      other,
      route,
    ]);
    await expect(routes.route({ isExcluded: () => true })).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
  });
});
