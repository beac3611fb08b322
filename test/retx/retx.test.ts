import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReTx } from "../../src/retx/index.ts";
import { type Model, NaiveReTx } from "./naive-retx.ts";

const NEVER = Number.POSITIVE_INFINITY;
const NO_BITS = (): boolean => false;
const HOUR = 3_600_000;

/** `count` frames that were put at the instants 0, 1, 2 … */
function flying(count: number): ReTx {
  const retx = new ReTx();
  for (let index = 0; index < count; index++) {
    retx.add(index);
    retx.sent(index, index);
  }
  return retx;
}

/** A receipt at `now` that is not renewed while a test runs. */
function receipt(now: number): { now: number; expiresAt: number; refreshAt: number } {
  return { now, expiresAt: now + HOUR, refreshAt: now + HOUR / 2 };
}

const news = (now: number) => ({ newest: true, now, doubtMs: 100 });

describe("the states of a frame", () => {
  it("go from new over flying and suspect to stored", () => {
    const retx = new ReTx({ first: 7 });
    expect([retx.base, retx.next, retx.size]).toEqual([7, 7, 0]);
    retx.add(7);
    expect(retx.state(7)).toBe("new");
    retx.sent(7, 0);
    expect([retx.state(7), retx.puts(7), retx.unstored]).toEqual(["flying", 1, 1]);
    retx.suspect(7);
    expect(retx.state(7)).toBe("suspect");
    expect(retx.nextRetransmission(false)).toBe(7);
    retx.sent(7, 10);
    retx.stored(7, receipt(20));
    expect([retx.state(7), retx.puts(7), retx.unstored]).toEqual(["stored", 2, 0]);
    expect(retx.earliestExpiry()).toBe(20 + HOUR);
  });

  it("leave no suspicion behind once a late receipt has come", () => {
    const retx = flying(1);
    retx.suspect(0);
    retx.stored(0, receipt(5));
    retx.suspect(0);
    expect(retx.hasRetransmission(false)).toBe(false);
    expect(retx.nextRetransmission(false)).toBeUndefined();
  });

  it("demand order, and acknowledgements of what exists", () => {
    const retx = flying(2);
    expect(() => retx.add(3)).toThrow(/in order/);
    expect(() => retx.acknowledge(3)).toThrow(/never sent/);
  });

  it("are forgotten below an acknowledgement, and a later word of them is harmless", () => {
    const retx = flying(4);
    retx.stored(1, receipt(5));
    expect(retx.acknowledge(3)).toEqual([0, 1, 2]);
    expect(retx.acknowledge(2)).toEqual([]);
    expect([retx.base, retx.size, retx.unstored, retx.deadline()]).toEqual([3, 1, 1, NEVER]);
    retx.sent(0, 9);
    retx.suspect(0);
    retx.stored(0, receipt(9));
    retx.doubt(0, 9);
    expect([retx.size, retx.unstored, retx.has(0)]).toEqual([1, 1, false]);
  });
});

describe("what is put again", () => {
  it("is the lowest missing frame, then the lowest suspect", () => {
    const retx = flying(6);
    for (const index of [4, 1, 3]) retx.suspect(index);
    retx.doubt(3, NEVER);
    expect(retx.hasRetransmission(true)).toBe(true);
    expect(retx.nextRetransmission(true)).toBe(3);
    retx.sent(3, 50);
    expect([retx.nextRetransmission(true), retx.hasRetransmission(true)]).toEqual([
      undefined,
      false,
    ]);
    expect(retx.nextRetransmission(false)).toBe(1);
    retx.sent(1, 50);
    expect(retx.nextRetransmission(false)).toBe(4);
  });

  it("is a stored frame when its receipt grows old, selected or not", () => {
    const retx = flying(3);
    for (const index of [0, 1, 2]) {
      retx.stored(index, { now: 10, expiresAt: 1_000, refreshAt: 600 + index });
    }
    retx.select(0, 8, (j) => j === 0, news(20));
    expect(retx.deadline()).toBe(600);
    retx.timeout(599);
    expect(retx.hasRetransmission(false)).toBe(false);
    retx.timeout(601);
    expect([retx.state(0), retx.state(1), retx.state(2)]).toEqual(["suspect", "suspect", "stored"]);
    expect([retx.unstored, retx.deadline()]).toEqual([1, 602]);
  });

  it("waits for its turn among others whose lives are as short", () => {
    const retx = flying(3);
    for (const index of [0, 1, 2]) retx.stored(index, { now: 10, expiresAt: 90, refreshAt: 60 });
    // One put takes as long as a life.
    for (let turn = 0; turn < 6; turn++) {
      const now = 60 + 60 * turn;
      retx.timeout(now);
      expect(retx.nextRetransmission(false)).toBe(turn % 3);
      retx.sent(turn % 3, now);
      retx.stored(turn % 3, { now: now + 10, expiresAt: now + 90, refreshAt: now + 60 });
    }
  });

  it("is renewed from its latest receipt only", () => {
    const retx = flying(1);
    retx.stored(0, { now: 10, expiresAt: 1_000, refreshAt: 600 });
    retx.stored(0, { now: 20, expiresAt: 2_000, refreshAt: 900 });
    expect([retx.deadline(), retx.earliestExpiry()]).toEqual([900, 2_000]);
  });
});

describe("a selective acknowledgement", () => {
  it("stops the retransmission of what has arrived, and keeps it", () => {
    const retx = flying(4);
    for (const index of [0, 1, 2, 3]) retx.suspect(index);
    expect(retx.select(0, 8, (j) => j === 1, news(10)).newlySelected).toEqual([2]);
    expect([retx.isSelected(2), retx.size, retx.unstored]).toEqual([true, 4, 3]);
    expect(retx.select(0, 8, (j) => j === 1, news(11)).newlySelected).toEqual([]);
    const again: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) again.push(retx.nextRetransmission(false));
    expect(again).not.toContain(2);
  });

  it("makes a suspect frame missing when a later put has arrived, and no earlier one", () => {
    const retx = flying(3);
    retx.suspect(0);
    retx.sent(0, 9);
    retx.suspect(0);
    retx.suspect(1);
    retx.select(0, 8, (j) => j === 1, news(10));
    // Frame 2 was put at 2: after frame 1, before the second put of frame 0.
    expect([retx.state(0), retx.state(1)]).toEqual(["suspect", "missing"]);
  });

  it("doubts a receipt after a while, and neither a put under way nor a fresh receipt", () => {
    const retx = flying(4);
    retx.stored(0, receipt(5));
    retx.stored(1, receipt(60));
    const arrived = (j: number): boolean => j === 2;
    retx.select(0, 8, arrived, news(104));
    expect([retx.state(0), retx.state(1), retx.state(2)]).toEqual(["stored", "stored", "flying"]);
    retx.select(0, 8, arrived, news(105));
    expect([retx.state(0), retx.state(1), retx.state(2)]).toEqual(["missing", "stored", "flying"]);
    expect(retx.unstored).toBe(2);
  });

  it("brings back what a restarted reader forgot, unless it is not the newest", () => {
    const retx = flying(3);
    retx.select(0, 8, (j) => j < 2, news(10));
    expect(retx.unstored).toBe(1);
    retx.select(0, 8, NO_BITS, { ...news(11), newest: false });
    expect(retx.isSelected(1)).toBe(true);
    retx.stored(1, receipt(12));
    retx.select(0, 8, NO_BITS, news(13));
    // Frame 1 has a receipt of its own: the reader finds it again.
    expect([retx.state(1), retx.state(2), retx.unstored]).toEqual(["stored", "suspect", 2]);
    expect(retx.nextRetransmission(false)).toBe(2);
  });

  it("counts right when a frame is forgotten while its receipt is being renewed", () => {
    const retx = flying(2);
    retx.stored(1, { now: 5, expiresAt: 100, refreshAt: 60 });
    retx.select(0, 8, (j) => j === 0, news(10));
    retx.timeout(60);
    expect([retx.state(1), retx.unstored]).toEqual(["suspect", 1]);
    retx.select(0, 8, NO_BITS, news(61));
    expect(retx.unstored).toBe(2);
    retx.stored(0, receipt(62));
    retx.stored(1, receipt(62));
    expect(retx.unstored).toBe(0);
  });

  it("does not take a forgotten frame for stored when nothing renews its receipt", () => {
    const retx = flying(2);
    retx.stored(1, { now: 5, expiresAt: 100, refreshAt: 60 });
    retx.timeout(60);
    retx.select(0, 8, (j) => j === 0, news(61));
    expect(retx.deadline()).toBe(NEVER);
    retx.select(0, 8, NO_BITS, news(62));
    expect(retx.state(1)).toBe("suspect");
    retx.doubt(0, NEVER);
    expect(retx.nextRetransmission(false)).toBe(1);
  });

  it("says nothing about frames beyond its bits or beyond the last one", () => {
    const retx = flying(10);
    const { newlySelected } = retx.select(0, 4, () => true, news(20));
    expect([...newlySelected].sort()).toEqual([1, 2, 3, 4]);
    expect(retx.select(10, 4, () => true, news(20)).newlySelected).toEqual([]);
  });
});

describe("a starving reader", () => {
  it("makes a frame missing, unless it was stored since or is under way", () => {
    const retx = flying(3);
    retx.stored(0, receipt(50));
    retx.doubt(0, 49);
    retx.doubt(1, 49);
    expect([retx.state(0), retx.state(1)]).toEqual(["stored", "flying"]);
    retx.doubt(0, 50);
    expect([retx.state(0), retx.nextRetransmission(true)]).toEqual(["missing", 0]);
  });

  it("is believed, and not an old word of it that came late and says that it has the frame", () => {
    const retx = flying(5);
    for (let index = 0; index < 5; index++) retx.stored(index, receipt(5));
    retx.acknowledge(1);
    retx.select(0, 8, () => true, { newest: false, now: 6, doubtMs: 100 });
    retx.doubt(1, NEVER);
    expect([retx.nextRetransmission(true), retx.nextRetransmission(true)]).toEqual([1, undefined]);
    expect([retx.hasRetransmission(false), retx.unstored]).toEqual([false, 0]);
  });
});

describe("a Map that has forgotten more than one frame", () => {
  /** Frames that are missing after the reader was found to wait for each of `indexes` in turn. */
  function missingAfter(indexes: readonly number[]): number[] {
    const retx = flying(20);
    for (let index = 0; index < 20; index++) retx.stored(index, receipt(5));
    for (const index of indexes) retx.doubt(index, NEVER);
    return Array.from({ length: 20 }, (_, at) => at).filter((at) => retx.state(at) === "missing");
  }

  it("is taken to have forgotten twice as many, each time that the next one is gone too", () => {
    expect(missingAfter([2])).toEqual([2]);
    expect(missingAfter([2, 3])).toEqual([2, 3, 4]);
    expect(missingAfter([2, 3, 5])).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(missingAfter([2, 3, 5, 9])).toEqual(Array.from({ length: 15 }, (_, at) => at + 2));
  });

  it("is taken to have forgotten one, when those behind the last ones were there", () => {
    expect(missingAfter([2, 3, 5, 10])).toEqual([2, 3, 4, 5, 6, 7, 8, 10]);
    expect(missingAfter([2, 4, 6])).toEqual([2, 4, 6]);
  });

  it("is taken to have forgotten no more while the reader waits for what was put again", () => {
    expect(missingAfter([2, 3, 3, 4, 3])).toEqual([2, 3, 4]);
    expect(missingAfter([2, 3, 1_000])).toEqual([2, 3, 4]);
  });
});

describe("frames that nobody acknowledges", () => {
  it("are forgotten one by one, and the base moves over the gaps", () => {
    const retx = flying(4);
    for (const index of [0, 1, 2, 3]) retx.stored(index, receipt(5));
    retx.forget(1);
    expect([retx.base, retx.size]).toEqual([0, 3]);
    expect([retx.storedBelow, retx.storedRun().heldBelow]).toEqual([4, 4]);
    retx.forget(0);
    expect([retx.base, retx.size]).toEqual([2, 2]);
    retx.forget(9);
    expect(retx.acknowledge(4)).toEqual([2, 3]);
  });
});

/** One text per step: comparing structures field by field takes most of the time. */
function summary(retx: ReTx, frames: readonly Model[]): string {
  const states = frames.map(({ index }) => [index, retx.state(index), retx.isSelected(index)]);
  const { base, next, size, unstored } = retx;
  const times = [retx.deadline(), retx.earliestExpiry()];
  const below = [retx.storedRun().heldBelow, retx.storedBelow];
  return String([base, next, size, unstored, ...below, ...times, ...states]);
}

const place = fc.nat(7);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: "add" as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("sent" as const), place }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("suspect" as const), place }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("stored" as const), place, life: fc.nat(200) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("acknowledge" as const), place }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("select" as const),
      place,
      arrived: fc.array(fc.boolean(), { maxLength: 12 }),
      newest: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("doubt" as const), place, ago: fc.nat(100) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("silent" as const),
      times: fc.integer({ min: 1, max: 40 }),
      ago: fc.nat(100),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(150) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), place }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("again" as const),
      missingOnly: fc.boolean(),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(action: Step, retx: ReTx, model: NaiveReTx, now: number): void {
  const index = "place" in action ? model.base + action.place - 1 : -1;
  switch (action.kind) {
    case "add":
      retx.add(model.next);
      model.add();
      break;
    case "sent":
      retx.sent(index, now);
      model.sent(index, now);
      break;
    case "suspect":
      retx.suspect(index);
      model.suspect(index);
      break;
    case "stored": {
      const times = { now, expiresAt: now + 2 * action.life, refreshAt: now + action.life };
      retx.stored(index, times);
      model.stored(index, times);
      break;
    }
    case "acknowledge": {
      const next = Math.min(model.next, model.base + (action.place >> 2));
      expect(retx.acknowledge(next)).toEqual(model.acknowledge(next));
      break;
    }
    case "select": {
      const next = Math.max(0, model.base + (action.place >> 1) - 1);
      const { arrived, newest } = action;
      const options = { newest, now, doubtMs: 100 };
      const { newlySelected } = retx.select(next, 8, (j) => arrived[j] ?? false, options);
      const expected = model.select(next, 8, arrived.slice(0, 8), newest, now);
      expect([...newlySelected].sort((a, b) => a - b)).toEqual(expected);
      break;
    }
    case "doubt":
      retx.doubt(index, now - action.ago);
      model.doubt(index, now - action.ago);
      break;
    case "silent":
      retx.doubtSilent(action.times, now - action.ago);
      model.doubtSilent(action.times, now - action.ago);
      break;
    case "wait":
      retx.timeout(now);
      model.timeout(now);
      break;
    case "forget":
      retx.forget(index);
      model.forget(index);
      break;
    case "again": {
      const again = model.retransmission(action.missingOnly);
      expect(retx.hasRetransmission(action.missingOnly)).toBe(again !== undefined);
      expect(retx.nextRetransmission(action.missingOnly)).toBe(again);
      if (again === undefined) break;
      retx.sent(again, now);
      model.sent(again, now);
      break;
    }
  }
}

describe("ReTx", () => {
  it("does what a plain list of frames does, through any sequence of events", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 160, size: "max" }), (steps) => {
        const retx = new ReTx();
        const model = new NaiveReTx();
        let now = 0;
        for (const action of steps) {
          now += action.kind === "wait" ? action.ms : 1;
          perform(action, retx, model, now);
          expect(summary(retx, model.frames)).toBe(model.summary());
        }
      }),
      { numRuns: 120, seed: 1 },
    );
  });
});
