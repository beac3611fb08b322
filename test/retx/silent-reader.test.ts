import { describe, expect, it } from "vitest";
import { ReTx } from "../../src/retx/index.ts";

const RECEIPT = { now: 5, expiresAt: 1_000_000, refreshAt: 500_000 };

describe("a reader that says nothing", () => {
  /** Frames that are put again after so many questions in vain. */
  function putAgain(times: number, isTroubled = false): number[] {
    const retx = new ReTx();
    for (let index = 0; index < 12; index++) {
      retx.add(index);
      retx.sent(index, index);
      if (index > 0 || !isTroubled) retx.stored(index, RECEIPT);
    }
    retx.select(0, 8, (j) => j < 2, { newest: false, now: 6, doubtMs: 100 });
    retx.doubtSilent(times, 1_000);
    return Array.from({ length: 12 }, (_, at) => at).filter((at) => retx.state(at) === "missing");
  }

  it("may look for the first frame, or any other, whatever it has said to have", () => {
    const [second, third, fourth, fifth] = [[1], [2, 3], [4, 5, 6, 7], [8, 9, 10, 11]];
    const parts = [[], second, third, fourth, fifth, second];
    expect([1, 2, 3, 4, 5, 6].map((times) => putAgain(times))).toEqual(
      parts.map((part) => [0, ...(part ?? [])]),
    );
  });

  it("may have nothing to say as long as frames were never stored", () => {
    expect(putAgain(3, true)).toEqual([]);
  });

  it("may look for any frame while others are put again before their lives end", () => {
    const retx = new ReTx();
    for (let index = 0; index < 4; index++) {
      retx.add(index);
      retx.sent(index, index);
      retx.stored(index, { ...RECEIPT, refreshAt: index === 3 ? 10 : RECEIPT.refreshAt });
    }
    retx.timeout(10);
    expect(retx.unstored).toBe(1);
    retx.doubtSilent(2, 1_000);
    expect([retx.state(0), retx.state(1)]).toEqual(["missing", "missing"]);
  });
});

describe("a reader that speaks and has no news", () => {
  it("may lack the first frame behind the first one that it has not told to have", () => {
    const retx = new ReTx();
    for (let index = 0; index < 5; index++) {
      retx.add(index);
      retx.sent(index, index);
      retx.stored(index, RECEIPT);
    }
    retx.select(0, 8, (j) => j === 0, { newest: true, now: 6, doubtMs: 100 });
    retx.doubtLacking(RECEIPT.now - 1);
    expect(retx.hasRetransmission(false)).toBe(false);
    retx.doubtLacking(RECEIPT.now);
    expect([retx.nextRetransmission(false), retx.hasRetransmission(false)]).toEqual([2, false]);
  });
});
