import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { EPOCH_GRACE_MS, EPOCH_MS } from "../../src/onion/packet/key-ring.ts";
import { makeSurb, useSurb } from "../../src/onion/packet/surb.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
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
  async function orderAt(
    senders: number,
    { seed, mixMs }: { readonly seed: number; readonly mixMs: number },
  ): Promise<number[]> {
    net = new VirtualNet(10, { seed });
    const exit = 9;
    const got: number[] = [];
    const desk = new MessageDesk(net.service(exit), new StaticRoutes(() => []));
    desk.setMessageHandler(({ data }) => got.push(data[0] ?? 0));
    for (let i = 0; i < PACKETS; i++) {
      const sender = i % senders;
      const routes = new StaticRoutes(() => [net.route(6, 7, 8, exit)]);
      const from = new MessageDesk(net.service(sender), routes);
      const sent = from.send(net.peer(exit), Uint8Array.of(i), { reply: "none", mixMs });
      await net.clock.runPromise(sent, 60_000);
      await net.clock.runUntil(net.clock.now() + 5);
    }
    await net.clock.runUntil(net.clock.now() + 10_000);
    net.close();
    return got;
  }

  const PACKETS = 40;
  const SEEDS = [1, 2, 3, 4, 5, 6];

  /** How far packets are from where they were sent, on average. */
  const disorder = (order: readonly number[]): number =>
    order.reduce((sum, value, at) => sum + Math.abs(value - at), 0) / order.length;

  /** How often two of one sender come one after the other, of all neighbours. */
  const clustering = (order: readonly number[], senders: number): number => {
    const pairs = order.slice(1).map((value, i) => [value, order[i] ?? 0] as const);
    return pairs.filter(([a, b]) => a % senders === b % senders).length / pairs.length;
  };

  async function meansOf(senders: number, mixMs: number) {
    let [disorders, clusters] = [0, 0];
    for (const seed of SEEDS) {
      const order = await orderAt(senders, { seed, mixMs });
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from(order.keys()));
      expect(order.length).toBe(PACKETS);
      disorders += disorder(order) / SEEDS.length;
      clusters += clustering(order, 5) / SEEDS.length;
    }
    return { disorders, clusters };
  }

  it("come in an order that does not tell how many have sent them", async () => {
    const [one, two, five] = [await meansOf(1, 200), await meansOf(2, 200), await meansOf(5, 200)];
    for (const { disorders, clusters } of [one, two, five]) {
      expect(disorders).toBeGreaterThan(6);
      expect(Math.abs(disorders - one.disorders)).toBeLessThan(2);
      // Of five in turn, shuffled, a fifth of all neighbours would be of one.
      expect(Math.abs(clusters - 0.2)).toBeLessThan(0.08);
    }
  });

  it("would tell without being mixed", async () => {
    expect(await meansOf(1, 0)).toEqual({ disorders: 0, clusters: 0 });
    expect(await meansOf(5, 0)).toEqual({ disorders: 0, clusters: 0 });
  });
});
