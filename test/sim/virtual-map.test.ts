import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  type MapAnswer,
  type MapFaults,
  NO_FAULTS,
  placeKey,
  type Side,
  Trace,
  VirtualMap,
} from "../../src/testing/world/index.ts";

const DAY_S = 86_400;

interface Heard {
  readonly atMs: number;
  readonly answer: MapAnswer;
}

/** A map with one kind of trouble, and what its two clients hear. */
function worldOf(faults: Partial<MapFaults>, seed = 1) {
  const clock = new VirtualClock();
  const trace = new Trace();
  const map = new VirtualMap({
    clock,
    trace,
    random: new SeededRandom(seed),
    faults: { ...NO_FAULTS, ...faults },
  });
  const heard: Heard[] = [];
  const hear = (answer: MapAnswer): void => {
    heard.push({ atMs: clock.now(), answer });
  };
  const idOf = (place: number): Uint8Array => new Uint8Array(32).fill(place);
  let request = 0;
  return {
    clock,
    heard,
    put(side: Side, place: number, cell: Uint8Array, ttlSeconds = DAY_S): void {
      const frameId = idOf(place);
      request += 1;
      const put = { kind: "put" as const, request, frameId, cell, ttlSeconds };
      map.put(side, placeKey(frameId), put, hear);
    },
    get(side: Side, place: number, waitMs = 60_000): void {
      const frameId = idOf(place);
      request += 1;
      map.get(side, placeKey(frameId), { kind: "get", request, frameId, waitMs }, hear);
    },
    kinds: (): string[] =>
      heard.map(({ answer }) => (answer.kind === "failed" ? answer.code : answer.kind)),
  };
}

const CELL = new Uint8Array(100).fill(9);
const OTHER = new Uint8Array(100).fill(8);

describe("a map without faults", () => {
  test("answers a put, and a get of what was put, after one round trip each", () => {
    const { put, get, clock, heard } = worldOf({ rttMs: 100 });
    put("a", 1, CELL);
    clock.advance(100);
    get("b", 1);
    clock.advance(100);
    expect(heard.map(({ atMs }) => atMs)).toEqual([100, 200]);
    expect(heard[1]?.answer).toMatchObject({ kind: "got", cell: CELL });
  });

  test("holds a get for an empty place until the put arrives", () => {
    const { put, get, clock, heard } = worldOf({ rttMs: 100 });
    get("b", 1);
    clock.advance(1_000);
    expect(heard).toEqual([]);
    put("a", 1, CELL);
    clock.advance(100);
    expect(heard.map(({ answer }) => answer.kind).sort()).toEqual(["got", "stored"]);
  });

  test("gives up a waiting get when its wait, or its own patience, is over", () => {
    const { get, clock, heard, kinds } = worldOf({ rttMs: 100, waitMsMax: 5_000 });
    get("b", 1, 2_000);
    get("b", 1, 20_000);
    clock.advance(10_000);
    expect(kinds()).toEqual(["CULVERT_NOT_FOUND", "CULVERT_NOT_FOUND"]);
    expect(heard.map(({ atMs }) => atMs)).toEqual([2_100, 5_100]);
  });

  test("writes a place once, takes the same bytes again and refuses others", () => {
    const { put, get, clock, heard, kinds } = worldOf({});
    put("a", 1, CELL);
    clock.advance(1);
    put("a", 1, CELL);
    clock.advance(1);
    put("b", 1, OTHER);
    clock.advance(1);
    get("a", 1);
    clock.advance(1);
    expect(kinds()).toEqual(["stored", "stored", "CULVERT_CONFLICT", "got"]);
    expect(heard[3]?.answer).toMatchObject({ cell: CELL });
  });

  test("keeps a cell for its life, which a repeated put extends, and no longer", () => {
    const { put, get, clock, kinds } = worldOf({ ttlSecondsMax: 100 });
    put("a", 1, CELL);
    clock.advance(60_000);
    put("a", 1, CELL);
    clock.advance(60_000);
    get("b", 1, 10);
    clock.advance(60_000);
    get("b", 1, 10);
    clock.advance(60_000);
    expect(kinds()).toEqual(["stored", "stored", "got", "CULVERT_NOT_FOUND"]);
  });

  test("keeps a copy: what its client does to the bytes later is not seen", () => {
    const { put, get, clock, heard } = worldOf({});
    const cell = CELL.slice();
    put("a", 1, cell);
    cell.fill(0);
    clock.advance(1);
    get("b", 1);
    clock.advance(1);
    expect(heard[1]?.answer).toMatchObject({ cell: CELL });
  });
});

describe("a faulty map", () => {
  test("loses requests and replies alike, and a lost reply has had its effect", () => {
    const { put, get, clock, kinds } = worldOf({ rttMs: 10, loss: 0.5 }, 3);
    for (let place = 0; place < 200; place++) put("a", place, CELL);
    clock.advance(100);
    const stored = kinds().length;
    // One round trip in four is not lost.
    expect(stored).toBeGreaterThan(30);
    expect(stored).toBeLessThan(70);
    for (let place = 0; place < 200; place++) for (let i = 0; i < 20; i++) get("b", place, 1);
    clock.advance(100);
    const requests = new Set(kinds().filter((kind) => kind === "got"));
    expect(requests.size).toBe(1);
    const got = kinds().filter((kind) => kind === "got").length / (20 * 0.25);
    // Every second put took effect.
    expect(got).toBeGreaterThan(85);
    expect(got).toBeLessThan(115);
  });

  test("repeats, holds back and spoils what travels", () => {
    const { put, get, clock, heard } = worldOf(
      { rttMs: 10, duplicate: 0.5, reorder: 0.5, reorderMs: 100, corrupt: 0.5 },
      4,
    );
    put("a", 1, CELL);
    clock.advance(200);
    heard.length = 0;
    for (let i = 0; i < 100; i++) get("b", 1);
    clock.advance(500);
    const cells = heard.flatMap(({ answer }) => (answer.kind === "got" ? [answer.cell] : []));
    const spoiled = cells.filter((cell) => cell.some((byte) => byte !== 9));
    expect(cells.length).toBeGreaterThan(170);
    expect(spoiled.length).toBeGreaterThan(0.35 * cells.length);
    expect(spoiled.length).toBeLessThan(0.65 * cells.length);
    const requests = heard.map(({ answer }) => answer.request);
    expect(requests).not.toEqual(requests.toSorted((a, b) => a - b));
  });

  test("refuses puts with the three codes of a Map that will not", () => {
    const { put, clock, kinds } = worldOf({ refuse: 0.9 });
    for (let place = 0; place < 100; place++) put("a", place, CELL);
    clock.advance(1);
    expect([...new Set(kinds())].sort()).toEqual([
      "CULVERT_BUSY",
      "CULVERT_FULL",
      "CULVERT_REFUSED",
      "stored",
    ]);
  });

  test("forgets some cells although it has promised to keep them", () => {
    const { put, get, clock, kinds, heard } = worldOf({ forget: 0.5 }, 2);
    for (let place = 0; place < 100; place++) put("a", place, CELL, 1_000);
    clock.advance(999_000);
    heard.length = 0;
    for (let place = 0; place < 100; place++) get("b", place, 1);
    clock.advance(500);
    const kept = kinds().filter((kind) => kind === "got").length;
    expect(kept).toBeGreaterThan(30);
    expect(kept).toBeLessThan(70);
  });

  test("lies in every way there is", () => {
    const { put, get, clock, heard, kinds } = worldOf({ lie: 1 }, 6);
    put("a", 1, CELL);
    put("a", 2, OTHER);
    clock.advance(1);
    heard.length = 0;
    for (let i = 0; i < 100; i++) get("b", 1);
    clock.advance(200_000);
    const lengths = heard.map(({ answer }) => (answer.kind === "got" ? answer.cell.length : -1));
    expect(kinds()).toContain("CULVERT_NOT_FOUND");
    expect(lengths.some((length) => length >= 0 && length < CELL.length)).toBe(true);
    expect(heard.some(({ atMs }) => atMs > 60_000)).toBe(true);
    const truths = heard.filter(({ answer }) => answer.kind === "got" && answer.cell[0] === 9);
    expect(truths.length).toBeLessThan(60);
  });

  test("cuts off one side, both ways, for as long as an outage lasts", () => {
    const outages = [{ fromMs: 1_000, toMs: 2_000, side: "a" as const }];
    const { put, clock, heard } = worldOf({ rttMs: 100, outages });
    put("a", 1, CELL);
    clock.advance(960);
    put("a", 2, CELL);
    clock.advance(100);
    put("a", 3, CELL);
    put("b", 4, CELL);
    clock.advance(1_000);
    put("a", 5, CELL);
    clock.advance(200);
    expect(heard.map(({ answer }) => answer.request)).toEqual([1, 4, 5]);
  });

  test("is the same map for the same seed", () => {
    const run = (seed: number): Heard[] => {
      const { put, get, clock, heard } = worldOf(
        { rttMs: 50, loss: 0.3, jitterMs: 20, duplicate: 0.2, corrupt: 0.2, lie: 0.1 },
        seed,
      );
      for (let place = 0; place < 50; place++) {
        put("a", place, CELL);
        get("b", place);
      }
      clock.advance(100_000);
      return heard;
    };
    expect(run(11)).toEqual(run(11));
    expect(run(11)).not.toEqual(run(12));
  });
});
