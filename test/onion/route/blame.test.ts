import { describe, expect, it } from "vitest";
import type { Failure } from "../../../src/onion/packet/failure.ts";
import { BLAME_HALF_LIFE_MS, BlameLedger } from "../../../src/onion/route/blame.ts";

const SELF = new Uint8Array(32).fill(99);

describe("blame", () => {
  const [a, b, c, d] = [1, 2, 3, 4].map((value) => new Uint8Array(32).fill(value));
  const id = (node: Uint8Array | undefined): Uint8Array => node ?? SELF;
  const route = { origin: SELF, hops: [id(a), id(b), id(c)] };

  it("is a hop's own when it says that it cannot go on", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "policy", hop: 1 }, 0);
    expect([a, b, c].map((node) => ledger.isAvoided(id(node), 0))).toEqual([false, true, false]);
  });

  it("is no next hop's where one has no room, which may be for what is behind it", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "overload", hop: 1 }, 0);
    expect(ledger.isEdgeAvoided(id(b), id(c), 0)).toBe(true);
    expect(blamed({ reason: "overload", hop: 1 })).toEqual([0, 0.5, 0]);
    expect(blamed({ reason: "overload", hop: 2 })).toEqual([0, 0, 1]);
    expect(blamed({ reason: "overload", hop: -1 })).toEqual([0, 0, 0]);
  });

  it("is the edge's when the next hop is not reached, and in the end the dead node's", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "next-unreachable", hop: 1 }, 0);
    expect(ledger.isEdgeAvoided(id(b), id(c), 0)).toBe(true);
    expect(ledger.isAvoided(id(c), 0)).toBe(false);
    const other = { origin: SELF, hops: [id(a), id(d), id(c)] };
    ledger.blame(other, { reason: "next-unreachable", hop: 1 }, 0);
    expect(ledger.isAvoided(id(c), 0)).toBe(true);
    expect(ledger.isAvoided(id(b), 0)).toBe(false);
  });

  it("is the first hop's when this node cannot reach it", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "next-unreachable", hop: -1 }, 0);
    expect([a, b, c].map((node) => ledger.blameOf(id(node), 0))).toEqual([1, 0, 0]);
  });

  it("goes to every edge by half when nobody has told", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "timeout" }, 0);
    expect(ledger.isEdgeAvoided(id(a), id(b), 0)).toBe(false);
    ledger.blame(route, { reason: "timeout" }, 0);
    expect(ledger.isEdgeAvoided(id(a), id(b), 0)).toBe(true);
    expect(ledger.isEdgeAvoided(id(b), id(c), 0)).toBe(true);
    expect(ledger.isEdgeAvoided(id(a), id(c), 0)).toBe(false);
  });

  /** What is left to each node's name after one failure. */
  const blamed = (failure: Failure, hops = route.hops): number[] => {
    const ledger = new BlameLedger();
    ledger.blame({ origin: SELF, hops }, failure, 0);
    return hops.map((node) => ledger.blameOf(node, 0));
  };

  it("is shared by what lies behind a hop that got no answer", () => {
    expect(blamed({ reason: "timeout", hop: 0 })).toEqual([0.25, 0.5, 0.5]);
    expect(blamed({ reason: "timeout", hop: 1 })).toEqual([0, 0.5, 0.5]);
    expect(blamed({ reason: "timeout", hop: 2 })).toEqual([0, 0, 1]);
    // Not even the first hop has said anything, which it would have.
    expect(blamed({ reason: "timeout", hop: -1 })).toEqual([1, 0, 0]);
    expect(blamed({ reason: "timeout" })).toEqual([0.5, 0.5, 0.5]);
  });

  it("is shared by what lies before a hop that got what does not open", () => {
    expect(blamed({ reason: "protocol", hop: 2 })).toEqual([0.5, 0.5, 0.5]);
    expect(blamed({ reason: "protocol", hop: 1 })).toEqual([0.5, 0.5, 0]);
    expect(blamed({ reason: "protocol", hop: 0 })).toEqual([1, 0, 0]);
  });

  it("is a hop's own, for an hour, when it broke the protocol under its own layer", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "protocol", hop: 1, isProven: true }, 0);
    expect([a, b, c].map((node) => ledger.isLiar(id(node), 59 * 60_000))).toEqual([
      false,
      true,
      false,
    ]);
    expect(ledger.blameOf(id(a), 0)).toBe(0);
  });

  it("of a liar outlasts that of one who failed", () => {
    const ledger = new BlameLedger();
    ledger.blame(route, { reason: "policy", hop: 0 }, 0);
    ledger.convict(id(b), 0);
    const isAvoided = (minutes: number): boolean[] =>
      [a, b].map((node) => ledger.isAvoided(id(node), minutes * 60_000));
    expect(isAvoided(0)).toEqual([true, true]);
    expect(isAvoided(1)).toEqual([false, true]);
    expect(isAvoided(60)).toEqual([false, true]);
    expect(isAvoided(62)).toEqual([false, false]);
  });

  it("halves with time, and is bounded", () => {
    const ledger = new BlameLedger({ blamedMax: 2 });
    ledger.blame(route, { reason: "policy", hop: 0 }, 0);
    expect(ledger.blameOf(id(a), BLAME_HALF_LIFE_MS)).toBeCloseTo(0.5);
    ledger.blame(route, { reason: "policy", hop: 1 }, 0);
    ledger.blame(route, { reason: "policy", hop: 2 }, 0);
    expect([a, b, c].filter((node) => ledger.blameOf(id(node), 0) > 0).length).toBe(2);
  });
});
