import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { Chain } from "../../../src/crypto/index.ts";
import type { Request } from "../../../src/stream/exchange/exchange.ts";
import { DATA_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import { type Look, Scout } from "../../../src/stream/multicast/scout.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

/** A scout of a chain of so many places, whose Map is told what to answer. */
function scoutOf(places: number) {
  const fixture = exchangeFixture();
  const { exchange, asked } = fixture;
  const cellBytes = 100;
  const scout = new Scout({ exchange, cellBytes, context: DATA_CONTEXT, paceMeanMs: 0 });
  const first = Chain.fromMaterial(0n, new SeededRandom(9).bytes(96));
  const numbers = new Map<string, number>();
  for (let [number, at] = [0, first]; number < places; number++, at = at.next()) {
    numbers.set(toHex(at.frameId(DATA_CONTEXT)), number);
  }
  /** The places that were asked for. */
  const askedFor = (): number[] =>
    asked("get").map(({ frameId }) => numbers.get(toHex(frameId)) ?? places);
  const pump = (now: number): Look | undefined => scout.pump(now, 0, () => first.toBytes());
  return { ...fixture, scout, askedFor, pump };
}

describe("a scout", () => {
  it("takes no answer to eight questions for a no, and goes on", () => {
    const { scout, pump, askedFor, lateAt } = scoutOf(4);
    scout.hurry(0);
    for (let now = 0; askedFor().length < 17; now += 10_000) {
      for (const late of lateAt(now)) scout.onLate(late);
      pump(now);
    }
    expect(askedFor()).toEqual([...Array(8).fill(1), ...Array(8).fill(2), 3]);
  });

  it("looks further after each silence in which it has found nothing", () => {
    const { scout, exchange, pump, askedFor, asked } = scoutOf(9_000);
    scout.heard(0);
    const farthest = [1, 2].map(() => {
      let now = scout.deadline(0);
      // The Map says of every place that it is empty.
      for (let look = pump(now); look === undefined; look = pump(now)) {
        const request: Request | undefined = exchange.fail(asked("get").at(-1)?.request ?? -1);
        if (request !== undefined) scout.onEmpty(request);
        now += 1;
      }
      return Math.max(...askedFor());
    });
    expect(farthest[0]).toBeGreaterThan(512);
    expect(farthest[1]).toBeGreaterThan(4 * (farthest[0] ?? 0));
  });
});
