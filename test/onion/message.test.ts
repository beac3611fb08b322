import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom, utf8 } from "../../src/base/index.ts";
import { StaticRoutes } from "../../src/onion/descriptor-routes.ts";
import type { Failure } from "../../src/onion/failure.ts";
import { packetBytes } from "../../src/onion/geometry.ts";
import type { IncomingMessage } from "../../src/onion/message.ts";
import { MessageDesk, type ReplyMode } from "../../src/onion/message-desk.ts";
import type { Route, RouteProvider, RouteRequest } from "../../src/onion/route.ts";
import { findCommonRun, GEOMETRY } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

const BYTES = new SeededRandom(500).bytes(500);
const REPLY = new SeededRandom(501).bytes(500);

/** Routes there and back through given nodes, which remember what failed. */
class PlannedRoutes implements RouteProvider {
  readonly failures: Failure[] = [];
  readonly #there: () => Route;
  readonly #back: () => Route;

  constructor(there: readonly number[], back: readonly number[]) {
    this.#there = () => net.route(...there);
    this.#back = () => net.route(...back);
  }

  async route({ destination }: RouteRequest = {}): Promise<Route> {
    return destination?.id === net.node(0).id ? this.#back() : this.#there();
  }

  failed(_route: Route, failure: Failure): void {
    this.failures.push(failure);
  }
}

/** A net of so many peers: the first one writes to the last one. */
function setUp(peers: number, options: { readonly back?: readonly number[] } = {}) {
  net = new VirtualNet(peers + 4);
  const there = Array.from({ length: peers - 1 }, (_, i) => i + 1);
  const relays = there.slice(0, -1);
  const routes = new PlannedRoutes(there, [...(options.back ?? relays.toReversed()), 0]);
  const origin = new MessageDesk(net.service(0), routes);
  const destination = new MessageDesk(net.service(peers - 1), new StaticRoutes(() => []));
  const messages: IncomingMessage[] = [];
  destination.setMessageHandler((message) => {
    messages.push(message);
    if (message.isAnswerable) message.reply(REPLY);
  });
  return { origin, routes, messages, last: net.peer(peers - 1) };
}

/** Writes in pieces of one size; what is read comes in pieces of another. */
async function exchange(
  world: ReturnType<typeof setUp>,
  reply: ReplyMode,
  sizes: { readonly write: number; readonly read: number },
): Promise<{ got: Uint8Array[]; answer: Uint8Array | undefined }> {
  const writer = world.origin.open(world.last, { reply });
  for (let at = 0; at < BYTES.length; at += sizes.write) {
    writer.write(BYTES.subarray(at, at + sizes.write));
  }
  const answer = await net.clock.runPromise(writer.end(), 60_000);
  await net.clock.runUntil(() => world.messages.length === 1, 60_000);
  const got: Uint8Array[] = [];
  const [message] = world.messages;
  for (;;) {
    const piece = message?.read(sizes.read) ?? BYTES.subarray(0, 0);
    if (piece.length === 0) break;
    got.push(piece);
  }
  return { got, answer };
}

function joined(pieces: readonly Uint8Array[]): number[] {
  return pieces.flatMap((piece) => [...piece]);
}

const SIZES = [
  { write: 360, read: 130 },
  { write: 130, read: 360 },
];

describe.each(SIZES)("500 bytes, written by $write and read by $read", (sizes) => {
  it.each([2, 6])("arrive whole among %d peers without a reply", async (peers) => {
    const world = setUp(peers);
    const { got, answer } = await exchange(world, "none", sizes);
    expect(joined(got)).toEqual([...BYTES]);
    expect(got.length).toBe(Math.ceil(500 / sizes.read));
    expect(answer).toBeUndefined();
    expect(world.messages[0]?.isAnswerable).toBe(false);
    expect(world.origin.awaited).toBe(0);
  });

  it.each([2, 3, 6])(
    "are answered in the frame among %d peers over the same route",
    async (peers) => {
      const world = setUp(peers);
      const { got, answer } = await exchange(world, "surb", sizes);
      expect(joined(got)).toEqual([...BYTES]);
      expect([...(answer ?? [])]).toEqual([...REPLY]);
    },
  );

  it.each([2, 3, 6])(
    "are answered in the frame among %d peers over another route",
    async (peers) => {
      const world = setUp(peers, { back: [peers, peers + 1] });
      const { got, answer } = await exchange(world, "surb", sizes);
      expect(joined(got)).toEqual([...BYTES]);
      expect([...(answer ?? [])]).toEqual([...REPLY]);
      const ways = net.passages.map(({ from, to }) => `${from}>${to}`);
      expect(ways).toContain(`${peers + 1}>0`);
    },
  );

  it.each([2, 3, 6])("are answered by back-state among %d peers, once", async (peers) => {
    const world = setUp(peers);
    const { got, answer } = await exchange(world, "state", sizes);
    expect(joined(got)).toEqual([...BYTES]);
    expect([...(answer ?? [])]).toEqual([...REPLY]);
    expect(() => world.messages[0]?.reply(REPLY)).toThrow(/ways/);
    const back = net.passages.filter(({ bytes }) => bytes[0] === 2);
    // One backward unit for each packet and hop.
    expect(back.length).toBe(net.passages.length - back.length);
    // The same unit a second time finds no state.
    for (const { from, to, bytes } of back) net.service(to).receive(net.node(from).id, bytes);
    const before = net.passages.length;
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect(net.passages.length).toBe(before);
  });
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
  it.each([
    { hop: 1, peers: 4 },
    { hop: 4, peers: 7 },
  ])("of hop $hop of $peers - 1 is attributed by the origin alone", async ({ hop, peers }) => {
    net = new VirtualNet(peers + 1, { geometry: { ...GEOMETRY, hopsMax: 6 } });
    const there = Array.from({ length: peers - 1 }, (_, i) => i + 1);
    const [last, route] = [net.peer(peers - 1), net.route(...there)];
    const failures: Failure[] = [];
    net.kill(hop + 1);
    const sender = new MessageDesk(net.service(0), {
      route: async () => route,
      failed: (_route, failure) => void failures.push(failure),
    });
    const sent = net.clock.runPromise(sender.send(last, BYTES, { reply: "state" }), 60_000);
    await expect(sent).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
      detail: { reason: "next-unreachable", hop: hop - 1 },
    });
    expect(failures).toEqual([{ reason: "next-unreachable", hop: hop - 1 }]);
    // To every hop in between the unit that told it was noise of one size, without a common run.
    const back = net.passages.filter(({ bytes }) => bytes[0] === 2);
    expect(back.length).toBe(hop);
    expect(findCommonRun(back.map(({ bytes }) => bytes))).toBeUndefined();
  });

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

  it("of nobody is no failure in error mode", async () => {
    const world = setUp(4);
    net.service(3).setHandlers({ deliver: () => {} });
    const sent = world.origin.send(world.last, BYTES, { reply: "errors" });
    await expect(net.clock.runPromise(sent, 60_000)).resolves.toBeUndefined();
    expect(world.routes.failures).toEqual([]);
  });

  it("is told in error mode", async () => {
    const world = setUp(4);
    net.kill(3);
    const sent = world.origin.send(world.last, BYTES, { reply: "errors" });
    await expect(net.clock.runPromise(sent, 60_000)).rejects.toMatchObject({ detail: { hop: 1 } });
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

describe("what links see of messages", () => {
  it("has one size and no common run, in every mode", async () => {
    const world = setUp(5);
    for (const reply of ["none", "surb", "state", "errors"] as const) {
      const sent = world.origin.send(world.last, new Uint8Array(400), { reply });
      await net.clock.runPromise(sent, 60_000);
    }
    await net.clock.runUntil(net.clock.now() + 1_000);
    const units = net.passages.map(({ bytes }) => bytes);
    expect(units.length).toBeGreaterThan(20);
    expect(new Set(units.map(({ length }) => length))).toEqual(new Set([packetBytes(GEOMETRY)]));
    expect(findCommonRun(units)).toBeUndefined();
  });
});

describe("a packet that comes again", () => {
  it("is dropped at every hop, and counted; after a restart too", async () => {
    const world = setUp(4);
    await net.clock.runPromise(world.origin.send(world.last, BYTES, { reply: "none" }));
    await net.clock.runUntil(1_000);
    const captured = net.passages.filter(({ from, to }) => to === from + 1);
    expect(captured.length).toBe(3);
    for (const { from, to, bytes } of captured) {
      net.service(to).receive(net.node(from).id, bytes.slice());
      expect(net.service(to).counts().packets.get("replay")).toBe(1);
    }
    net.restart(1);
    const [first] = captured;
    net.service(1).receive(net.node(0).id, first?.bytes.slice() ?? BYTES);
    await net.clock.runUntil(2_000);
    expect(net.service(1).counts().packets.get("mac")).toBe(1);
    expect(world.messages.length).toBe(1);
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
