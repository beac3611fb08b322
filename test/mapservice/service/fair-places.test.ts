import { describe, expect, test } from "vitest";
import { encodeRecord, type MapLimits } from "../../../src/mapservice/index.ts";
import { recordOf, serviceRig, Witness } from "../fixtures.ts";
import { Rig } from "../map-core-rig.ts";

/** Askers by number, each with a source; what they do is told by {@link Rig.said}. */
function rigWith(limits: Partial<MapLimits>, sources: Readonly<Record<number, string>>): Rig {
  const rig = new Rig(limits);
  for (const [asker, source] of Object.entries(sources)) {
    const input = { kind: "open", asker: Number(asker), source, needsReceipts: true } as const;
    rig.core.handle(input, rig.now);
  }
  return rig;
}

let requests = 0;

/** Whether what one asks is taken. */
function isTaken(rig: Rig, ask: (request: number) => void): boolean {
  rig.said();
  ask(++requests);
  return !rig.said().includes(`${requests}:busy`);
}

/** How much is taken until one is told busy. */
function fill(rig: Rig, ask: (request: number) => void): number {
  for (let taken = 0; ; taken++) if (!isTaken(rig, ask)) return taken;
}

/** All of them take what they can get, one after the other. */
function fillAll(rig: Rig, asks: readonly ((request: number) => void)[]): void {
  while (asks.map((ask) => isTaken(rig, ask)).includes(true));
}

const BYTES = encodeRecord(recordOf(1)).length;

describe("bytes that wait in queues", () => {
  const limits = { queuedBytesMax: 100 * BYTES, queuedPerLinkMax: 1_000 };
  const putBy = (rig: Rig, asker: number) => (request: number) =>
    rig.put(request, recordOf(1), asker);

  test("one asker alone may have a third of", () => {
    const rig = rigWith(limits, { 2: "a" });
    expect(fill(rig, putBy(rig, 2))).toBe(34);
  });

  test("are left to others by few that take all they can get", () => {
    const rig = rigWith(limits, { 2: "a", 3: "a", 4: "b", 5: "b", 6: "honest" });
    fillAll(
      rig,
      [2, 3, 4, 5].map((asker) => putBy(rig, asker)),
    );
    expect(fill(rig, putBy(rig, 6))).toBeGreaterThanOrEqual(14);
  });

  test("are told of to who has made room for himself once others have left him some", () => {
    const askers = [2, 3, 4, 5, 6, 7, 8, 9, 10];
    const sources = Object.fromEntries(askers.map((asker) => [asker, `${asker}`]));
    const tight = { queuedBytesMax: 10 * BYTES, queuedPerLinkMax: 4 };
    const [roomy, full] = [rigWith({ queuedPerLinkMax: 4 }, sources), rigWith(tight, sources)];
    for (const rig of [roomy, full]) {
      for (let i = 0; i < 4; i++) rig.get(i, i);
      fillAll(
        rig,
        askers.map((asker) => putBy(rig, asker)),
      );
      rig.said();
      for (const request of [0, 1]) rig.cancel(request);
    }
    expect([roomy.said(), full.said()]).toEqual([["ready"], []]);
    expect([roomy.core.isCongested(1), full.core.isCongested(1)]).toEqual([false, true]);
    full.core.handle({ kind: "close", asker: 1 }, 0);
    expect(full.core.isCongested(1)).toBe(false);
  });

  test("are left to another of the same source too", () => {
    const rig = rigWith(limits, { 2: "a", 3: "a", 4: "a" });
    fillAll(rig, [putBy(rig, 2), putBy(rig, 3)]);
    expect(fill(rig, putBy(rig, 4))).toBeGreaterThanOrEqual(6);
  });

  test("hold back who has its share of them, before it is refused any", () => {
    const rig = rigWith(limits, { 2: "a", 3: "b" });
    const said: string[] = [];
    let isReady = true;
    for (let put = 0; put < 200; put++) {
      if (rig.core.isCongested(2)) isReady = false;
      else putBy(rig, 2)(++requests);
      if (put % 50 === 49) rig.turn();
      const heard = rig.said();
      isReady ||= heard.includes("ready");
      said.push(...heard);
    }
    expect(said.filter((kind) => kind.endsWith("busy"))).toEqual([]);
    for (let i = 0; i < 20; i++) rig.turn();
    expect(isReady || rig.said().includes("ready")).toBe(true);
  });

  test("are given back by gets that are taken back", () => {
    const rig = rigWith(limits, {});
    for (let request = 0; request < 2_000; request++) {
      rig.get(request, 1);
      rig.cancel(request);
    }
    expect(fill(rig, putBy(rig, 1))).toBe(34);
  });

  test("are given back by who leaves", () => {
    const rig = rigWith(limits, {});
    for (let asker = 2; asker < 50; asker++) {
      rig.open(asker);
      fill(rig, putBy(rig, asker));
      rig.core.handle({ kind: "close", asker }, rig.now);
    }
    rig.open(50);
    expect(fill(rig, putBy(rig, 50))).toBe(34);
  });
});

describe("gets that wait", () => {
  const waitBy = (rig: Rig, asker: number, frame?: number) => (request: number) => {
    rig.get(request, frame ?? request, 60_000, asker);
    rig.turn();
  };

  test("are left to others by four sources that take all they can get", () => {
    const limits = { waitingMax: 80, waitingPerSourceMax: 20 };
    const rig = rigWith(limits, { 2: "a", 3: "b", 4: "c", 5: "d", 6: "honest" });
    fillAll(
      rig,
      [2, 3, 4, 5].map((asker) => waitBy(rig, asker)),
    );
    expect(fill(rig, waitBy(rig, 6))).toBeGreaterThanOrEqual(8);
  });

  test("give way to those of a source that has fewer, where all are taken", () => {
    const sources = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [i + 2, `s${i}`]));
    const rig = rigWith({ waitingMax: 84 }, { ...sources, 40: "honest" });
    const waitByReading = (asker: number) => (request: number) => {
      const from = rig.effects.length;
      waitBy(rig, asker)(request);
      const isRead = rig.effects.slice(from).some(({ kind }) => kind === "lookup");
      if (isRead) rig.lookedUp(request);
    };
    // One after the other: half of what is left would be nothing after a few.
    for (const asker of Object.keys(sources)) fill(rig, waitByReading(Number(asker)));
    expect(fill(rig, waitByReading(40))).toBe(4);
    expect(rig.core.statistics.waiting).toBe(84);
  });

  test("that gave way are answered nothing else", () => {
    const rig = rigWith({ waitingMax: 2 }, { 2: "a", 3: "b" });
    const wait = (request: number, asker: number): void => {
      rig.get(request, request, 60_000, asker);
      rig.turn();
      rig.lookedUp(request);
    };
    wait(1, 2);
    wait(2, 2);
    rig.said();
    wait(3, 3);
    expect(rig.said()).toContain("1:busy");
    rig.timeout(60_000);
    const answers = rig.said().filter((said) => said.includes(":"));
    expect(answers.filter((said) => said.startsWith("1:"))).toEqual([]);
    expect(answers.sort()).toEqual(["2:not-found", "3:not-found"]);
  });

  test("are left to others of a source by askers that take all they can get", () => {
    const limits = { waitingPerLinkMax: 16, waitingPerSourceMax: 64 };
    const rig = rigWith(limits, { 2: "a", 3: "a", 4: "a", 5: "a", 6: "a" });
    fillAll(
      rig,
      [2, 3, 4, 5].map((asker) => waitBy(rig, asker)),
    );
    expect(fill(rig, waitBy(rig, 6))).toBeGreaterThanOrEqual(5);
  });

  test("have places at an address that one source alone has not", () => {
    const rig = rigWith({ waitingPerAddressMax: 8 }, { 2: "a", 3: "a", 4: "honest" });
    fillAll(rig, [waitBy(rig, 2, 1), waitBy(rig, 3, 1)]);
    expect(fill(rig, waitBy(rig, 4, 1))).toBeGreaterThanOrEqual(2);
  });
});

test("askers of a new source are let in though others take all the places they can get", () => {
  const { service } = serviceRig({ limits: { linksMax: 20, linksPerSourceMax: 5 } });
  const open = (source: string) => service.open(source, new Witness());
  for (const source of ["a", "b", "c", "d", "a", "b", "c", "d"]) {
    for (let i = 0; i < 5; i++) open(source);
  }
  expect(open("honest")).toBeDefined();
});
