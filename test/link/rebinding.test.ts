import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type LinkStream } from "../../src/link/index.ts";
import type { NatKind } from "../../src/testing/index.ts";
import { Arrivals, LinkWorld, writeKnown } from "./link-world.ts";

const BYTES = 600_000;
const BYTES_PER_SECOND = 200_000;
/** What a path that died unnoticed may cost: a ping, its silence, and a dial. */
const STALL_MS = LINK_LIMITS.keepAliveMs + LINK_LIMITS.silenceMs + 2_000;

/** A dialler behind a NAT, a listener in the open, and bytes under way in the wished directions. */
async function flowing(options: {
  seed: number;
  kind?: NatKind;
  ways: readonly ("up" | "down")[];
  loss?: number;
}) {
  const { seed, kind = "port-restricted", ways, loss = 0 } = options;
  const world = new LinkWorld({ seed, line: { loss, jitterMs: loss > 0 ? 10 : 0 } });
  const nat = world.network.addNat({ outer: "203.0.113.1", kind });
  const inner = await world.add("192.168.1.2", { behind: nat });
  const outer = await world.add("192.0.2.1");
  const flows: Arrivals[] = [];
  const speak = (stream: LinkStream, isUp: boolean): void => {
    const isSaid = ways.includes(isUp ? "up" : "down");
    const seedOfWay = isUp ? seed : seed + 1;
    const how = { clock: world.clock, seed: seedOfWay, bytesPerSecond: BYTES_PER_SECOND };
    if (isSaid) writeKnown(stream, { ...how, bytes: BYTES });
    else stream.end();
  };
  outer.host.handle("flow", (stream) => {
    flows.push(new Arrivals(stream, seed));
    speak(stream, false);
  });
  const link = await world.dial(inner, outer);
  const stream = await world.run(link.openStream("flow"));
  flows.push(new Arrivals(stream, seed + 1));
  speak(stream, true);
  await world.clock.runUntil(() => flows.some(({ received }) => received > BYTES / 4), 10_000);
  const whole = async (): Promise<number> => {
    const since = world.clock.now();
    await world.clock.runUntil(() => flows.every(({ isEnded }) => isEnded), 300_000);
    return world.clock.now() - since;
  };
  const received = (): number[] => flows.map((flow) => flow.received).filter((bytes) => bytes > 0);
  const mismatches = (): unknown[] => flows.map(({ mismatch }) => mismatch);
  return { world, nat, inner, outer, link, whole, received, mismatches };
}

describe("a link over UDP whose NAT is rebound in the middle", () => {
  it.each<[NatKind, readonly ("up" | "down")[], number]>([
    ["full-cone", ["up", "down"], 1],
    ["port-restricted", ["up", "down"], 2],
    ["symmetric", ["up", "down"], 3],
    ["port-restricted", ["up"], 4],
    ["port-restricted", ["down"], 5],
    ["symmetric", ["down"], 6],
  ])("%s: goes on to the byte, %j", async (kind, ways, seed) => {
    const { world, nat, link, whole, received, mismatches } = await flowing({ kind, ways, seed });
    const before = link.path?.observed?.host;
    nat.rebind("203.0.113.77");
    const stalledMs = await whole();
    expect(mismatches()).toEqual([undefined, undefined]);
    expect(received()).toEqual(ways.map(() => BYTES));
    expect(stalledMs).toBeLessThan(STALL_MS + (BYTES * 1_000) / BYTES_PER_SECOND);
    expect([before, link.path?.observed?.host]).toEqual(["203.0.113.1", "203.0.113.77"]);
    await world.close();
  });

  it.each([11, 12, 13])("again and again, over lines that lose, seed %i", async (seed) => {
    const ways = ["up", "down"] as const;
    const { world, nat, link, whole, received, mismatches } = await flowing({
      seed,
      ways,
      loss: 0.05,
    });
    for (const port of [101, 102, 103]) {
      nat.rebind(`203.0.113.${port}`);
      await world.pass(14_000);
    }
    await whole();
    expect([mismatches(), received()]).toEqual([
      [undefined, undefined],
      [BYTES, BYTES],
    ]);
    expect(link.isOpen).toBe(true);
    await world.close();
  });

  it("goes on from another network altogether", async () => {
    const ways = ["up", "down"] as const;
    const { world, inner, whole, received, mismatches } = await flowing({ seed: 21, ways });
    world.network.move(inner.vhost, { addresses: ["198.51.100.9"] });
    await whole();
    expect([mismatches(), received()]).toEqual([
      [undefined, undefined],
      [BYTES, BYTES],
    ]);
    await world.close();
  });

  it("is given up in time when nothing leads there any more, and says so", async () => {
    const { world, inner, outer, link } = await flowing({ seed: 31, ways: ["up", "down"] });
    const ends: unknown[] = [];
    const [there] = outer.host.links();
    for (const one of [link, there]) one?.onClose((error) => ends.push(error?.code));
    world.network.partition([inner.vhost]);
    const { silenceMs, keepAliveMs, resumeMs, handshakeMs } = LINK_LIMITS;
    await world.pass(keepAliveMs + silenceMs + resumeMs + handshakeMs);
    expect(ends).toEqual(["CULVERT_UNREACHABLE", "CULVERT_UNREACHABLE"]);
    expect([inner.host.links(), outer.host.links()]).toEqual([[], []]);
    await world.close();
  });
});

describe("a node that has moved, and cannot dial", () => {
  it("is found by its link where whoever asks for it says that it is now", async () => {
    const world = new LinkWorld({ seed: 12 });
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    far.host.handle("echo", (stream) => stream.pipe(stream).on("error", () => {}));
    const link = await world.dial(near, far);
    const stream = await world.run(link.openStream("echo"));
    stream.on("error", () => {});
    world.network.move(far.vhost, { addresses: ["198.51.100.9"] });
    stream.write("hello");
    await world.pass(LINK_LIMITS.silenceMs + 1_000);
    expect([link.isOpen, link.path]).toEqual([true, undefined]);
    const addresses = far.host.addresses.map((each) => ({ ...each, host: "198.51.100.9" }));
    expect(await world.run(near.host.dial({ id: far.host.id, addresses }))).toBe(link);
    const [back] = await world.run(once(stream, "data"), LINK_LIMITS.resumeMs);
    expect(String(back)).toBe("hello");
    expect(link.path?.remote?.host).toBe("198.51.100.9");
    stream.destroy();
    await world.close();
  });
});
