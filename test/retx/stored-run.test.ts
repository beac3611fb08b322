import { describe, expect, it } from "vitest";
import { ReTx } from "../../src/retx/index.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** `count` frames that were put at the instants 0, 1, 2 … */
function flying(count: number): ReTx {
  const retx = new ReTx();
  for (let index = 0; index < count; index++) {
    retx.add(index);
    retx.sent(index, index);
  }
  return retx;
}

const receipt = (now: number) => ({ now, expiresAt: now + 1_000_000, refreshAt: now + 500_000 });
const news = (now: number) => ({ newest: true, now, doubtMs: 100 });

describe("what was in the Map", () => {
  it("stays so while it is put again, with the life that it had", () => {
    const retx = flying(4);
    for (const index of [0, 1, 3]) retx.stored(index, { now: 5, expiresAt: 900, refreshAt: 500 });
    expect([retx.storedBelow, retx.storedRun().heldBelow, retx.earliestExpiry()]).toEqual([
      2, 2, 900,
    ]);
    retx.timeout(500);
    retx.doubt(0, NEVER);
    expect([retx.state(0), retx.state(1)]).toEqual(["missing", "suspect"]);
    expect([retx.storedBelow, retx.storedRun().heldBelow, retx.earliestExpiry()]).toEqual([
      2, 0, 900,
    ]);
    retx.stored(2, receipt(600));
    expect([retx.storedBelow, retx.storedRun().heldBelow]).toEqual([4, 0]);
  });

  it("stays so when its reader has told of it, and has forgotten it", () => {
    const retx = flying(3);
    retx.stored(0, receipt(5));
    retx.select(0, 8, (j) => j === 0, news(10));
    retx.select(0, 8, () => false, news(20));
    expect([retx.state(1), retx.storedBelow, retx.storedRun().heldBelow]).toEqual([
      "suspect",
      2,
      1,
    ]);
    retx.acknowledge(3);
    expect([retx.storedBelow, retx.storedRun().heldBelow]).toEqual([3, 3]);
  });
});
