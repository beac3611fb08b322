import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { packetBytes } from "../../src/onion/packet/geometry.ts";
import { EPOCH_GRACE_MS, EPOCH_LEAD_MS, EPOCH_MS } from "../../src/onion/packet/key-ring.ts";
import { buildPacket, hopsOf } from "../../src/onion/packet/packet.ts";
import { PACKET_LIMITS } from "../../src/onion/packet/packet-protocol.ts";
import { REPLAY_TAGS_MAX } from "../../src/onion/packet/replay-tags.ts";
import { ONION_RELAY_LIMITS } from "../../src/onion/relay/relay-protocol.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { countingSuite, fastSuite, GEOMETRY } from "./fixtures.ts";
import { PlannedRoutes } from "./planned-routes.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

const BYTES = new SeededRandom(500).bytes(100);

describe("a neighbour that floods a relay", () => {
  it("with builds leaves room for those of another one", async () => {
    const limits = { buildsPerSecond: 10, buildsBurst: 20 };
    net = new VirtualNet(4, { relay: { limits } });
    const { links } = net.service(0);
    const flood = (): void => {
      const events = { unit: () => {}, sent: () => {}, closed: () => {} };
      links.open(net.node(1).id, events).send(new Uint8Array(packetBytes(GEOMETRY)));
    };
    for (let second = 1; second <= 5; second++) {
      for (let i = 0; i < 100; i++) flood();
      await net.clock.runUntil(second * 1_000);
      for (let i = 0; i < 100; i++) flood();
      await net.clock.runPromise(Circuit.build(net.service(2), net.route(1, 3)));
    }
    expect(net.service(1).counts().circuits.get("refused-build")).toBeGreaterThan(500);
  });

  it("with circuits leaves room for those of another one, however many do so", async () => {
    const limits = { circuitsMax: 12, circuitsPerLinkMax: 5 };
    net = new VirtualNet(8, { relay: { limits } });
    const events = { unit: () => {}, sent: () => {}, closed: () => {} };
    const flood = async (): Promise<void> => {
      for (const hostile of [4, 5, 6, 7]) {
        for (let i = 0; i < 9; i++) net.service(hostile).links.open(net.node(1).id, events);
      }
      await net.clock.runUntil(net.clock.now() + 1_000);
    };
    await flood();
    expect(net.service(1).circuits).toBe(12);
    const build = (): Promise<Circuit> => Circuit.build(net.service(2), net.route(1, 3));
    const built = [await net.clock.runPromise(build())];
    built.push(await net.clock.runPromise(build()));
    for (let second = 0; second < 5; second++) await flood();
    // What it has is not taken from it: nobody has less.
    expect(built.every((circuit) => circuit.isUsable)).toBe(true);
    expect(net.service(1).circuits).toBe(12);
    await expect(net.clock.runPromise(build())).rejects.toThrow();
  });

  it("by many ids at one place has the share of one", async () => {
    const limits = { circuitsMax: 12, circuitsPerLinkMax: 6, buildsPerSecond: 1, buildsBurst: 24 };
    const sources = new Map([4, 5, 6, 7].map((index) => [index, "198.51.100"]));
    net = new VirtualNet(8, { relay: { limits }, packets: { statesMax: 12 }, sources });
    const events = { unit: () => {}, sent: () => {}, closed: () => {} };
    const noise = new Uint8Array(packetBytes(GEOMETRY));
    for (const hostile of [4, 5, 6, 7]) {
      for (let i = 0; i < 6; i++) {
        net.service(hostile).links.open(net.node(1).id, events).send(noise.slice());
        net.service(hostile).links.open(net.node(1).id, events);
      }
    }
    await net.clock.runUntil(1_000);
    const built: Circuit[] = [];
    for (let i = 0; i < 6; i++) {
      const route = net.route(1, i % 2 === 0 ? 2 : 3);
      built.push(await net.clock.runPromise(Circuit.build(net.service(0), route)));
    }
    expect(built.every((circuit) => circuit.isUsable)).toBe(true);
    expect(net.service(1).circuits).toBe(12);

    const mute = new MessageDesk(net.service(2), new StaticRoutes(() => []));
    mute.setMessageHandler(() => {});
    const send = (from: number, to: number): Promise<unknown> => {
      const desk = new MessageDesk(net.service(from), new StaticRoutes(() => [net.route(1, to)]));
      return desk.send(net.peer(to), BYTES, { reply: "state" });
    };
    for (const hostile of [4, 5, 6, 7]) {
      for (let i = 0; i < 6; i++) send(hostile, 2).catch(() => {});
    }
    await net.clock.runUntil(net.clock.now() + 500);
    const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
    last.setMessageHandler((message) => message.reply(BYTES));
    for (let i = 0; i < 3; i++) await net.clock.runPromise(send(0, 3), 20_000);
  });

  it("with circuits to one node leaves room for those of another one", async () => {
    net = new VirtualNet(6, { relay: { limits: { circuitsPerLinkMax: 6 } } });
    const build = (from: number): Promise<Circuit> =>
      Circuit.build(net.service(from), net.route(1, 3));
    const flood = Array.from({ length: 9 }, () => build(0));
    const outcomes = await net.clock.runPromise(Promise.allSettled(flood));
    const hostile = outcomes.flatMap((it) => (it.status === "fulfilled" ? it.value : []));
    expect(hostile).toHaveLength(6);
    for (const from of [2, 4, 2]) await net.clock.runPromise(build(from));
    const ends = hostile.filter(({ isEnded }) => isEnded).map(({ ended }) => ended);
    const overload = { failure: { reason: "overload", hop: 0 } };
    expect(await Promise.all(ends)).toEqual([overload, overload, overload]);
    await expect(net.clock.runPromise(build(2))).rejects.toMatchObject({
      detail: { reason: "overload", hop: 0 },
    });
  });

  it.each([
    { name: "packets that it is to hold", packets: { delayedMax: 8 }, mixMs: 5_000 },
    { name: "packets whose state it is to keep", packets: { statesMax: 24 }, mixMs: 0 },
  ])("with $name leaves room for those of another one", async ({ packets, mixMs }) => {
    net = new VirtualNet(6, { packets });
    const deskOf = (index: number, middle: number): MessageDesk =>
      new MessageDesk(net.service(index), new PlannedRoutes(net, [1, middle, 3], [2, 1, 0]));
    const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
    let isFlood = true;
    // Nobody answers the flood, whose states stay.
    last.setMessageHandler((message) => isFlood || message.reply(BYTES));
    const send = (desk: MessageDesk, delayMs: number): Promise<unknown> =>
      desk.send(net.peer(3), BYTES, { reply: "state", mixMs: delayMs });
    const flood = deskOf(0, 2);
    const refused: unknown[] = [];
    for (let i = 0; i < 24; i++) send(flood, mixMs).catch(({ detail }) => refused.push(detail));
    await net.clock.runUntil(500);
    isFlood = false;
    for (let i = 0; i < 3; i++) {
      await net.clock.runPromise(send(deskOf(4, 5), mixMs / 5), 40_000);
    }
    await net.clock.runUntil(60_000);
    expect(refused.length).toBeGreaterThan(0);
  });

  it("with nodes that are not there is known to whoever looks for them", async () => {
    net = new VirtualNet(5);
    const named: unknown[] = [];
    const { links } = net.service(1);
    const { open, send } = links;
    Object.assign(links, {
      open: (...[to, events, from]: Parameters<typeof open>) => {
        named.push(["circuit", from]);
        return open(to, events, from);
      },
      send: (...[to, unit, from]: Parameters<typeof send>) => {
        named.push(["packet", from]);
        return send(to, unit, from);
      },
    });
    await net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2)));
    const desk = new MessageDesk(net.service(4), new StaticRoutes(() => [net.route(1, 3)]));
    await net.clock.runPromise(desk.send(net.peer(3), BYTES, { reply: "none" }));
    await net.clock.runUntil(1_000);
    // Where a reply block leads is said by who has sent it.
    const last = new MessageDesk(net.service(1), new StaticRoutes(() => []));
    last.setMessageHandler((message) => message.reply(BYTES));
    const asking = new MessageDesk(net.service(0), new PlannedRoutes(net, [2, 1], [3, 0]));
    await net.clock.runPromise(asking.send(net.peer(1), BYTES, { reply: "surb" }));
    expect(named).toEqual([
      ["circuit", net.node(0).id],
      ["packet", net.node(4).id],
      ["packet", net.node(2).id],
    ]);
  });

  it("with messages that are never whole has none of others forgotten", async () => {
    net = new VirtualNet(5);
    const got: number[] = [];
    const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
    last.setMessageHandler(({ data }) => got.push(data.length));
    const begin = (from: number, ...way: number[]) => {
      const desk = new MessageDesk(net.service(from), new StaticRoutes(() => [net.route(...way)]));
      const writer = desk.open(net.peer(3), { reply: "none" });
      // One packet leaves, and there is more to come.
      writer.write(new Uint8Array(1_250));
      return writer;
    };
    const honest = begin(0, 1, 3);
    await net.clock.runUntil(1_000);
    for (let i = 0; i < 1_100; i++) begin(4, 3);
    await net.clock.runUntil(2_000);
    await net.clock.runPromise(honest.end());
    await net.clock.runUntil(3_000);
    expect(got).toEqual([1_250]);
  });

  it("with packets has few of them opened, and leaves room for those of another one", async () => {
    const packets = { packetsPerSecond: 10, packetsBurst: 40 };
    const { suite, counts } = countingSuite(fastSuite());
    net = new VirtualNet(4, { packets, suite });
    const noise = new SeededRandom(7).bytes(packetBytes(GEOMETRY)).fill(1, 0, 1);
    const got: number[] = [];
    const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
    last.setMessageHandler(({ data }) => got.push(data.length));
    const desk = new MessageDesk(net.service(2), new StaticRoutes(() => [net.route(1, 3)]));
    const before = counts.x25519;
    for (let second = 1; second <= 5; second++) {
      for (let i = 0; i < 1_000; i++) net.service(1).receive(net.node(0).id, noise.slice());
      await net.clock.runPromise(desk.send(net.peer(3), BYTES, { reply: "none" }));
      await net.clock.runUntil(second * 1_000);
    }
    expect(got).toHaveLength(5);
    // Half of the burst and what came back; and five packets made and opened at two hops.
    expect(counts.x25519 - before).toBeLessThanOrEqual(20 + 50 + 5 * 4);
    expect(net.service(1).counts().packets.get("refused-packet")).toBeGreaterThan(4_900);
  });

  it("can have no more packets opened than there is room to know again, and to keep", () => {
    const { packetsPerSecond, packetsBurst, statesMax, stateMs } = PACKET_LIMITS;
    const { buildsPerSecond, buildsBurst } = ONION_RELAY_LIMITS;
    const keySeconds = (EPOCH_LEAD_MS + EPOCH_MS + EPOCH_GRACE_MS) / 1_000;
    const opened = packetsBurst + buildsBurst + keySeconds * (packetsPerSecond + buildsPerSecond);
    expect(opened).toBeLessThanOrEqual(REPLAY_TAGS_MAX);
    expect(packetsBurst + (packetsPerSecond * stateMs) / 1_000).toBeLessThanOrEqual(statesMax);
  });

  it("from many places at once, again and again, leaves room for another one", async () => {
    const hostile = Array.from({ length: 12 }, (_, i) => 4 + i);
    net = new VirtualNet(16, { packets: { delayedMax: 64 } });
    const got: number[] = [];
    const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
    last.setMessageHandler(({ data }) => got.push(data.length));
    const { parts } = net.service(0);
    const random = new SeededRandom(3);
    /** A packet that the relay is to hold for so long. */
    const held = (delayMs: number): Uint8Array => {
      const { epoch, hops: route } = net.route(1, 2);
      const delays = { last: "deliver", name: random.bytes(32), delayMs: () => delayMs } as const;
      const hops = hopsOf(route, delays);
      return buildPacket(parts, { epoch, hops, content: BYTES, random })?.unit ?? BYTES;
    };
    const desk = new MessageDesk(net.service(0), new StaticRoutes(() => [net.route(1, 3)]));
    for (let round = 0; round < 4; round++) {
      // All come back together, and each takes what he can get before the next one does.
      for (const from of hostile) {
        for (let i = 0; i < 64; i++) net.service(1).receive(net.node(from).id, held(10_000));
      }
      await net.clock.runPromise(desk.send(net.peer(3), BYTES, { reply: "none", mixMs: 500 }));
      await net.clock.runUntil((round + 1) * 11_000);
    }
    expect(got).toHaveLength(4);
  });
});
