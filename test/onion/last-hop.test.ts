import { describe, expect, it } from "vitest";
import type { Cell } from "../../src/onion/circuit/cell.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { cellDataBytes } from "../../src/onion/packet/geometry.ts";
import { GEOMETRY } from "./fixtures.ts";
import { LastHop } from "./last-hop.ts";

const { requestCells } = GEOMETRY;

describe("a last hop of many circuits", () => {
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
    const hop = new LastHop({ waitingCellsMax: most });
    const cells = cellAt(0).command === "part" ? CIRCUIT_LIMITS.windowCells + 80 : 80;
    for (let channel = 1; channel < 40; channel += 2) {
      const keys = hop.open(channel);
      for (let at = 0; at < cells; at++) hop.say(channel, keys, cellAt(at));
    }
    expect(hop.core.circuits).toBeLessThanOrEqual(most / 80 + 1);
    expect(hop.core.counts.get("overload")).toBeGreaterThan(10);
    // What ended is not counted any more.
    const alive = hop.core.circuits;
    hop.open(101);
    expect(hop.core.circuits).toBe(alive + 1);
  });
});

describe("cover of a last hop", () => {
  const RATE = 1_000;

  /** So many circuits of a source that want a cell as often as they may, on channels from there. */
  function flood(hop: LastHop, source: string, { from, count }: { from: number; count: number }) {
    for (let at = 0; at < count; at++) {
      const channel = from + 2 * at;
      hop.cover(channel, hop.open(channel, source), 1);
    }
  }

  function sent(hop: LastHop, seconds: number, isCounted = (_channel: number) => true): number {
    hop.pass(1_000);
    hop.written.clear();
    hop.pass(1_000 * seconds);
    let sum = 0;
    for (const [channel, cells] of hop.written) if (isCounted(channel)) sum += cells;
    return sum / seconds;
  }

  it("is no more in all than a node sends, however many ask for it", () => {
    const hop = new LastHop({ coverCellsPerSecond: RATE });
    flood(hop, "a", { from: 1, count: 100 });
    expect(sent(hop, 10)).toBeGreaterThan(0.9 * RATE);
    expect(sent(hop, 10)).toBeLessThanOrEqual(RATE);
    flood(hop, "b", { from: 1_001, count: 20 });
    expect(sent(hop, 10)).toBeLessThanOrEqual(RATE);
  });

  it("leaves a source that asks for little what it asks for", () => {
    const hop = new LastHop({ coverCellsPerSecond: RATE });
    for (const at of [0, 1, 2]) flood(hop, `source ${at}`, { from: 1_000 * at + 1, count: 50 });
    const keys = hop.open(9_001, "honest");
    hop.cover(9_001, keys, 50);
    expect(sent(hop, 10, (channel) => channel === 9_001)).toBe(20);
    hop.cover(9_001, keys, 0);
    expect(sent(hop, 10, (channel) => channel === 9_001)).toBe(0);
  });

  it("is for others once its circuits are gone", () => {
    const hop = new LastHop({ coverCellsPerSecond: RATE });
    for (const at of [0, 1, 2, 3]) flood(hop, `source ${at}`, { from: 1_000 * at + 1, count: 20 });
    for (let channel = 1; channel < 3_999; channel += 2) {
      if (channel % 1_000 < 40) hop.core.handle({ kind: "closed", channel }, hop.now);
    }
    flood(hop, "late", { from: 9_001, count: 5 });
    expect(sent(hop, 2)).toBe(500);
  });

  it("ends with a circuit whose own beat was one cell too many", () => {
    const hop = new LastHop({ waitingCellsMax: 20 });
    const keys = hop.open(1);
    hop.areLinksOpen = false;
    hop.cover(1, keys, 10);
    hop.pass(5_000);
    expect(hop.core.circuits).toBe(0);
    expect(hop.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });
});
