import { describe, expect, it } from "vitest";
import { ChainReader, type ChainReaderOptions } from "../../../src/stream/exchange/chain-reader.ts";
import type { Request } from "../../../src/stream/exchange/exchange.ts";
import { DATA_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import type { StreamOptions } from "../../../src/stream/options.ts";
import { exchangeFixture, keysFor } from "../exchange-fixture.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** A reader of a data chain with four waiting gets ahead, twelve at most. */
function readerOf(given: Partial<ChainReaderOptions> = {}, options: Partial<StreamOptions> = {}) {
  const fixture = exchangeFixture(options);
  const { exchange, lateAt, asked } = fixture;
  const keys = keysFor(DATA_CONTEXT);
  const reader = new ChainReader(exchange, keys, 0, {
    purpose: "data-get",
    aheadMin: 4,
    aheadMax: () => 12,
    aheadGrowth: 2,
    quietAskMsMax: 12_000,
    quietPlaces: 1,
    ...given,
  });
  /** The indexes of all gets so far. */
  const indexes = (): number[] => {
    const names = new Map(Array.from({ length: 60 }, (_, i) => [String(keys.at(i).frameId), i]));
    return asked("get").map(({ frameId }) => names.get(String(frameId)) ?? -1);
  };
  const arrive = (id: number, now: number): void => {
    const request = exchange.settle(id, now);
    if (request !== undefined) reader.arrived(request.index, now);
    reader.pump(now, NO_LIMIT);
  };
  const passTime = (now: number): Request[] => {
    const late = lateAt(now);
    for (const request of late) reader.late(request);
    reader.pump(now, NO_LIMIT);
    return late;
  };
  return { ...fixture, reader, keys, indexes, arrive, passTime };
}

describe("a reader of a chain", () => {
  it("asks once for each place in its reach, and further with every frame that comes", () => {
    const { reader, indexes, arrive } = readerOf();
    reader.pump(0, NO_LIMIT);
    reader.pump(0, NO_LIMIT);
    expect(indexes()).toEqual([0, 1, 2, 3]);
    arrive(1, 10);
    // Two more for the frame, and one for the place that it left.
    expect(indexes()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([reader.base, reader.seen]).toEqual([1, 0]);
    for (const id of [2, 3, 4, 5, 6, 7]) arrive(id, 20);
    expect(Math.max(...indexes())).toBe(reader.seen + 12);
  });

  it("never asks beyond its limit, nor when it is closed", () => {
    const { reader, indexes } = readerOf();
    reader.pump(0, 2);
    expect(indexes()).toEqual([0, 1]);
    reader.isOpen = false;
    reader.pump(0, NO_LIMIT);
    expect([indexes().length, reader.deadline(0, NO_LIMIT)]).toEqual([2, NO_LIMIT]);
    reader.isOpen = true;
    expect(reader.deadline(0, NO_LIMIT)).toBe(0);
  });

  it("never has more gets in time than the window holds", () => {
    const { reader, indexes } = readerOf({ aheadMin: 10 }, { window: 3 });
    reader.pump(0, NO_LIMIT);
    expect([indexes().length, reader.deadline(0, NO_LIMIT)]).toEqual([3, NO_LIMIT]);
  });

  it("moves over what has arrived out of order", () => {
    const { reader, arrive } = readerOf();
    reader.pump(0, NO_LIMIT);
    arrive(3, 10);
    arrive(2, 11);
    expect([reader.base, reader.seen]).toEqual([0, 2]);
    arrive(1, 12);
    expect([reader.base, reader.seen]).toEqual([3, 2]);
  });

  it("asks again for a late frame when a later one was read, and parks the others", () => {
    const { reader, indexes, arrive, passTime } = readerOf();
    reader.pump(0, NO_LIMIT);
    arrive(3, 10);
    const before = indexes().length;
    const asked = new Set(indexes());
    expect(passTime(5_000).length).toBeGreaterThan(0);
    const again = indexes().slice(before);
    expect(again).toContain(0);
    expect(again).toContain(1);
    // What lies beyond the frame that was read is parked, and is not asked for twice.
    expect(again.every((index) => index < 2 || !asked.has(index))).toBe(true);
  });

  it("drops every request for a frame that has come", () => {
    const { reader, indexes, arrive, passTime, asked } = readerOf();
    reader.pump(0, NO_LIMIT);
    arrive(3, 10);
    passTime(5_000);
    const open = indexes().flatMap((index, at) => (index === 0 ? [at + 1] : []));
    arrive(open.at(-1) ?? 0, 5_010);
    const cancelled = asked("cancel").map(({ request }) => request);
    expect(cancelled).toEqual(expect.arrayContaining(open.slice(0, -1)));
    expect(reader.base).toBe(1);
  });

  it("holds a few requests at most for one place", () => {
    const { reader, keys, exchange, arrive, passTime, asked } = readerOf();
    reader.pump(0, NO_LIMIT);
    arrive(3, 10);
    const open = new Set<number>();
    for (let now = 1_000; now < 60_000; now += 500) passTime(now);
    const first = String(keys.at(0).frameId);
    for (const { request, frameId } of asked("get")) {
      if (String(frameId) === first) open.add(request);
    }
    expect(open.size).toBeGreaterThan(16);
    for (const { request } of asked("cancel")) open.delete(request);
    expect(open.size).toBeLessThanOrEqual(16);
    expect(exchange.deadline()).toBeGreaterThan(59_000);
  });

  it("asks again when its newest question is late, not when an older one is", () => {
    const { reader, indexes, arrive, passTime } = readerOf();
    reader.pump(0, NO_LIMIT);
    arrive(3, 10);
    const [older] = passTime(4_000);
    const count = indexes().length;
    expect(older?.index).toBe(0);
    if (older !== undefined) reader.late(older);
    reader.pump(4_000, NO_LIMIT);
    expect(indexes()).toHaveLength(count);
  });

  it("cancels a newer question of a quiet chain while the oldest may still be answered", () => {
    const { asked, passTime } = readerOf({ aheadMin: 1 });
    for (let now = 0; asked("cancel").length === 0; now += 100) passTime(now);
    expect([asked("get")[0]?.request, asked("cancel")[0]?.request]).toEqual([1, 2]);
  });

  it("counts how often a frame that must be there was asked for in vain", () => {
    const { reader, indexes, arrive, passTime } = readerOf();
    reader.pump(0, NO_LIMIT);
    expect(reader.asksInVain).toBe(0);
    arrive(3, 10);
    for (let now = 100; reader.asksInVain < 8 && now < 1e6; now += 50) passTime(now);
    expect(indexes().filter((index) => index === 0)).toHaveLength(8);
  });

  it("counts no question for a frame that may not be there yet", () => {
    const { reader, passTime } = readerOf();
    reader.pump(0, NO_LIMIT);
    for (let now = 0; now < 600_000; now += 1_000) passTime(now);
    expect(reader.asksInVain).toBe(0);
  });

  it("asks for the next frame of a quiet chain again and again, at growing gaps to a limit", () => {
    const { reader, exchange, indexes, lateAt } = readerOf();
    exchange.rto.sample(100);
    reader.pump(0, NO_LIMIT);
    const askedAt: number[] = [];
    let count = indexes().length;
    for (let now = 0; now < 400_000; now += 10) {
      for (const request of lateAt(now)) reader.late(request);
      reader.pump(now, NO_LIMIT);
      if (asked(indexes, count)) askedAt.push(now);
      count = indexes().length;
      now = Math.max(now, Math.min(reader.deadline(now, NO_LIMIT), exchange.deadline()) - 10);
    }
    const gaps = askedAt.slice(1).map((at, i) => at - (askedAt[i] ?? 0));
    expect(gaps.length).toBeGreaterThan(20);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(12_010);
    expect(gaps.at(-1)).toBeGreaterThan(11_000);
    expect(gaps[0]).toBeLessThan(1_000);
  });

  it("does not ask a quiet chain again before the question under way can be answered", () => {
    const { reader, exchange, indexes, passTime } = readerOf({ quietAskMsMax: 200 });
    exchange.rto.sample(10_000);
    reader.pump(0, NO_LIMIT);
    for (let now = 0; now <= 100_000; now += 100) passTime(now);
    expect(indexes().filter((index) => index === 0).length).toBeLessThan(12);
  });

  it("comes before others with a question that was due long ago", () => {
    const { reader, exchange, indexes } = readerOf({ aheadMin: 1 });
    exchange.rto.sample(100);
    reader.pump(0, NO_LIMIT);
    const rtoMs = exchange.rto.rtoMs();
    reader.pumpLikely(8 * rtoMs, NO_LIMIT);
    expect(indexes()).toEqual([0]);
    reader.pumpLikely(10 * rtoMs, NO_LIMIT);
    expect(indexes()).toEqual([0, 0]);
  });

  it("asks soon again when something is expected, however quiet it was", () => {
    const { reader, exchange, indexes, passTime } = readerOf({ quietAskMsMax: 3_600_000 });
    exchange.rto.sample(100);
    reader.pump(0, NO_LIMIT);
    for (let now = 0; now < 1e6; now += 100) passTime(now);
    const before = indexes().length;
    reader.expect(1e6);
    for (let now = 1e6; now < 1e6 + 2_000; now += 100) passTime(now);
    expect(indexes().length).toBeGreaterThan(before + 2);
  });

  it("gives up on what is passed, its open requests too", () => {
    const { reader, indexes, asked } = readerOf();
    reader.pump(0, NO_LIMIT);
    reader.passTo(3, 10);
    expect(reader.base).toBe(3);
    expect(asked("cancel").map(({ request }) => request)).toEqual([1, 2, 3]);
    reader.pump(10, NO_LIMIT);
    expect(
      indexes()
        .slice(4)
        .every((index) => index > 2),
    ).toBe(true);
  });

  it("paces its questions when the Map answers at once that nothing is there", () => {
    const { reader, exchange, asked: effects } = readerOf({ aheadGrowth: 0 });
    let answered = 0;
    // A Map that does not let gets wait: each one fails within a millisecond, for a minute.
    for (let now = 0; now < 60_000; now += 1) {
      reader.pump(now, NO_LIMIT);
      const open = effects("get").slice(answered);
      answered += open.length;
      for (const { request } of open) {
        const failed = exchange.fail(request);
        if (failed !== undefined) reader.failed(failed, now);
      }
    }
    expect(answered).toBeGreaterThan(20);
    expect(answered).toBeLessThan(100);
  });
});

function asked(indexes: () => number[], before: number): boolean {
  return indexes().slice(before).includes(0);
}
