import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { StaticRoutes } from "../../src/onion/descriptor-routes.ts";
import { EPOCH_GRACE_MS, EPOCH_MS } from "../../src/onion/key-ring.ts";
import { MessageDesk } from "../../src/onion/message-desk.ts";
import { makeSurb, useSurb } from "../../src/onion/surb.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

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
