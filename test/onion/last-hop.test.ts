import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { type Cell, writeCell } from "../../src/onion/circuit/cell.ts";
import { buildCircuitPacket, openAnswer } from "../../src/onion/circuit/circuit-build.ts";
import type { CircuitKeys } from "../../src/onion/circuit/circuit-keys.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { cellDataBytes } from "../../src/onion/packet/geometry.ts";
import { RelayCore } from "../../src/onion/relay/relay-core.ts";
import type { RelayInput } from "../../src/onion/relay/relay-protocol.ts";
import { fastSuite, GEOMETRY, makeHops } from "./fixtures.ts";

describe("a last hop of many circuits", () => {
  const parts = { suite: fastSuite(), geometry: GEOMETRY };
  const { requestCells, cellBytes } = GEOMETRY;

  /** A last hop that answers all requests, with circuits of one hop; its links take everything. */
  function setUp(waitingCellsMax: number) {
    const random = new SeededRandom(3);
    const [hop] = makeHops(parts, 1);
    if (hop === undefined) throw new Error("one hop");
    const components = { parts, peeler: hop.peeler, self: hop.id, random };
    const core = new RelayCore(components, { limits: { waitingCellsMax } });
    const written: Uint8Array[] = [];
    const tell = (input: RelayInput): void => {
      core.handle(input, 0);
      for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
        if (effect.kind === "write") {
          written.push(effect.unit);
          core.handle({ kind: "sent", channel: effect.channel, count: 1 }, 0);
        } else if (effect.kind === "request") {
          const { circuit, request } = effect;
          core.handle({ kind: "respond", circuit, request, content: new Uint8Array(1) }, 0);
        }
      }
    };
    const open = (channel: number): CircuitKeys => {
      const built = buildCircuitPacket(parts, { epoch: hop.epoch, route: [hop.target], random });
      if (built === undefined) throw new Error("the keys are good");
      tell({ kind: "opened", channel, from: hop.id });
      tell({ kind: "unit", channel, unit: built.unit });
      const answer = written.at(-1) ?? new Uint8Array(0);
      const outcome = openAnswer(parts.suite, built, [hop.target], answer);
      const keys = outcome.kind === "built" ? outcome.hops[0] : undefined;
      if (keys === undefined) throw new Error("the circuit is built");
      return keys;
    };
    const say = (channel: number, keys: CircuitKeys, cell: Cell): void => {
      const unit = writeCell(cellBytes, cell);
      keys.forward.seal(unit);
      tell({ kind: "unit", channel, unit });
    };
    return { core, open, say };
  }

  const data = new Uint8Array(cellDataBytes(GEOMETRY));
  /** What is kept here for each circuit: answers without credit, or most of a message. */
  const kept: Record<string, (at: number) => Cell> = {
    "answers for origins that grant no credit": (at) => {
      return { command: "part", request: Math.floor(at / requestCells), data };
    },
    "messages of which the last cell never comes": (at) => {
      return { command: "data", request: 99 - at, data };
    },
  };

  it.each(Object.entries(kept))("keeps not all %s", (_, cellAt) => {
    const most = 300;
    const { core, open, say } = setUp(most);
    const cells = cellAt(0).command === "part" ? CIRCUIT_LIMITS.windowCells + 80 : 80;
    for (let channel = 1; channel < 40; channel += 2) {
      const keys = open(channel);
      for (let at = 0; at < cells; at++) say(channel, keys, cellAt(at));
    }
    expect(core.circuits).toBeLessThanOrEqual(most / 80 + 1);
    expect(core.counts.get("overload")).toBeGreaterThan(10);
    // What ended is not counted any more.
    const alive = core.circuits;
    open(101);
    expect(core.circuits).toBe(alive + 1);
  });
});
