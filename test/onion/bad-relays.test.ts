import { afterEach, describe, expect, it } from "vitest";
import { CulvertError, SeededRandom } from "../../src/base/index.ts";
import { isForMe, writeCell } from "../../src/onion/circuit/cell.ts";
import { Circuit } from "../../src/onion/circuit/circuit.ts";
import { agreeAsHop, answerAsHop } from "../../src/onion/circuit/circuit-build.ts";
import {
  CircuitCore,
  type CircuitEffect,
  type CircuitInput,
} from "../../src/onion/circuit/circuit-core.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { failureOf } from "../../src/onion/packet/failure.ts";
import { epochOf } from "../../src/onion/packet/key-ring.ts";
import { BlameLedger } from "../../src/onion/route/blame.ts";
import { chooseRoute, type Route } from "../../src/onion/route/route.ts";
import { effectsOf } from "../effects-of.ts";
import type { SentUnit, Spoil } from "./acceptance-net.ts";
import { badRelays } from "./bad-relays.ts";
import { fastSuite, GEOMETRY, makeHops } from "./fixtures.ts";
import { VirtualNet } from "./virtual-net.ts";

badRelays("onions over a virtual net", async (count, options) => new VirtualNet(count, options));

describe("in the long run a relay", () => {
  const NODES = 16;
  const BAD = 7;
  const ROUNDS = 100;
  const LIMITS = { ...CIRCUIT_LIMITS, buildMs: 1_000 };
  let net: VirtualNet;
  afterEach(() => net.close());

  /** A node that goes through circuits of one net, and remembers who is to blame. */
  function setUp(spoil: Spoil, guardIndexes: readonly number[] = []) {
    net = new VirtualNet(NODES, { relay: { circuit: LIMITS }, seed: 3 });
    net.isRecording = false;
    for (const { service } of net.nodes) {
      service.setHandlers({ request: async (content) => content });
    }
    net.spoil(spoil);
    const ledger = new BlameLedger();
    const random = new SeededRandom(5);
    const { id: self } = net.node(0);
    const guards = guardIndexes.map((index) => net.node(index).id);
    const draw = (): Route => {
      const now = net.clock.now();
      const rules = {
        ...{ self, epoch: epochOf(net.clock.unixMs()), relays: 3, guards, isDiverse: false },
        isExcluded: () => false,
        isAvoided: (node: Uint8Array) => ledger.isAvoided(node, now),
        isEdgeAvoided: (a: Uint8Array, b: Uint8Array) => ledger.isEdgeAvoided(a, b, now),
      };
      const route = chooseRoute(
        net.nodes.map(({ index }) => net.peer(index)),
        rules,
        random,
      );
      if (route === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
      return route;
    };
    /** Whether one request was answered, over a circuit of its own. */
    const ask = async (): Promise<boolean> => {
      const route = draw();
      const hops = route.hops.map(({ id }) => id);
      const blame = (failure = failureOf(undefined)): void =>
        ledger.blame({ origin: self, hops }, failure ?? { reason: "timeout" }, net.clock.now());
      try {
        const built = Circuit.build(net.service(0), route, { limits: LIMITS });
        const circuit = await net.clock.runPromise(built, 60_000);
        const abort = new AbortController();
        const late = net.clock.now() + 2_000;
        net.clock.schedule(late, () => abort.abort());
        const asked = circuit.request(new Uint8Array(9), { signal: abort.signal });
        const isAnswered = await net.clock.runPromise(asked, 60_000).then(
          () => true,
          () => false,
        );
        circuit.close();
        if (!isAnswered) blame((await circuit.ended).failure);
        return isAnswered;
      } catch (error) {
        blame(failureOf(error));
        return false;
      }
    };
    const weight = (index: number): number => ledger.blameOf(net.node(index).id, net.clock.now());
    return { ask, weight };
  }

  const isBad = ({ from }: SentUnit): boolean => from === BAD;
  const isCell = ({ bytes }: SentUnit): boolean => bytes.length === GEOMETRY.cellBytes;
  const spoiling = (units: (sent: SentUnit) => readonly Uint8Array[]): Spoil => {
    return { units: (sent) => (isBad(sent) ? units(sent) : [sent.bytes]) };
  };
  const ways: [string, Spoil][] = [
    ["delays", { holdMs: (sent) => (isBad(sent) ? 5_000 : 0) }],
    ["drops all", spoiling(() => [])],
    ["drops what comes back", spoiling((sent) => (isCell(sent) ? [] : [sent.bytes]))],
    ["tags", spoiling(({ bytes }) => [bytes.with(99, (bytes[99] as number) ^ 1)])],
    ["floods", spoiling(({ bytes }) => [bytes, bytes, bytes])],
  ];

  it.each(ways)("that %s is avoided, and no other for long", async (_, spoil) => {
    const { ask, weight } = setUp(spoil);
    const outcomes: boolean[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      outcomes.push(await ask());
      await net.clock.runUntil(net.clock.now() + 10_000);
    }
    const weights = net.nodes.map(({ index }) => weight(index));
    expect(Math.max(...weights)).toBe(weights[BAD]);
    expect(weights.filter((_, index) => index !== BAD && (weights[index] ?? 0) > 0.95)).toEqual([]);
    const failed = outcomes.filter((isAnswered) => !isAnswered).length;
    // A fifth of all routes go over it.
    expect(failed).toBeGreaterThan(0);
    expect(failed).toBeLessThan(ROUNDS / 10);
  });

  it.each(ways)(
    "that %s and is no guard does not cost the guards their place",
    async (_, spoil) => {
      const guards = [1, 2, 3];
      const { ask, weight } = setUp(spoil, guards);
      for (let round = 0; round < ROUNDS; round++) {
        await ask();
        for (const guard of guards) expect(weight(guard)).toBeLessThan(0.95);
        await net.clock.runUntil(net.clock.now() + 10_000);
      }
      expect(weight(BAD)).toBeGreaterThan(0.5);
    },
  );

  it("that is none of these is not: all circuits carry", async () => {
    const { ask, weight } = setUp({});
    for (let round = 0; round < 20; round++) expect(await ask()).toBe(true);
    expect(net.nodes.map(({ index }) => weight(index))).toEqual(Array(NODES).fill(0));
  });
});

describe("a hop half-way", () => {
  const parts = { suite: fastSuite(), geometry: GEOMETRY };

  it("that speaks like a last hop under its own layer is convicted", () => {
    const random = new SeededRandom(3);
    const [first, last] = makeHops(parts, 2);
    if (first === undefined || last === undefined) throw new Error("two hops");
    const route = [first.target, last.target];
    const core = new CircuitCore({ parts, random }, { route, epoch: first.epoch });
    const tell = (input: CircuitInput): CircuitEffect[] => {
      core.handle(input, 0);
      return [...effectsOf(core)];
    };
    const [build] = tell({ kind: "build" });
    if (build?.kind !== "write") throw new Error("a build is written");
    const atFirst = first.peeler.peel(build.unit);
    if (atFirst.kind === "dropped") throw new Error(atFirst.reason);
    const atLast = last.peeler.peel(atFirst.unit);
    if (atLast.kind === "dropped") throw new Error(atLast.reason);
    const [own, behind] = [atFirst, atLast].map((at) => agreeAsHop(parts.suite, at, random));
    if (own === undefined || behind === undefined) throw new Error("the keys are good");
    const answer = answerAsHop(parts.suite, behind, random.bytes(GEOMETRY.cellBytes));
    const [ready] = tell({ kind: "unit", unit: answerAsHop(parts.suite, own, answer) });
    expect(ready).toEqual({ kind: "ready" });
    const data = new Uint8Array(3);
    const cell = writeCell(GEOMETRY.cellBytes, { command: "data", request: 0, data });
    expect(isForMe(cell)).toBe(true);
    own.keys.backward.seal(cell);
    const failure = { reason: "protocol", hop: 0, isProven: true };
    expect(tell({ kind: "unit", unit: cell })).toEqual([{ kind: "ended", failure }]);
  });
});
