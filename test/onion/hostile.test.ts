import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit.ts";
import { packetBytes } from "../../src/onion/geometry.ts";
import { GEOMETRY } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

describe("noise on a channel", () => {
  it("is closed without a word, whatever is wrong with it", async () => {
    net = new VirtualNet(3);
    const { links } = net.service(0);
    const dice = new SeededRandom(9);
    const outcomes: string[] = [];
    const first = [
      dice.bytes(packetBytes(GEOMETRY)),
      dice.bytes(packetBytes(GEOMETRY)).fill(1, 0, 1),
      new Uint8Array(packetBytes(GEOMETRY)),
      dice.bytes(3),
    ];
    for (const unit of first) {
      const words: string[] = [];
      const channel = links.open(net.node(1).id, {
        unit: (bytes) => words.push(toHex(bytes)),
        sent: () => {},
        closed: () => words.push("closed"),
      });
      channel.send(unit);
      const from = net.clock.now();
      await net.clock.runUntil(() => words.length > 0, 60_000);
      outcomes.push(`${words.join()} after ${net.clock.now() - from}`);
    }
    expect(new Set(outcomes).size).toBe(1);
    expect(outcomes[0]).toMatch(/^closed/);
    expect(net.service(1).circuits).toBe(0);
  });

  it("that never comes is not waited for", async () => {
    net = new VirtualNet(3);
    net.service(0).links.open(net.node(1).id, { unit: () => {}, sent: () => {}, closed: () => {} });
    await net.clock.runUntil(100);
    expect(net.service(1).circuits).toBe(1);
    await net.clock.runUntil(20_000);
    expect(net.service(1).circuits).toBe(0);
  });
});

describe("floods", () => {
  it("of circuits end at the limit of a link, counted", async () => {
    const limits = {
      circuitsMax: 50,
      circuitsPerLinkMax: 5,
      buildsPerSecond: 1_000,
      buildsBurst: 1_000,
    };
    net = new VirtualNet(4, { relay: { limits } });
    const builds = Array.from({ length: 8 }, () => Circuit.build(net.service(0), net.route(1, 2)));
    const outcomes = await net.clock.runPromise(Promise.allSettled(builds), 60_000);
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(5);
    expect(net.service(1).counts().circuits.get("refused-circuit")).toBe(3);
  });

  it("of builds end at the rate of a node, counted", async () => {
    const limits = { circuitsMax: 50, circuitsPerLinkMax: 50, buildsPerSecond: 1, buildsBurst: 4 };
    net = new VirtualNet(4, { relay: { limits } });
    const builds = Array.from({ length: 8 }, () => Circuit.build(net.service(0), net.route(1, 2)));
    const outcomes = await net.clock.runPromise(Promise.allSettled(builds), 60_000);
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(4);
    expect(net.service(1).counts().circuits.get("refused-build")).toBe(4);
  });
});
