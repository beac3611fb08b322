import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import type { IncomingMessage } from "../../src/onion/message/message.ts";
import { MessageDesk, type ReplyMode } from "../../src/onion/message/message-desk.ts";
import { headerBytes, packetBytes } from "../../src/onion/packet/geometry.ts";
import { buildPacket, hopsOf } from "../../src/onion/packet/packet.ts";
import type { OnionPeer } from "../../src/onion/route/route.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { type AcceptanceNet, closingNets, type OpenNet } from "./acceptance-net.ts";
import { findCommonRun, GEOMETRY } from "./fixtures.ts";
import { PlannedRoutes } from "./planned-routes.ts";

const BYTES = new SeededRandom(500).bytes(500);
const REPLY = new SeededRandom(501).bytes(500);
const SIZES = [
  { write: 360, read: 130 },
  { write: 130, read: 360 },
];
/** Every node of 25 but the first is a hop. */
const GEOMETRY_OF_25 = { ...GEOMETRY, hopsMax: 24, cellBytes: 1_280, payloadBytes: 4_096 };

const others = (count: number): number[] => Array.from({ length: count - 1 }, (_, i) => i + 1);

/** The first node of a net writes to the last one of so many peers. */
interface World {
  readonly net: AcceptanceNet;
  readonly origin: MessageDesk;
  readonly routes: PlannedRoutes;
  readonly messages: readonly IncomingMessage[];
  readonly last: OnionPeer;
}

function worldOf(net: AcceptanceNet, peers: number, back?: readonly number[]): World {
  const there = others(peers);
  const home = [...(back ?? there.slice(0, -1).toReversed()), 0];
  const routes = new PlannedRoutes(net, there, home);
  const origin = new MessageDesk(net.service(0), routes);
  const destination = new MessageDesk(net.service(peers - 1), new StaticRoutes(() => []));
  const messages: IncomingMessage[] = [];
  destination.setMessageHandler((message) => {
    messages.push(message);
    if (message.isAnswerable) message.reply(REPLY);
  });
  return { net, origin, routes, messages, last: net.peer(peers - 1) };
}

/** Writes in pieces of one size; what is read comes in pieces of another. */
async function exchange(
  { net, origin, last, messages }: World,
  reply: ReplyMode,
  sizes: { readonly write: number; readonly read: number },
): Promise<Uint8Array | undefined> {
  const writer = origin.open(last, { reply });
  for (let at = 0; at < BYTES.length; at += sizes.write) {
    writer.write(BYTES.subarray(at, at + sizes.write));
  }
  const answer = await net.settle(writer.end());
  await net.until(() => messages.length === 1);
  const [message] = messages;
  const pieces: Uint8Array[] = [];
  while (pieces.at(-1)?.length !== 0) pieces.push(message?.read(sizes.read) ?? new Uint8Array(0));
  expect(pieces.flatMap((piece) => [...piece])).toEqual([...BYTES]);
  expect(pieces.length).toBe(Math.ceil(BYTES.length / sizes.read) + 1);
  return answer;
}

function describeMessages(open: OpenNet, use: (net: AcceptanceNet) => AcceptanceNet): void {
  const setUp = async (peers: number, back?: readonly number[]): Promise<World> =>
    worldOf(use(await open(peers + (back?.length ?? 0))), peers, back);

  describe.each(SIZES)("500 bytes, written by $write and read by $read", (sizes) => {
    it.each([2, 6])("arrive whole among %d peers without a reply", async (peers) => {
      const world = await setUp(peers);
      expect(await exchange(world, "none", sizes)).toBeUndefined();
      expect(world.messages[0]?.isAnswerable).toBe(false);
      expect(world.origin.awaited).toBe(0);
    });

    it.each([2, 3, 6])("are answered in the frame among %d peers, the same way", async (peers) => {
      const world = await setUp(peers);
      expect(await exchange(world, "surb", sizes)).toEqual(REPLY);
    });

    it.each([2, 3, 6])("are answered in the frame among %d peers, another way", async (peers) => {
      const world = await setUp(peers, [peers, peers + 1]);
      expect(await exchange(world, "surb", sizes)).toEqual(REPLY);
      const ways = world.net.passages.map(({ from, to }) => `${from}>${to}`);
      expect(ways).toContain(`${peers + 1}>0`);
    });

    it.each([2, 3, 6])("are answered by back-state among %d peers, once", async (peers) => {
      const world = await setUp(peers);
      const { net } = world;
      expect(await exchange(world, "state", sizes)).toEqual(REPLY);
      expect(() => world.messages[0]?.reply(REPLY)).toThrow(/ways/);
      const back = net.passages.filter(({ bytes }) => bytes[0] === 2);
      // One backward unit for each packet and hop.
      expect(back.length).toBe(net.passages.length - back.length);
      // The same unit a second time finds no state.
      const before = net.passages.length;
      for (const { from, to, bytes } of back) {
        net.service(to).receive(net.node(from).id, bytes.slice());
        expect(net.service(to).counts().packets.get("unknown-back")).toBeGreaterThan(0);
      }
      await net.rest();
      expect(net.passages.length).toBe(before);
    });
  });

  it("hides what a node is for a packet until its header is open", async () => {
    const net = use(await open(3));
    const world = worldOf(net, 3);
    await net.settle(world.origin.send(world.last, BYTES, { reply: "surb" }));
    await net.settle(world.origin.send(world.last, BYTES, { reply: "state" }));
    const forward = net.passages.filter(({ bytes }) => bytes[0] === 1);
    const [toRelay, toLast, toHome] = [1, 2, 0].map((to) => forward.filter((it) => it.to === to));
    for (const units of [toRelay, toLast, toHome]) {
      expect(units?.length).toBeGreaterThan(0);
      for (const { bytes } of units ?? []) {
        expect(bytes.length).toBe(packetBytes(net.geometry));
        // Version and epoch are all that is in the clear.
        expect(bytes.subarray(0, 2)).toEqual(forward[0]?.bytes.subarray(0, 2));
      }
    }
    const counted = [1, 2, 0].map((index) => net.service(index).counts().packets);
    expect(counted[0]?.get("relayed")).toBeGreaterThan(0);
    expect(counted[0]?.get("delivered")).toBeUndefined();
    expect(counted[1]?.get("delivered")).toBeGreaterThan(0);
    expect(counted[2]?.get("home")).toBe(1);
    expect(counted[0]?.get("passed-back")).toBeGreaterThan(0);
  });

  it("has packets of one size on all links, without a common run, in every mode", async () => {
    const net = use(await open(5));
    const world = worldOf(net, 5);
    for (const reply of ["none", "surb", "state", "errors"] as const) {
      await net.settle(world.origin.send(world.last, new Uint8Array(400), { reply }));
    }
    await net.rest();
    const units = net.passages.map(({ bytes }) => bytes);
    expect(units.length).toBeGreaterThan(20);
    expect(new Set(units.map(({ length }) => length))).toEqual(
      new Set([packetBytes(net.geometry)]),
    );
    expect(findCommonRun(units)).toBeUndefined();
  });
}

function describeFailures(open: OpenNet, use: (net: AcceptanceNet) => AcceptanceNet): void {
  it.each([
    { hop: 1, hops: 3 },
    { hop: 4, hops: 6 },
  ])("of hop $hop of $hops is attributed by the origin alone", async ({ hop, hops }) => {
    const net = use(await open(hops + 1, { geometry: { ...GEOMETRY, hopsMax: 6 } }));
    const world = worldOf(net, hops + 1);
    // A hop fails when it cannot go on, since the next one is gone.
    await net.kill(hop + 1);
    const failure = { reason: "next-unreachable", hop: hop - 1 };
    const sent = net.settle(world.origin.send(world.last, BYTES, { reply: "state" }));
    await expect(sent).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE", detail: failure });
    expect(world.routes.failures).toEqual([failure]);
    // To every hop in between the unit that told it was noise of one size, without a common run.
    const back = net.passages.filter(({ bytes }) => bytes[0] === 2);
    expect(back.length).toBe(hop);
    expect(findCommonRun(back.map(({ bytes }) => bytes))).toBeUndefined();
  });

  it("is told in error mode", async () => {
    const net = use(await open(4));
    const world = worldOf(net, 4);
    await net.kill(3);
    const sent = net.settle(world.origin.send(world.last, BYTES, { reply: "errors" }));
    await expect(sent).rejects.toMatchObject({ detail: { hop: 1 } });
  });

  it("that did not happen is none in error mode", async () => {
    const net = use(await open(4, { packets: { stateMs: 1_000 } }));
    const world = worldOf(net, 4);
    const got: number[] = [];
    net.service(3).setHandlers({ deliver: (content) => void got.push(content.length) });
    const sent = net.settle(world.origin.send(world.last, BYTES, { reply: "errors" }));
    await expect(sent).resolves.toBeUndefined();
    expect(world.routes.failures).toEqual([]);
    expect(got).toHaveLength(1);
  });
}

function describePingPong(open: OpenNet, use: (net: AcceptanceNet) => AcceptanceNet): void {
  it("goes through a circuit", async () => {
    const net = use(await open(25, { geometry: GEOMETRY_OF_25 }));
    for (const count of [2, 3, 25]) {
      const last = net.service(count - 1);
      last.setHandlers({ data: (circuit, ping) => circuit.sendData(ping) });
      const route = net.route(...others(count));
      const circuit = await net.settle(Circuit.build(net.service(0), route));
      const pongs: Uint8Array[] = [];
      circuit.setDataHandler((pong) => pongs.push(pong));
      for (let round = 1; round <= 5; round++) {
        const ping = new SeededRandom(round).bytes(100);
        circuit.sendData(ping);
        await net.until(() => pongs.length === round);
        expect(pongs.at(-1)).toEqual(ping);
      }
      circuit.close();
    }
  });

  it.each(["surb", "state"] as const)("goes through packets, answered by %s", async (reply) => {
    const net = use(await open(25, { geometry: GEOMETRY_OF_25 }));
    for (const count of [2, 3, 25]) {
      const there = others(count);
      const back = [...there.slice(0, -1).toReversed(), 0];
      const desk = new MessageDesk(net.service(0), new PlannedRoutes(net, there, back));
      const last = new MessageDesk(net.service(count - 1), new StaticRoutes(() => []));
      last.setMessageHandler((message) => message.reply(message.data));
      for (let round = 1; round <= 3; round++) {
        const ping = new SeededRandom(round).bytes(200);
        const pong = await net.settle(desk.send(net.peer(count - 1), ping, { reply }));
        expect(pong).toEqual(ping);
      }
    }
  });

  it("goes there and back without any reply: each way is a message", async () => {
    const net = use(await open(25, { geometry: GEOMETRY_OF_25 }));
    for (const count of [2, 3, 25]) {
      const there = others(count);
      const back = [...there.slice(0, -1).toReversed(), 0];
      const ends = [0, count - 1].map((index) => {
        const route = index === 0 ? there : back;
        return new MessageDesk(net.service(index), new PlannedRoutes(net, route, route));
      });
      const pongs: Uint8Array[] = [];
      ends[0]?.setMessageHandler(({ data }) => pongs.push(data));
      ends[1]?.setMessageHandler(({ data }) => {
        void ends[1]?.send(net.peer(0), data, { reply: "none" });
      });
      const ping = new SeededRandom(count).bytes(200);
      await net.settle(ends[0]?.send(net.peer(count - 1), ping, { reply: "none" }) ?? never());
      await net.until(() => pongs.length === 1);
      expect(pongs[0]).toEqual(ping);
    }
  });
}

function never(): Promise<never> {
  return Promise.reject(new Error("two ends"));
}

function describeTampering(open: OpenNet, use: (net: AcceptanceNet) => AcceptanceNet): void {
  const small = { ...GEOMETRY, payloadBytes: 160 };

  function packetThrough(net: AcceptanceNet, seed: number): Uint8Array {
    const random = new SeededRandom(seed);
    const route = net.route(1, 2, 3);
    const hops = hopsOf(route.hops, { last: "deliver", name: random.bytes(32) });
    const content = BYTES.subarray(0, 40);
    const built = buildPacket(net.service(0).parts, { epoch: route.epoch, hops, content, random });
    if (built === undefined) throw new Error("the keys are good");
    return built.unit;
  }

  const countAt = (net: AcceptanceNet, index: number, name: string): number =>
    net.service(index).counts().packets.get(name) ?? 0;
  const droppedAt = (net: AcceptanceNet, index: number): number =>
    ["length", "version", "epoch", "key", "mac", "unknown-back"].reduce(
      (sum, name) => sum + countAt(net, index, name),
      0,
    );

  it("in any byte of the header is dropped at the first hop", async () => {
    const net = use(await open(4, { geometry: small }));
    const unit = packetThrough(net, 1);
    const { links } = net.service(0);
    for (let at = 0; at < headerBytes(small); at++) {
      const flipped = unit.with(at, (unit[at] as number) ^ (1 << (at % 8)));
      await net.settle(links.send(net.node(1).id, flipped));
      if (at % 32 === 0) await net.until(() => droppedAt(net, 1) === at + 1);
    }
    await net.until(() => droppedAt(net, 1) === headerBytes(small));
    expect(net.passages.filter(({ from }) => from !== 0)).toEqual([]);
  });

  it("in any byte of the payload is refused at the destination", async () => {
    const net = use(await open(4, { geometry: small }));
    const { links } = net.service(0);
    const from = headerBytes(small);
    const flips = packetBytes(small) - from;
    for (let i = 0; i < flips; i++) {
      const unit = packetThrough(net, 2 + i);
      unit[from + i] = (unit[from + i] as number) ^ 128;
      await net.settle(links.send(net.node(1).id, unit));
      if (i % 16 === 0) await net.until(() => countAt(net, 3, "payload") === i + 1);
    }
    await net.until(() => countAt(net, 3, "payload") === flips);
    expect(countAt(net, 3, "delivered")).toBe(0);
  });

  it("by a second copy is dropped at every hop, after a restart too", async () => {
    const net = use(await open(4));
    const world = worldOf(net, 4);
    await net.settle(world.origin.send(world.last, BYTES, { reply: "none" }));
    await net.until(() => world.messages.length === 1);
    const captured = net.passages.filter(({ from, to }) => to === from + 1);
    expect(captured.length).toBe(3);
    for (const { from, to, bytes } of captured) {
      await net.settle(net.service(from).links.send(net.node(to).id, bytes.slice()));
      await net.until(() => countAt(net, to, "replay") === 1);
    }
    await net.restart(1);
    const [first] = captured;
    const copy = first?.bytes ?? BYTES;
    // What is sent over the link to the node that is no more is lost.
    while (countAt(net, 1, "mac") === 0) {
      await net.settle(net.service(0).links.send(net.node(1).id, copy.slice())).catch(() => {});
      await net.rest();
    }
    expect(countAt(net, 1, "relayed")).toBe(0);
    await net.rest();
    expect(world.messages.length).toBe(1);
  });
}

function describeCells(
  open: OpenNet,
  use: (net: AcceptanceNet) => AcceptanceNet,
  cells: number,
): void {
  it("come in order through three relays, as many back", async () => {
    const net = use(await open(4));
    net.service(3).setHandlers({ data: (incoming, message) => incoming.sendData(message) });
    const circuit = await net.settle(Circuit.build(net.service(0), net.route(1, 2, 3)));
    let next = 0;
    let isInOrder = true;
    circuit.setDataHandler((message) => {
      isInOrder &&= new DataView(message.buffer, message.byteOffset).getUint32(0) === next;
      next += 1;
    });
    const message = new Uint8Array(489);
    for (let i = 0; i < cells; i++) {
      new DataView(message.buffer).setUint32(0, i);
      while (!circuit.sendData(message)) await net.settle(circuit.drained());
    }
    await net.until(() => next === cells);
    expect(isInOrder).toBe(true);
    expect(net.service(1).circuits).toBe(1);
    const lengths = net.passages.map(({ bytes }) => bytes.length);
    expect(new Set(lengths)).toEqual(new Set([packetBytes(net.geometry), net.geometry.cellBytes]));
    expect(lengths.filter((length) => length === packetBytes(net.geometry)).length).toBe(3);
  });
}

/**
 * The acceptance cases of onions, over whatever connects the nodes.
 *
 * @param options.cells so many each way through a circuit; without them only messages and failures
 */
export function onionAcceptance(
  title: string,
  open: OpenNet,
  options: { readonly cells?: number },
): void {
  describe(title, () => {
    const use = closingNets();
    describe("messages", () => describeMessages(open, use));
    describe("a failure", () => describeFailures(open, use));
    const { cells } = options;
    if (cells === undefined) return;
    describe("ping-pong over 2, 3 and 25 nodes", () => describePingPong(open, use));
    describe("tampering", () => describeTampering(open, use));
    describe(`${cells} cells`, () => describeCells(open, use, cells));
  });
}
