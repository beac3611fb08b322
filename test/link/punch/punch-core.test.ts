import { describe, expect, it } from "vitest";
import type { NatKind } from "../../../src/testing/index.ts";
import { isWhole, type Place, PunchWorld } from "./punch-world.ts";

const PLACES: readonly (NatKind | "open")[] = [
  "open",
  "full-cone",
  "restricted",
  "port-restricted",
  "symmetric",
];

/** Pairs that no exchange of datagrams to known ports can join. */
const HOPELESS = new Set([
  "symmetric symmetric",
  "symmetric port-restricted",
  "port-restricted symmetric",
]);

function punch(a: Place, b: Place, options: ConstructorParameters<typeof PunchWorld>[0]) {
  const world = new PunchWorld(options);
  const [left, right] = [world.add(a), world.add(b)];
  left.punch(right);
  world.clock.advance(15_000);
  return { world, left, right };
}

const PAIRS = PLACES.flatMap((a) => PLACES.map((b) => [a, b] as const));
const POSSIBLE = PAIRS.filter(([a, b]) => !HOPELESS.has(`${a} ${b}`));
const IMPOSSIBLE = PAIRS.filter(([a, b]) => HOPELESS.has(`${a} ${b}`));
const STORM = { loss: 0.1, jitterMs: 40, duplicate: 0.1, reorder: 0.1, reorderMs: 200 };

describe.each(POSSIBLE)("a node behind %s punches to one behind %s", (a, b) => {
  it.each([1, 2, 3])("on a clean network: seed %i", (seed) => {
    const { world, left, right } = punch(a, b, { seed });
    expect(left.core.size + right.core.size, "nothing is left").toBe(0);
    expect([left.failures, right.failures]).toEqual([[], []]);
    expect([left.paths.length, right.paths.length]).toEqual([1, 1]);
    expect(isWhole(world, left, right)).toBe(true);
  });

  it.each([4, 5, 6])("through a storm: seed %i", (seed) => {
    const line = { ...STORM, corrupt: 0.02 };
    const { left, right } = punch(a, b, { seed, line, signalLoss: 0.1 });
    expect([left.paths.length, right.paths.length]).toEqual([1, 1]);
    expect(left.core.size + right.core.size).toBe(0);
  });
});

describe.each(IMPOSSIBLE)("a node behind %s cannot punch to one behind %s", (a, b) => {
  it.each([1, 2, 3])("and says so: seed %i", (seed) => {
    const { left, right } = punch(a, b, { seed });
    const reason = a === b ? "symmetric" : "no-path";
    expect(left.failures).toMatchObject([{ isOfferer: true, reason }]);
    expect([left.paths, right.paths]).toEqual([[], []]);
    expect(left.core.size + right.core.size, "nothing is left").toBe(0);
  });
});

describe("punching", () => {
  it.each<[string, readonly NatKind[], readonly NatKind[]]>([
    ["two levels each", ["full-cone", "port-restricted"], ["restricted", "restricted"]],
    ["three levels on one side", ["port-restricted", "restricted", "full-cone"], ["restricted"]],
  ])("works through nested NATs: %s", (_, a, b) => {
    const { world, left, right } = punch(a, b, { seed: 1 });
    expect(isWhole(world, left, right)).toBe(true);
  });

  it.each([true, false])("works behind one NAT, with a hairpin or without: %s", (isHairpinning) => {
    const world = new PunchWorld({ seed: 1, behaviour: { isHairpinning } });
    const left = world.add("port-restricted");
    const right = world.addBehind(left.nat, { addresses: ["192.168.2.99"] });
    left.punch(right);
    world.clock.advance(10_000);
    expect(isWhole(world, left, right)).toBe(true);
    if (!isHairpinning) expect(left.paths[0]?.address.host).toBe("192.168.2.99");
  });

  it("works over IPv6 where firewalls only filter", () => {
    const world = new PunchWorld({ seed: 1 });
    const left = world.add("symmetric", { addresses: ["192.168.2.2", "2001:db8:a::2"] });
    const right = world.add("symmetric", { addresses: ["192.168.3.2", "2001:db8:b::2"] });
    left.punch(right);
    world.clock.advance(10_000);
    expect(left.paths[0]?.address.host).toBe("2001:db8:b::2");
    expect(isWhole(world, left, right)).toBe(true);
  });

  it("works when both begin at once", () => {
    for (const signalLoss of [0, 0.1]) {
      const world = new PunchWorld({ seed: 2, signalLoss });
      const [left, right] = [world.add("port-restricted"), world.add("restricted")];
      left.punch(right);
      right.punch(left);
      world.clock.advance(20_000);
      expect([left.paths.length, right.paths.length]).toEqual([1, 1]);
      expect([left.failures, right.failures]).toEqual([[], []]);
    }
  });

  it("tells the path again to who asks for it while it is fresh, at either end", () => {
    const world = new PunchWorld({ seed: 1 });
    const [left, right] = [world.add("port-restricted"), world.add("restricted")];
    left.punch(right);
    for (let ms = 0; ms < 2_000 && left.paths.length * right.paths.length === 0; ms += 10) {
      world.clock.advance(10);
    }
    expect(left.core.size + right.core.size, "both linger").toBe(2);
    left.punch(right);
    right.punch(left);
    world.clock.advance(15_000);
    expect([left.paths.length, right.paths.length]).toEqual([2, 2]);
    expect(left.paths[1]?.address).toEqual(left.paths[0]?.address);
    expect(left.core.size + right.core.size).toBe(0);
  });

  it("works again after a NAT has been rebound", () => {
    const { world, left, right } = punch("port-restricted", "restricted", { seed: 1 });
    left.nat?.rebind("203.0.113.200");
    world.observe(left);
    right.punch(left);
    world.clock.advance(10_000);
    expect(right.paths[1]?.address.host).toBe("203.0.113.200");
    expect(isWhole(world, left, right)).toBe(true);
  });

  it("sends at least eight probes in the first second, from both sides", () => {
    const world = new PunchWorld({ seed: 1, line: { delayMs: 20 } });
    const [left, right] = [world.add("symmetric"), world.add("port-restricted")];
    const at = new Map<string, number[]>();
    for (const node of [left, right]) {
      const times: number[] = [];
      at.set(node.host.addresses[0] ?? "", times);
      const { send } = node.port;
      node.port.send = (bytes, to) => {
        if (to.host.startsWith("203.0.113.")) times.push(world.clock.now());
        send.call(node.port, bytes, to);
      };
    }
    left.punch(right);
    world.clock.advance(10_000);
    for (const times of at.values()) {
      const first = times[0] ?? 0;
      expect(times.filter((time) => time < first + 1_000).length).toBeGreaterThanOrEqual(8);
    }
  });

  it("tells each side where the other sees it", () => {
    const { left, right } = punch("restricted", "symmetric", { seed: 1 });
    expect(left.paths[0]?.observed).toEqual({ host: "203.0.113.2", port: 7_000 });
    expect(left.paths[0]?.address.host).toBe("203.0.113.3");
    expect(right.paths[0]?.address).toEqual({ host: "203.0.113.2", port: 7_000 });
  });

  it("fails at once when nobody knows the peer, and in time when nobody answers", () => {
    const world = new PunchWorld({ seed: 1 });
    const left = world.add("restricted");
    const stranger = new PunchWorld({ seed: 2 }).add("open");
    left.punch(stranger);
    world.clock.advance(1_000);
    expect(left.failures).toMatchObject([{ reason: "not-linked" }]);
    world.tamper = () => [];
    left.punch(world.observer);
    world.clock.advance(5_000);
    expect(left.failures[1]).toMatchObject({ reason: "no-answer" });
    expect(left.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("forgets a punch that is cancelled", () => {
    const world = new PunchWorld({ seed: 1 });
    const [left, right] = [world.add("restricted"), world.add("restricted")];
    left.punch(right);
    left.driver.handle({ kind: "cancel", peer: right.id });
    world.clock.advance(20_000);
    expect([left.paths, left.failures, left.core.size]).toEqual([[], [], 0]);
  });

  it("is a function of its seed", () => {
    const run = (seed: number): string =>
      punch("symmetric", "restricted", { seed, line: STORM }).world.network.traceHash;
    expect(run(5)).toBe(run(5));
    expect(run(5)).not.toBe(run(6));
  });

  it("fails in a world whose NATs are stricter than they say: the tests above can fail", () => {
    const { left, right } = punch("restricted", "symmetric", {
      seed: 1,
      behaviour: { filtering: "address-and-port", mapping: "address-and-port" },
    });
    expect([left.paths, right.paths]).toEqual([[], []]);
  });
});
