import { describe, expect, it, vi } from "vitest";
import { FairPlaces, FairShare } from "../../src/retx/index.ts";

interface Thing {
  readonly source: string;
}

/** Places with what has been given up of each source. */
function setUp(placesMax: number) {
  const lost = new Map<string, number>();
  const places = new FairPlaces<Thing>(placesMax, ({ source }) => {
    lost.set(source, (lost.get(source) ?? 0) + 1);
  });
  /** How many of so many are taken in, one after the other. */
  const take = (source: string, count: number): number =>
    Array.from({ length: count }, () => places.take(source, { source })).filter(Boolean).length;
  const has = (source: string, taken: number): number => taken - (lost.get(source) ?? 0);
  return { places, lost, take, has };
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `source ${i}`);

describe("places that sources share", () => {
  it("are all for one alone, who is refused one more", () => {
    const { take, lost } = setUp(100);
    expect(take("a", 200)).toBe(100);
    expect(lost.size).toBe(0);
  });

  it.each([1, 2, 13, 40, 99])("are there for one more when %d others have all", (others) => {
    const { take, has, places } = setUp(1_000);
    const sources = names(others);
    const taken = new Map(sources.map((source) => [source, take(source, 1_000)]));
    const got = has("honest", take("honest", 1_000));
    expect(got).toBeGreaterThanOrEqual(Math.floor(1_000 / (others + 1)) - 1);
    for (const [source, count] of taken) expect(has(source, count)).toBeLessThanOrEqual(got + 1);
    expect(places.size).toBe(1_000);
  });

  it("are there for one more however others come and go together", () => {
    // Of things that all come back at one time, whoever counts what is free finds nothing.
    const shares = new FairShare();
    let free = 1_024;
    for (const source of names(11)) while (shares.take(source, free)) free -= 1;
    expect(shares.take("honest", free)).toBe(false);
    const { take } = setUp(1_024);
    for (const source of names(11)) take(source, 1_024);
    expect(take("honest", 10)).toBe(10);
  });

  it("are not taken from who has no more than the new one would have", () => {
    const { take, lost } = setUp(4);
    for (const source of names(4)) take(source, 1);
    expect(take("late", 1)).toBe(0);
    expect(take("source 0", 1)).toBe(0);
    expect(lost.size).toBe(0);
  });

  it("are given up by the last of who has most, and are left once", () => {
    const lost: Thing[] = [];
    const places = new FairPlaces<Thing>(3, (thing) => {
      lost.push(thing);
      places.leave(thing.source, thing);
    });
    const things = [1, 2, 3].map(() => ({ source: "a" }));
    for (const thing of things) places.take("a", thing);
    expect(places.take("b", { source: "b" })).toBe(true);
    expect(lost).toEqual([things[2]]);
    expect(lost[0]).toBe(things[2]);
    for (const thing of things) places.leave("a", thing);
    expect(places.size).toBe(1);
  });
});

describe("places that somebody keeps taken", () => {
  /** Steps of loops over sets and maps until so many things have come, of as many sources. */
  function stepsOf(placesMax: number, sources: number, things: number): number {
    const { take } = setUp(placesMax);
    for (const source of names(sources)) take(source, placesMax);
    const iterators = [new Set().values(), new Map().values()].map(Object.getPrototypeOf);
    const spies = iterators.map((iterator) => vi.spyOn(iterator, "next"));
    for (let at = 0; at < things; at++) take(`late ${at}`, 1);
    const steps = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    for (const spy of spies) spy.mockRestore();
    return steps;
  }

  it.each([1, 50])("cost who comes no more than a few would, of %d sources", (sources) => {
    const few = stepsOf(200, sources, 100);
    expect(stepsOf(5_000, sources, 100)).toBeLessThanOrEqual(few + 100);
  });

  it("are given up in the order of the counts, whoever comes and goes between", () => {
    const { places, take, lost } = setUp(6);
    const own = [{ source: "a" }, { source: "a" }, { source: "a" }] as const;
    for (const thing of own) places.take("a", thing);
    take("b", 3);
    places.leave("a", own[1]);
    take("c", 1);
    // Now b has most, then nobody more than two.
    expect(take("c", 1)).toBe(1);
    expect([...lost]).toEqual([["b", 1]]);
    expect(take("c", 1)).toBe(0);
    expect(take("d", 1)).toBe(1);
    expect(places.size).toBe(6);
  });
});

describe("a first one for each", () => {
  it("is counted for who has none", () => {
    const shares = new FairShare();
    expect(shares.takeFirst("a")).toBe(true);
    expect(shares.takeFirst("a")).toBe(false);
    expect(shares.take("a", 2)).toBe(true);
    shares.leave("a");
    shares.leave("a");
    expect(shares.takeFirst("a")).toBe(true);
  });
});
