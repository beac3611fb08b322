import { describe, expect, it } from "vitest";
import { type Acknowledgement, emptySelective, select } from "../../../src/stream/frame/frame.ts";
import { Claim } from "../../../src/stream/sender/claim.ts";

function ackOf(next: number, ...selected: number[]): Acknowledgement {
  const selective = emptySelective();
  for (const index of selected) select(selective, index - next - 1);
  return { next, credit: 1, selective };
}

describe("a claim to places of the Map", () => {
  it("lets a new stream seal what it likes, and believe nothing before a receipt", () => {
    const claim = new Claim(0, false);
    expect([claim.allows(0), claim.allows(99)]).toEqual([true, true]);
    expect([claim.covers(0), claim.covers(1), claim.isProven]).toEqual([true, false, false]);
    claim.stored(0);
    expect([claim.covers(1), claim.covers(99), claim.isProven]).toEqual([true, true, true]);
  });

  it("takes a receipt for a later frame for no proof", () => {
    const claim = new Claim(0, false);
    claim.stored(1);
    expect([claim.covers(1), claim.isProven]).toEqual([false, false]);
  });

  it("lets a resumed stream seal one frame, and believe what an earlier session sealed", () => {
    const claim = new Claim(7, true);
    expect([6, 7, 8].map((index) => claim.allows(index))).toEqual([true, true, false]);
    expect([7, 8].map((end) => claim.covers(end))).toEqual([true, false]);
    claim.stored(6);
    expect([claim.isProven, claim.allows(8)]).toEqual([false, false]);
    claim.stored(7);
    expect([claim.isProven, claim.allows(8), claim.covers(8)]).toEqual([true, true, true]);
  });

  it("keeps what says most until the proof, and gives it once", () => {
    const claim = new Claim(7, true);
    const best = ackOf(8, 10);
    for (const ack of [ackOf(8), best, ackOf(8, 9), ackOf(7, 11)]) claim.keep(ack);
    expect([claim.stored(8), claim.stored(6)]).toEqual([undefined, undefined]);
    expect(claim.stored(7)).toBe(best);
    expect(claim.stored(7)).toBe(undefined);
  });
});
