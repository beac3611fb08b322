import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit.ts";
import { StaticRoutes } from "../../src/onion/descriptor-routes.ts";
import { EPOCH_GRACE_MS, EPOCH_MS } from "../../src/onion/key-ring.ts";
import { MessageDesk } from "../../src/onion/message-desk.ts";
import { makeSurb, useSurb } from "../../src/onion/surb.ts";
import { GEOMETRY } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

/** Every node but the first is a hop. */
const GEOMETRY_OF_25 = { ...GEOMETRY, hopsMax: 24, cellBytes: 1_280 };

const others = (count: number): number[] => Array.from({ length: count - 1 }, (_, i) => i + 1);

describe.each([2, 3, 25])("ping-pong over %d nodes", (count) => {
  it("works through a circuit", async () => {
    net = new VirtualNet(count, { geometry: GEOMETRY_OF_25 });
    net.service(count - 1).setHandlers({ data: (circuit, ping) => circuit.sendData(ping) });
    const route = net.route(...others(count));
    const circuit = await net.clock.runPromise(Circuit.build(net.service(0), route), 60_000);
    const pongs: Uint8Array[] = [];
    circuit.setDataHandler((pong) => pongs.push(pong));
    for (let round = 1; round <= 5; round++) {
      const ping = new SeededRandom(round).bytes(100);
      circuit.sendData(ping);
      await net.clock.runUntil(() => pongs.length === round, 60_000);
      expect(pongs.at(-1)).toEqual(ping);
    }
  });

  it.each(["surb", "state"] as const)("works through packets, answered by %s", async (reply) => {
    const geometry = { ...GEOMETRY_OF_25, payloadBytes: 4_096 };
    net = new VirtualNet(count, { geometry });
    const there = others(count);
    const routes = new StaticRoutes(() => [net.route(...there)]);
    const back = [...there.slice(0, -1).toReversed(), 0];
    const desk = new MessageDesk(net.service(0), {
      route: ({ destination } = {}) =>
        destination?.id === net.node(0).id ? Promise.resolve(net.route(...back)) : routes.route(),
      failed: () => {},
    });
    const last = new MessageDesk(net.service(count - 1), routes);
    last.setMessageHandler((message) => message.reply(message.data));
    const ping = new SeededRandom(1).bytes(200);
    for (let round = 1; round <= 3; round++) {
      const pong = desk.send(net.peer(count - 1), ping, { reply });
      expect(await net.clock.runPromise(pong, 60_000)).toEqual(ping);
    }
  });
});

describe("a reply block", () => {
  it.each([
    ["in its epoch", 0, "relayed"],
    ["in the grace behind it", EPOCH_MS / 2 + EPOCH_GRACE_MS / 2, "relayed"],
    ["after that", EPOCH_MS / 2 + EPOCH_GRACE_MS, "epoch"],
  ])("used %s is taken or dropped", async (_, waitMs, counted) => {
    net = new VirtualNet(3);
    const random = new SeededRandom(4);
    const { parts } = net.service(0);
    const route = net.route(1, 2);
    const surb = makeSurb(parts, { epoch: route.epoch, route: route.hops, random });
    if (surb === undefined) throw new Error("the keys are good");
    await net.clock.runUntil(waitMs);
    const { unit } = useSurb(parts, surb.bytes, new Uint8Array(5));
    net.service(1).receive(net.node(0).id, unit);
    expect([...net.service(1).counts().packets]).toEqual([[counted, 1]]);
  });
});

describe("packets that are mixed", () => {
  /** In which order an exit gets packets that were sent one after the other. */
  async function orderAt(senders: number): Promise<number[]> {
    net = new VirtualNet(10);
    const exit = 9;
    const got: number[] = [];
    const desk = new MessageDesk(net.service(exit), new StaticRoutes(() => []));
    desk.setMessageHandler(({ data }) => got.push(data[0] ?? 0));
    for (let i = 0; i < 40; i++) {
      const sender = i % senders;
      const routes = new StaticRoutes(() => [net.route(6, 7, 8, exit)]);
      const from = new MessageDesk(net.service(sender), routes);
      const sent = from.send(net.peer(exit), Uint8Array.of(i), { reply: "none", mixMs: 200 });
      await net.clock.runPromise(sent, 60_000);
      await net.clock.runUntil(net.clock.now() + 5);
    }
    await net.clock.runUntil(net.clock.now() + 10_000);
    net.close();
    return got;
  }

  /** How far packets are from where they were sent, on average. */
  const disorder = (order: readonly number[]): number =>
    order.reduce((sum, value, at) => sum + Math.abs(value - at), 0) / order.length;

  it("come in an order that does not tell how many have sent them", async () => {
    const [one, many] = [await orderAt(1), await orderAt(5)];
    for (const order of [one, many]) {
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
      expect(disorder(order)).toBeGreaterThan(6);
    }
    expect(Math.abs(disorder(one) - disorder(many))).toBeLessThan(5);
  });
});
