import { afterEach, describe, expect, it, vi } from "vitest";
import { CulvertError, SeededRandom } from "../../src/base/index.ts";
import { isSameNode } from "../../src/identity/index.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { packetBytes } from "../../src/onion/packet/geometry.ts";
import { EPOCH_GRACE_MS, EPOCH_MS } from "../../src/onion/packet/key-ring.ts";
import { RelayCore } from "../../src/onion/relay/relay-core.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { carrierRig, recordOf } from "./carrier-rig.ts";
import { fastSuite, GEOMETRY, makeHops } from "./fixtures.ts";
import { PlannedRoutes } from "./planned-routes.ts";
import { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

const BYTES = new SeededRandom(500).bytes(100);

/** Messages to the last of four nodes, which does not answer until it is told to. */
function silentEnd(options: ConstructorParameters<typeof VirtualNet>[1] = {}) {
  net = new VirtualNet(4, options);
  const routes = new PlannedRoutes(net, [1, 2, 3], [2, 1, 0]);
  const origin = new MessageDesk(net.service(0), routes);
  const answers: ((bytes: Uint8Array) => void)[] = [];
  const last = new MessageDesk(net.service(3), new StaticRoutes(() => []));
  last.setMessageHandler((message) => answers.push((bytes) => message.reply(bytes)));
  const send = (mixMs = 0): Promise<unknown> =>
    net.clock
      .runPromise(origin.send(net.peer(3), BYTES, { reply: "state", mixMs }), 90_000)
      .then(() => "answered")
      .catch(({ detail }) => detail);
  const countAt = (index: number, name: string): number =>
    net.service(index).counts().packets.get(name) ?? 0;
  return { send, answers, countAt };
}

describe("the state of a packet", () => {
  it.each([
    { waitMs: 29_000, outcome: "answered", units: 3 },
    { waitMs: 31_000, outcome: { reason: "timeout" }, units: 0 },
  ])("answered after $waitMs ms is there or gone", async ({ waitMs, outcome, units }) => {
    const { send, answers } = silentEnd();
    const sent = send();
    await net.clock.runUntil(waitMs);
    net.passages.length = 0;
    for (const answer of answers) answer(BYTES);
    expect(await sent).toEqual(outcome);
    await net.clock.runUntil(60_000);
    expect(net.passages.length).toBe(units);
  });

  it("is for one unit, and only from the hop that the packet went to", async () => {
    const { send, answers, countAt } = silentEnd();
    const sent = send();
    await net.clock.runUntil(1_000);
    const passed: number[] = [];
    net.intercept = ({ from, bytes }) => {
      if (from !== 3) return [bytes];
      net.service(2).receive(net.node(0).id, bytes.slice());
      passed.push(countAt(2, "unknown-back"));
      return [bytes, bytes.slice()];
    };
    for (const answer of answers) answer(BYTES);
    expect(await sent).toBe("answered");
    expect([passed, countAt(2, "passed-back"), countAt(2, "unknown-back")]).toEqual([[1], 1, 2]);
  });

  it.each([
    { index: 0, hop: -1 },
    { index: 1, hop: 0 },
  ])("is kept of so many packets; node $index without room says overload", async (full) => {
    const others = new Map([[full.index, { packets: { statesMax: 6 } }]]);
    const { send, countAt } = silentEnd({ others });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => send()));
    expect(outcomes).toEqual([
      ...Array(6).fill({ reason: "timeout" }),
      ...Array(2).fill({ reason: "overload", hop: full.hop }),
    ]);
    expect(countAt(full.index, "overload")).toBe(2);
  });

  it.each([0, 1])(
    "says overload of hop %d, which has no room, and not of the next",
    async (busy) => {
      const { send, countAt } = silentEnd({});
      const { links } = net.service(busy);
      const sends = links.send;
      const next = net.node(busy + 1).id;
      vi.spyOn(links, "send").mockImplementation((to, unit) => {
        const isFull = isSameNode(to, next);
        return isFull ? Promise.reject(new CulvertError("CULVERT_BUSY")) : sends(to, unit);
      });
      expect(await send()).toEqual({ reason: "overload", hop: busy - 1 });
      expect(countAt(busy, "overload")).toBe(1);
    },
  );

  it("is kept by hops under their own bounds, too", async () => {
    const { send, countAt } = silentEnd({ packets: { delayedMax: 2 } });
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => send(2_000)));
    const refused = outcomes.filter((it) => (it as { reason: string }).reason === "overload");
    expect(refused.length).toBeGreaterThan(5);
    for (const outcome of refused) expect([0, 1]).toContain((outcome as { hop: number }).hop);
    expect(countAt(1, "overload") + countAt(2, "overload")).toBe(refused.length);
  });
});

describe("a circuit", () => {
  const content = new Uint8Array(9);

  it("takes nothing new after most of its cells, and ends with the last one", async () => {
    net = new VirtualNet(4);
    net.service(3).setHandlers({ request: async (asked) => asked });
    const built = Circuit.build(net.service(0), net.route(1, 2, 3), { limits: { cellsMax: 101 } });
    const circuit = await net.clock.runPromise(built);
    let asked = 0;
    let retiredAfter = 0;
    circuit.setRetireHandler(() => {
      retiredAfter = asked;
    });
    for (; !circuit.isEnded; asked++) {
      expect(circuit.isUsable).toBe(retiredAfter === 0);
      await net.clock.runPromise(circuit.request(content)).catch(() => {});
    }
    // Two cells each way for a request, one for the build, and some that prove receipt.
    expect([retiredAfter, asked]).toEqual([21, 25]);
    expect(await circuit.ended).toEqual({ failure: { reason: "expired" } });
  });

  it("is ended by its relays when it has too many cells", async () => {
    net = new VirtualNet(4, { relay: { circuit: { ...CIRCUIT_LIMITS, cellsMax: 40 } } });
    net.service(3).setHandlers({ request: async (asked) => asked });
    const built = Circuit.build(net.service(0), net.route(1, 2, 3));
    const circuit = await net.clock.runPromise(built);
    while (!circuit.isEnded) {
      await net.clock.runPromise(circuit.request(content)).catch(() => {});
    }
    expect((await circuit.ended).failure).toMatchObject({ reason: "expired" });
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect([1, 2, 3].map((index) => net.service(index).circuits)).toEqual([0, 0, 0]);
  });

  it("is ended by its relays after a quarter of an hour, if its origin does not", async () => {
    net = new VirtualNet(4);
    const limits = { lifeMs: 3_600_000 };
    const built = Circuit.build(net.service(0), net.route(1, 2, 3), { limits });
    const circuit = await net.clock.runPromise(built);
    const circuits = () => [1, 2, 3].map((index) => net.service(index).circuits);
    await net.clock.runUntil(899_000);
    expect([circuit.isEnded, ...circuits()]).toEqual([false, 1, 1, 1]);
    await net.clock.runUntil(902_000);
    expect(circuits()).toEqual([0, 0, 0]);
    expect((await circuit.ended).failure).toMatchObject({ reason: "expired" });
  });

  it("to nobody fails at the hop before, which keeps nothing of it", async () => {
    net = new VirtualNet(4);
    const route = net.route(1, 2, 3);
    const [first, , last] = route.hops;
    const random = new SeededRandom(8);
    const nobody = {
      id: random.bytes(32),
      onionKey: net.service(0).parts.suite.x25519PublicKey(random.bytes(32)),
    };
    if (first === undefined || last === undefined) throw new Error("three hops");
    for (const [hops, hop] of [
      [[nobody, first, last], -1],
      [[first, nobody, last], 0],
      [[first, last, nobody], 1],
    ] as const) {
      const built = Circuit.build(net.service(0), { ...route, hops });
      await expect(net.clock.runPromise(built, 60_000)).rejects.toMatchObject({
        detail: { reason: "next-unreachable", hop },
      });
    }
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect(net.nodes.map(({ service }) => service.circuits)).toEqual([0, 0, 0, 0]);
  });

  it("is refused when its build is a copy, and when it says no command of a build", async () => {
    const parts = { suite: fastSuite(), geometry: GEOMETRY };
    const random = new SeededRandom(3);
    const [hop] = makeHops(parts, 1);
    if (hop === undefined) throw new Error("one hop");
    net = new VirtualNet(2);
    const captured: Uint8Array[] = [];
    net.intercept = ({ bytes, kind }) => {
      if (kind === "channel" && bytes.length === packetBytes(GEOMETRY)) captured.push(bytes);
      return [bytes];
    };
    await net.clock.runPromise(Circuit.build(net.service(0), net.route(1)));
    const words: string[] = [];
    const channel = net.service(0).links.open(net.node(1).id, {
      unit: () => words.push("word"),
      sent: () => {},
      closed: () => words.push("closed"),
    });
    channel.send(captured[0]?.slice() ?? BYTES);
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect(words).toEqual(["closed"]);
    expect(net.service(1).counts().circuits.get("replay")).toBe(1);
    const core = new RelayCore({ parts, peeler: hop.peeler, self: hop.id, random });
    core.handle({ kind: "opened", channel: 1, from: hop.id }, 0);
    core.handle({ kind: "unit", channel: 1, unit: random.bytes(packetBytes(GEOMETRY)) }, 0);
    expect(core.circuits).toBe(0);
  });
});

describe("the keys of a node", () => {
  it("are told anew before each epoch, those of the last destroyed after the grace", async () => {
    net = new VirtualNet(3);
    let changes = 0;
    net.service(1).setHandlers({ keysChanged: () => void changes++ });
    const old = net.route(1, 2);
    const before = net.service(1).onionKeys();
    await net.clock.runUntil(EPOCH_MS / 2 + EPOCH_GRACE_MS - 60_000);
    const built = await net.clock.runPromise(Circuit.build(net.service(0), old));
    expect(built.isUsable).toBe(true);
    await net.clock.runUntil(EPOCH_MS / 2 + EPOCH_GRACE_MS + 60_000);
    const after = net.service(1).onionKeys();
    expect(after.map(({ epoch }) => epoch)).toEqual([1 + (before[0]?.epoch ?? 0)]);
    expect(after[0]?.publicKey).not.toEqual(before[0]?.publicKey);
    // The next one is made ahead, the last one goes.
    expect(changes).toBe(2);
    const late = net.clock.runPromise(Circuit.build(net.service(0), old), 60_000);
    await expect(late).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    expect(net.service(1).counts().circuits.get("epoch")).toBe(1);
  });
});

describe("cover of a carrier", () => {
  const COVER_MS = 50;
  const SECONDS = 5;

  /** When cells pass each link of a carrier's circuits. */
  async function trace(isLoaded: boolean): Promise<Map<string, number[]>> {
    const options = { paths: 1, spares: 0, framesPerExit: 1_000, coverMs: COVER_MS };
    const rig = carrierRig(options);
    net = rig.net;
    await net.clock.runPromise(rig.carrier.put(recordOf(0)), 60_000);
    await net.clock.runPromise(rig.carrier.get(recordOf(0).address), 60_000);
    await net.clock.runUntil(3_000);
    net.passages.length = 0;
    if (isLoaded) {
      for (let i = 1; i < 20; i++) rig.carrier.put(recordOf(i)).catch(() => {});
      for (let i = 1; i < 20; i++) rig.carrier.get(recordOf(0).address).catch(() => {});
    }
    await net.clock.runUntil(3_000 + 1_000 * SECONDS);
    const times = net.passageTimes();
    if (isLoaded) expect(rig.map.records.size).toBe(20);
    net.close();
    return times;
  }

  it("fills idle circuits within its budget, whatever is put and got", async () => {
    const [idle, loaded] = [await trace(false), await trace(true)];
    // A circuit for puts and one for gets, of three links, both ways.
    expect(idle.size).toBe(12);
    expect(loaded).toEqual(idle);
    for (const times of idle.values()) {
      expect(times.length).toBe((1_000 * SECONDS) / COVER_MS);
    }
  });
});

it("a node that is closed takes no channel, and leaves none open", () => {
  net = new VirtualNet(2);
  const service = net.service(1);
  service.close();
  let closed = 0;
  const channel = { send: () => {}, close: () => void closed++ };
  const events = service.accept(net.node(0).id, channel);
  events.unit(new Uint8Array(packetBytes(GEOMETRY)));
  events.closed();
  expect([closed, service.circuits]).toEqual([1, 0]);
});
