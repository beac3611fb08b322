import { afterEach, describe, expect, it } from "vitest";
import { fromHex, SeededRandom, toHex } from "../../src/base/index.ts";
import { loadProvider, PROVIDER_NAMES, type ProviderName } from "../../src/crypto/index.ts";
import { writeCell } from "../../src/onion/circuit/cell.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import {
  agreeAsHop,
  answerAsHop,
  buildCircuitPacket,
  openAnswer,
} from "../../src/onion/circuit/circuit-build.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { MessageDesk } from "../../src/onion/message/message-desk.ts";
import { cellDataBytes, packetBytes } from "../../src/onion/packet/geometry.ts";
import { RelayCore } from "../../src/onion/relay/relay-core.ts";
import type { RelayEffect, RelayInput } from "../../src/onion/relay/relay-protocol.ts";
import { StaticRoutes } from "../../src/onion/route/static-routes.ts";
import { effectsOf } from "../effects-of.ts";
import { fastSuite, GEOMETRY, makeHops } from "./fixtures.ts";
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
    const builds = Array.from({ length: 8 }, (_, i) =>
      Circuit.build(net.service(0), net.route(1, 2 + (i % 2))),
    );
    const outcomes = await net.clock.runPromise(Promise.allSettled(builds), 60_000);
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(6);
    expect(net.service(1).counts().circuits.get("refused-circuit")).toBe(2);
  });

  it("of circuits from many to one node end at the limit of a link, and are told so", async () => {
    const circuitsMax = 50;
    const rate = { buildsPerSecond: 1_000, buildsBurst: 1_000 };
    net = new VirtualNet(6, { relay: { limits: { circuitsMax, circuitsPerLinkMax: 5, ...rate } } });
    const build = (from: number, ...way: number[]) =>
      net.clock.runPromise(
        Circuit.build(net.service(from), net.route(...way)).then(
          (circuit) => circuit,
          ({ detail }) => detail,
        ),
      );
    const built = [];
    for (const from of [0, 0, 4, 4, 5]) built.push(await build(from, 1, 2));
    expect(built.every((one) => one instanceof Circuit)).toBe(true);
    expect(await build(5, 1, 2)).toEqual({ reason: "overload", hop: 0 });
    expect(await build(5, 1, 3)).toBeInstanceOf(Circuit);
    built[0].close();
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect(await build(5, 1, 2)).toBeInstanceOf(Circuit);
  });

  it("of builds end at half of the burst of a node, counted", async () => {
    const limits = { circuitsMax: 50, circuitsPerLinkMax: 50, buildsPerSecond: 1, buildsBurst: 8 };
    net = new VirtualNet(4, { relay: { limits } });
    const builds = Array.from({ length: 8 }, () => Circuit.build(net.service(0), net.route(1, 2)));
    const outcomes = await net.clock.runPromise(Promise.allSettled(builds), 60_000);
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(4);
    expect(net.service(1).counts().circuits.get("refused-build")).toBe(4);
  });
});

/** All points of order 1, 2, 4 and 8 on the curve and its twist, as u-coordinates; then some that
 * are the same ones modulo the prime. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

describe("a key of small order", () => {
  it.each(PROVIDER_NAMES)("is refused by %s", (name: ProviderName) => {
    const suite = loadProvider(name);
    if (suite === undefined) throw new Error(`${name} is not here`);
    const secret = new SeededRandom(1).bytes(32);
    for (const point of SMALL_ORDER) expect(suite.x25519(secret, point)).toBeUndefined();
    expect(suite.x25519(secret, suite.x25519PublicKey(secret))).toBeDefined();
  });

  it("in a packet is dropped without a word", async () => {
    net = new VirtualNet(2);
    const unit = new SeededRandom(1).bytes(packetBytes(GEOMETRY));
    const [{ epoch } = { epoch: 0 }] = net.service(1).onionKeys();
    unit.set([1, epoch & 0xff]);
    for (const point of SMALL_ORDER) {
      unit.set(point, 2);
      net.service(1).receive(net.node(0).id, unit.slice());
    }
    expect([...net.service(1).counts().packets]).toEqual([["key", SMALL_ORDER.length]]);
    expect(net.passages).toEqual([]);
  });

  it("in the answer of a hop builds nothing", async () => {
    for (const point of SMALL_ORDER) {
      net = new VirtualNet(2);
      const route = net.route(1);
      const built = net.clock.runPromise(Circuit.build(net.service(0), route), 60_000);
      // Whoever has the hop's key makes what it likes; here all that it can do is spoil the slot.
      net.intercept = ({ bytes, to }) => {
        if (to === 0) bytes.set(point);
        return [bytes];
      };
      await expect(built).rejects.toMatchObject({ detail: { reason: "protocol" } });
      net.close();
    }
  });
});

describe("a packet that goes in a circle", () => {
  async function send(...way: readonly number[]) {
    net = new VirtualNet(4);
    const routes = new StaticRoutes(() => [net.route(...way)]);
    const desk = new MessageDesk(net.service(0), routes);
    const got: number[] = [];
    new MessageDesk(net.service(3), routes).setMessageHandler((message) => {
      got.push(message.data.length);
      message.reply(message.data);
    });
    const sent = desk.send(net.peer(3), new Uint8Array(5), { reply: "state" });
    return { got, sent: net.clock.runPromise(sent, 60_000) };
  }

  it("is refused by a hop that would be its own next one", async () => {
    const { got, sent } = await send(1, 1, 3);
    await expect(sent).rejects.toMatchObject({ detail: { reason: "policy", hop: 0 } });
    expect(net.service(1).counts().packets.get("loop")).toBe(1);
    expect(got).toEqual([]);
  });

  it("over others ends all the same, after as many hops as a header has room for", async () => {
    const { got, sent } = await send(1, 2, 1, 2, 3);
    await sent;
    expect(got).toEqual([5]);
    expect(net.passages.length).toBe(10);
  });
});

describe("a last hop", () => {
  it("keeps no more answers than requests may be open for an origin that grants no credit", () => {
    const parts = { suite: fastSuite(), geometry: GEOMETRY };
    const random = new SeededRandom(3);
    const [hop] = makeHops(parts, 1);
    if (hop === undefined) throw new Error("one hop");
    const core = new RelayCore({ parts, peeler: hop.peeler, self: hop.id, random });
    const built = buildCircuitPacket(parts, { epoch: hop.epoch, route: [hop.target], random });
    if (built === undefined) throw new Error("the keys are good");
    const written: Uint8Array[] = [];
    let responses = 0;
    const tell = (input: RelayInput): void => {
      core.handle(input, 0);
      for (const effect of effectsOf(core)) {
        if (effect.kind === "write") written.push(effect.unit);
        if (effect.kind !== "request") continue;
        responses += 1;
        const { circuit, request } = effect;
        core.handle({ kind: "respond", circuit, request, content: new Uint8Array(1) }, 0);
      }
      core.handle({ kind: "sent", channel: 1, count: 1_000 }, 0);
    };
    tell({ kind: "opened", channel: 1, from: hop.id });
    tell({ kind: "unit", channel: 1, unit: built.unit });
    const answer = written[0] ?? new Uint8Array(0);
    const outcome = openAnswer(parts.suite, built, [hop.target], answer);
    const keys = outcome.kind === "built" ? outcome.hops[0] : undefined;
    if (keys === undefined) throw new Error("the circuit is built");
    const { windowCells, requestsMax } = CIRCUIT_LIMITS;
    const { requestCells, cellBytes } = GEOMETRY;
    for (let request = 1; request < 2_000 && core.circuits > 0; request++) {
      for (let part = 0; part < requestCells; part++) {
        const data = new Uint8Array(cellDataBytes(GEOMETRY));
        const unit = writeCell(cellBytes, { command: "part", request, data });
        keys.forward.seal(unit);
        tell({ kind: "unit", channel: 1, unit });
      }
    }
    expect(core.circuits).toBe(0);
    expect(responses).toBe(windowCells / requestCells + requestsMax);
  });
});

describe("a relay", () => {
  const parts = { suite: fastSuite(), geometry: GEOMETRY };

  /** A circuit through one relay to a last hop that a test plays. */
  function openRelay() {
    const random = new SeededRandom(3);
    const [relay, last] = makeHops(parts, 2);
    if (relay === undefined || last === undefined) throw new Error("two hops");
    const core = new RelayCore({ parts, peeler: relay.peeler, self: relay.id, random });
    const effects: RelayEffect[] = [];
    const tell = (input: RelayInput): void => {
      core.handle(input, 0);
      for (const effect of effectsOf(core)) {
        effects.push(effect);
      }
    };
    const route = [relay.target, last.target];
    const built = buildCircuitPacket(parts, { epoch: relay.epoch, route, random });
    if (built === undefined) throw new Error("the keys are good");
    tell({ kind: "opened", channel: 1, from: last.id });
    tell({ kind: "unit", channel: 1, unit: built.unit });
    const passed = effects.find((effect) => effect.kind === "write");
    const peeled = last.peeler.peel(passed?.kind === "write" ? passed.unit : built.unit);
    if (peeled.kind === "dropped") throw new Error(peeled.reason);
    const handshake = agreeAsHop(parts.suite, peeled, random);
    if (handshake === undefined) throw new Error("the keys are good");
    const noise = random.bytes(GEOMETRY.cellBytes);
    tell({ kind: "unit", channel: 2, unit: answerAsHop(parts.suite, handshake, noise) });
    tell({ kind: "sent", channel: 1, count: 1 });
    tell({ kind: "sent", channel: 2, count: 1 });
    effects.length = 0;
    return { core, tell, effects, cell: () => random.bytes(GEOMETRY.cellBytes) };
  }

  it("ignores cells for circuits that are not there", () => {
    const { core, tell, effects, cell } = openRelay();
    for (const channel of [0, 3, 4, 99, -1]) {
      tell({ kind: "unit", channel, unit: cell() });
      tell({ kind: "sent", channel, count: 5 });
      tell({ kind: "closed", channel });
    }
    expect(effects).toEqual([]);
    expect(core.circuits).toBe(1);
    tell({ kind: "closed", channel: 1 });
    effects.length = 0;
    tell({ kind: "unit", channel: 1, unit: cell() });
    tell({ kind: "unit", channel: 2, unit: cell() });
    expect(effects).toEqual([]);
  });

  it.each([
    ["there", 1],
    ["back", 2],
  ])("gives a circuit up whose cells nobody takes on the way %s", (_, channel) => {
    const { core, tell, effects, cell } = openRelay();
    let passed = 0;
    while (core.circuits > 0) {
      tell({ kind: "unit", channel, unit: cell() });
      passed += 1;
    }
    expect(passed).toBe(513);
    const closed = effects.filter((effect) => effect.kind === "close");
    expect(closed.filter(({ isStuck }) => isStuck).map((it) => it.channel)).toEqual([
      channel === 1 ? 2 : 1,
    ]);
    expect(closed).toHaveLength(2);
  });

  it("keeps so many cells of all circuits that nobody takes, and ends who has most", () => {
    const random = new SeededRandom(3);
    const [relay, last] = makeHops(parts, 2);
    if (relay === undefined || last === undefined) throw new Error("two hops");
    const components = { parts, peeler: relay.peeler, self: relay.id, random };
    const core = new RelayCore(components, { limits: { waitingCellsMax: 200 } });
    const [waiting, closed] = [new Map<number, number>(), new Map<number, boolean>()];
    let mostWaiting = 0;
    const tell = (input: RelayInput): void => {
      core.handle(input, 0);
      for (const effect of effectsOf(core)) {
        if (effect.kind === "close") {
          closed.set(effect.channel, effect.isStuck);
          waiting.delete(effect.channel);
        } else if (effect.kind === "write") {
          waiting.set(effect.channel, (waiting.get(effect.channel) ?? 0) + 1);
        }
      }
      mostWaiting = Math.max(
        mostWaiting,
        [...waiting.values()].reduce((sum, it) => sum + it, 0),
      );
    };
    const open = (channel: number): void => {
      const route = [relay.target, last.target];
      const built = buildCircuitPacket(parts, { epoch: relay.epoch, route, random });
      if (built === undefined) throw new Error("the keys are good");
      tell({ kind: "opened", channel, from: last.id });
      tell({ kind: "unit", channel, unit: built.unit });
    };
    /** What comes from behind is passed on, whatever it is. */
    const passBack = (channel: number, cells: number): void => {
      for (let i = 0; i < cells; i++) {
        tell({ kind: "unit", channel, unit: random.bytes(GEOMETRY.cellBytes) });
      }
    };
    for (let channel = 1; channel < 20; channel += 2) {
      open(channel);
      passBack(channel + 1, 30);
    }
    passBack(20, 150);
    // The one over the limit, and what its origin is told.
    expect(mostWaiting).toBeLessThanOrEqual(202);
    expect(closed.get(19)).toBe(true);
    expect([...closed].filter(([, isStuck]) => isStuck).length).toBe(10 - core.circuits);
    for (let channel = 1; channel <= 20; channel++) tell({ kind: "closed", channel });
    expect(core.circuits).toBe(0);
    // What they had waiting is not counted any more.
    waiting.clear();
    open(21);
    passBack(22, 198);
    expect(core.circuits).toBe(1);
  });

  it("takes cells of its size only", () => {
    const { core, tell, effects, cell } = openRelay();
    tell({ kind: "unit", channel: 1, unit: cell().subarray(1) });
    expect(core.circuits).toBe(0);
    expect(core.counts.get("protocol")).toBe(1);
    // The origin is told, in a cell like all others.
    const written = effects.filter((effect) => effect.kind === "write");
    expect(written.map(({ unit }) => unit.length)).toEqual([GEOMETRY.cellBytes]);
  });
});
