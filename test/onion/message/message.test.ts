import { afterEach, describe, expect, it } from "vitest";
import { CulvertError, SeededRandom, utf8 } from "../../../src/base/index.ts";
import type { IncomingMessage } from "../../../src/onion/message/message.ts";
import { MessageDesk } from "../../../src/onion/message/message-desk.ts";
import { packetBytes } from "../../../src/onion/packet/geometry.ts";
import { epochsNear } from "../../../src/onion/packet/key-ring.ts";
import type { PacketLimits } from "../../../src/onion/packet/packet-protocol.ts";
import { chooseRoute, type RouteProvider } from "../../../src/onion/route/route.ts";
import { StaticRoutes } from "../../../src/onion/route/static-routes.ts";
import { GEOMETRY } from "../fixtures.ts";
import { PlannedRoutes } from "../planned-routes.ts";
import { VirtualNet } from "../virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

const BYTES = new SeededRandom(500).bytes(500);
const REPLY = new SeededRandom(501).bytes(500);

/** A net of so many peers: the first one writes to the last one. */
function setUp(
  peers: number,
  options: { readonly back?: readonly number[]; readonly packets?: Partial<PacketLimits> } = {},
) {
  net = new VirtualNet(peers + 4, { packets: options.packets ?? {} });
  const there = Array.from({ length: peers - 1 }, (_, i) => i + 1);
  const relays = there.slice(0, -1);
  const routes = new PlannedRoutes(net, there, [...(options.back ?? relays.toReversed()), 0]);
  const origin = new MessageDesk(net.service(0), routes);
  const destination = new MessageDesk(net.service(peers - 1), new StaticRoutes(() => []));
  const messages: IncomingMessage[] = [];
  destination.setMessageHandler((message) => {
    messages.push(message);
    if (message.isAnswerable) message.reply(REPLY);
  });
  return { origin, routes, messages, last: net.peer(peers - 1) };
}

/** Routes as they are drawn, in an epoch for which all hops have keys, by the clock of a node. */
function drawnRoutes(index: number, relays: readonly number[]): RouteProvider {
  const random = new SeededRandom(1);
  return {
    route: async ({ destination } = {}) => {
      const peers = relays.map((relay) => net.peer(relay));
      for (const epoch of epochsNear(net.clockOf(index).unixMs())) {
        const rules = { epoch, relays: 2, self: new Uint8Array(32), guards: [], isDiverse: false };
        const all = { isExcluded: no, isAvoided: no, isEdgeAvoided: no };
        const to = destination && { destination };
        const route = chooseRoute(peers, { ...rules, ...all, ...to }, random);
        if (route !== undefined) return route;
      }
      throw new CulvertError("CULVERT_UNREACHABLE");
    },
    failed: () => {},
    caught: () => {},
  };
}

const no = (): boolean => false;

describe("a message of one whose clock is off", () => {
  const MINUTE_MS = 60_000;

  it.each([-110, -61, -30, 30, 61, 90, 110])(
    "is answered by reply block, %d min",
    async (ahead) => {
      for (let minute = 0; minute < 60; minute += 10) {
        net = new VirtualNet(6, { aheadMs: new Map([[0, ahead * MINUTE_MS]]) });
        await net.clock.runUntil(minute * MINUTE_MS);
        const origin = new MessageDesk(net.service(0), drawnRoutes(0, [1, 2, 3, 4]));
        const destination = new MessageDesk(net.service(5), new StaticRoutes(() => []));
        destination.setMessageHandler((message) => message.reply(REPLY));
        const asked = origin.send(net.peer(5), BYTES, { reply: "surb" });
        expect(await net.clock.runPromise(asked, MINUTE_MS), `at ${minute}`).toEqual(REPLY);
        net.close();
      }
    },
  );
});

describe("a message of many packets", () => {
  it("comes whole and is answered along all of them", async () => {
    const world = setUp(4);
    const data = new SeededRandom(9).bytes(20_000);
    const answer = await net.clock.runPromise(
      world.origin.send(world.last, data, { reply: "state" }),
      60_000,
    );
    expect(world.messages[0]?.data).toEqual(data);
    expect(answer).toEqual(REPLY);
    await net.clock.runUntil(net.clock.now() + 40_000);
    expect(world.routes.failures).toEqual([]);
  });

  it("is refused when it gets too long, and never held whole", async () => {
    const world = setUp(3);
    const writer = world.origin.open(world.last, { reply: "none" });
    expect(() => {
      for (let i = 0; i < 200; i++) writer.write(new Uint8Array(1_000));
    }).toThrow(/packets/);
    await net.clock.runUntil(1_000);
    expect(net.passages.length).toBeGreaterThan(60);
  });

  it("tells who writes when that is wanted", async () => {
    const world = setUp(3);
    const origin = utf8("a descriptor");
    await net.clock.runPromise(world.origin.send(world.last, BYTES, { reply: "state", origin }));
    expect(world.messages[0]?.origin).toEqual(origin);
  });

  it("is mixed on its way when that is wanted", async () => {
    const world = setUp(6);
    const from = net.clock.now();
    await net.clock.runPromise(
      world.origin.send(world.last, BYTES, { reply: "state", mixMs: 500 }),
    );
    expect(net.clock.now() - from).toBeGreaterThan(300);
  });
});

describe("a failure", () => {
  it("that nobody tells belongs to nobody", async () => {
    const world = setUp(4);
    net.intercept = ({ bytes, from }) => (from === 2 ? [] : [bytes]);
    const sent = world.origin.send(world.last, BYTES, { reply: "state" });
    await expect(net.clock.runPromise(sent, 60_000)).rejects.toMatchObject({
      code: "CULVERT_TIMEOUT",
      detail: { reason: "timeout" },
    });
    expect(world.routes.failures).toEqual([{ reason: "timeout" }]);
  });

  it("without a reply block that comes home is a timeout", async () => {
    const world = setUp(4);
    net.intercept = ({ bytes, to }) => (to === 0 ? [] : [bytes]);
    const sent = world.origin.send(world.last, BYTES, { reply: "surb" });
    await expect(net.clock.runPromise(sent, 60_000)).rejects.toMatchObject({
      code: "CULVERT_TIMEOUT",
    });
    expect(world.origin.awaited).toBe(0);
    expect(world.routes.failures.length).toBe(2);
  });
});

describe("a node that is flooded with noise", () => {
  it("drops and counts it, sends nothing, and keeps nothing", async () => {
    const world = setUp(3);
    const dice = new SeededRandom(2);
    const from = net.node(2).id;
    for (let i = 0; i < 300; i++) {
      const unit = dice.bytes(packetBytes(GEOMETRY));
      unit[0] = [1, 2, 7][i % 3] ?? 0;
      net.service(1).receive(from, unit);
    }
    net.service(1).receive(from, dice.bytes(7));
    await net.clock.runUntil(1_000);
    expect(net.passages.length).toBe(0);
    const counts = net.service(1).counts().packets;
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(301);
    expect(counts.get("unknown-back")).toBe(100);
    expect(counts.get("length")).toBe(1);
    await net.clock.runPromise(world.origin.send(world.last, BYTES, { reply: "state" }));
  });
});

describe("the reply blocks of a message", () => {
  /** Of one message of 2,000 bytes. */
  const BLOCKS = 6;
  const LONG = new SeededRandom(10).bytes(2_000);

  it("are of no use to anybody once it is answered, or was given up", async () => {
    const { origin, last, routes } = setUp(4, { packets: { surbsMax: BLOCKS } });
    const abort = new AbortController();
    const send = (signal?: AbortSignal) =>
      net.clock.runPromise(origin.send(last, LONG, { reply: "surb", signal }), 60_000);
    for (let i = 0; i < 3; i++) expect(await send()).toEqual(REPLY);
    net.clock.schedule(net.clock.now() + 30, () => abort.abort());
    await expect(send(abort.signal)).rejects.toThrow(/abort/);
    expect(await send()).toEqual(REPLY);
    expect(routes.failures).toEqual([]);
    expect(net.service(0).counts().packets.get("overload")).toBeUndefined();
  });

  it("are refused at once when they are too many, and no route is to blame", async () => {
    const { origin, last, routes } = setUp(4, { packets: { surbsMax: 1 } });
    const sent = origin.send(last, LONG, { reply: "surb" });
    await expect(net.clock.runPromise(sent, 1_000)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    await net.clock.runUntil(net.clock.now() + 60_000);
    expect(routes.failures).toEqual([]);
  });
});

describe("a message that is written slowly", () => {
  it("is answered as long after its end as any other", async () => {
    const { origin, last, routes } = setUp(4);
    const writer = origin.open(last, { reply: "surb" });
    writer.write(BYTES);
    await net.clock.runUntil(25_000);
    net.spoil({ holdMs: () => 2_500 });
    expect(await net.clock.runPromise(writer.end(), 60_000)).toEqual(REPLY);
    expect(net.clock.now()).toBeGreaterThan(33_000);
    expect(routes.failures).toEqual([]);
  });

  it.each([true, false])("blames nobody when it takes too long (ended: %s)", async (isEnded) => {
    const { origin, last, routes } = setUp(4);
    const writer = origin.open(last, { reply: "surb" });
    for (let i = 0; i < 4; i++) {
      writer.write(BYTES);
      await net.clock.runUntil(net.clock.now() + 10_000);
    }
    if (isEnded) {
      const end = net.clock.runPromise(writer.end(), 60_000);
      await expect(end).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
    }
    await net.clock.runUntil(net.clock.now() + 60_000);
    expect(routes.failures).toEqual([]);
    expect(origin.awaited).toBe(0);
  });
});

it.each(["state", "errors"] as const)(
  "a message (%s) that is given up ends then",
  async (reply) => {
    const { origin, last, routes } = setUp(4);
    net.spoil({ units: () => [] });
    const abort = new AbortController();
    const sent = origin.send(last, BYTES, { reply, signal: abort.signal });
    net.clock.schedule(100, () => abort.abort());
    const ended = net.clock.runPromise(sent, 200);
    await expect(ended).rejects.toMatchObject({ name: "AbortError" });
    await net.clock.runUntil(60_000);
    expect(routes.failures).toEqual([]);
  },
);

it("a reply block leads homewards, as nothing else does", async () => {
  const { origin, last, routes } = setUp(4);
  const asked: (readonly [boolean, boolean])[] = [];
  const draw = routes.route.bind(routes);
  routes.route = (request = {}) => {
    const isHere = request.destination?.id === net.node(0).id;
    asked.push([isHere, request.isHomeward === true]);
    return draw(request);
  };
  const sent = origin.send(last, BYTES, { reply: "surb" });
  expect(await net.clock.runPromise(sent, 60_000)).toEqual(REPLY);
  expect(asked).toEqual([
    [false, false],
    [true, true],
  ]);
});
