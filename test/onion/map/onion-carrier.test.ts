import { afterEach, describe, expect, it } from "vitest";
import { CulvertError, toHex } from "../../../src/base/index.ts";
import { nodeIdText } from "../../../src/identity/index.ts";
import { serveMap } from "../../../src/onion/map/map-exit.ts";
import { requestCellsFor } from "../../../src/onion/map/map-operation.ts";
import type { OnionCarrierOptions } from "../../../src/onion/map/onion-carrier-options.ts";
import { carrierRig, MAP_CELL, recordOf, type SharedMap } from "../carrier-rig.ts";
import { GEOMETRY } from "../fixtures.ts";
import { VirtualNet } from "../virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

function setUp(options: Partial<OnionCarrierOptions> = {}, nodes?: number) {
  const rig = carrierRig(options, nodes);
  net = rig.net;
  return rig;
}

describe("the carrier of a stream", () => {
  it("puts and gets records", async () => {
    const { carrier, map } = setUp();
    const record = recordOf(1);
    const stored = await net.clock.runPromise(carrier.put(record), 60_000);
    expect(stored).toMatchObject({ ttlSeconds: 3_600, receipt: Uint8Array.of(1, 2, 3) });
    expect(await net.clock.runPromise(carrier.get(record.address), 60_000)).toEqual(record);
    expect(map.records.size).toBe(1);
    const tombstone = { ...recordOf(2), seq: 2 as const, payload: new Uint8Array(0) };
    await net.clock.runPromise(carrier.put(tombstone), 60_000);
    expect(await net.clock.runPromise(carrier.get(tombstone.address), 60_000)).toEqual(tombstone);
  });

  it("waits for what is put later", async () => {
    const { carrier } = setUp();
    const record = recordOf(1);
    const got = carrier.get(record.address, { waitMs: 20_000 });
    await net.clock.runUntil(5_000);
    await net.clock.runPromise(carrier.put(record), 60_000);
    expect(await net.clock.runPromise(got, 60_000)).toEqual(record);
  });

  it("asks another exit for what one is being asked for, as long as there is one", async () => {
    const { carrier, map } = setUp({ paths: 3, spares: 0 });
    await net.clock.runPromise(carrier.put(recordOf(9)), 60_000);
    const { address } = recordOf(1);
    for (let i = 0; i < 4; i++) {
      carrier.get(address, { waitMs: 60_000 }).catch(() => {});
      // So many in between that it would be the turn of the same one.
      for (const other of [20, 40]) carrier.get(recordOf(other + i).address).catch(() => {});
      await net.clock.runUntil(net.clock.now() + 2_000);
    }
    const asked = map.asked.filter((it) => it.address === toHex(address));
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(({ exit }) => exit)).size).toBe(3);
  });

  it("says what the Map says", async () => {
    const { carrier } = setUp();
    const record = recordOf(1);
    await net.clock.runPromise(carrier.put(record), 60_000);
    const other = { ...record, payload: new Uint8Array(MAP_CELL) };
    await expect(net.clock.runPromise(carrier.put(other), 60_000)).rejects.toMatchObject({
      code: "CULVERT_CONFLICT",
      remote: true,
    });
    const nothing = carrier.get(recordOf(2).address, { waitMs: 1_000 });
    await expect(net.clock.runPromise(nothing, 60_000)).rejects.toMatchObject({
      code: "CULVERT_NOT_FOUND",
    });
  });

  it("gives up when its caller does, and when nothing comes back", async () => {
    const { carrier } = setUp({ answerMs: 3_000 });
    await net.clock.runPromise(carrier.put(recordOf(9)), 60_000);
    const abort = new AbortController();
    const got = carrier.get(recordOf(1).address, { waitMs: 60_000, signal: abort.signal });
    await net.clock.runUntil(net.clock.now() + 2_000);
    abort.abort();
    await expect(got).rejects.toMatchObject({ name: "AbortError" });
    for (const { service } of net.nodes) {
      service.setHandlers({ request: () => new Promise(() => {}) });
    }
    await expect(net.clock.runPromise(carrier.put(recordOf(2)), 60_000)).rejects.toMatchObject({
      code: "CULVERT_TIMEOUT",
    });
  });

  it.each([
    ["another one", true],
    ["a place on it, where there is no other one", false],
  ])("has requests that one circuit has no place for wait for %s", async (_, hasOthers) => {
    const options = { paths: 1, spares: 0, framesPerExit: Number.POSITIVE_INFINITY };
    const { carrier, routes } = setUp(options);
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    if (!hasOthers) routes.route = () => new Promise(() => {});
    const records = Array.from({ length: 80 }, (_, i) => recordOf(i));
    const puts = Promise.allSettled(records.map((record) => carrier.put(record)));
    const outcomes = await net.clock.runPromise(puts, 120_000);
    expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
  });

  it("gives those who wait for a new circuit no more places than it has", async () => {
    const { carrier } = setUp({ paths: 1, spares: 0, framesPerExit: Number.POSITIVE_INFINITY });
    const records = Array.from({ length: 80 }, (_, i) => recordOf(i));
    const puts = Promise.allSettled(records.map((record) => carrier.put(record)));
    const outcomes = await net.clock.runPromise(puts, 120_000);
    expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
  });

  it("never puts and gets over one circuit, and fans out over exits", async () => {
    const { carrier, map } = setUp({ paths: 3 });
    const records = Array.from({ length: 30 }, (_, i) => recordOf(i));
    for (const record of records) await net.clock.runPromise(carrier.put(record), 60_000);
    for (const { address } of records) await net.clock.runPromise(carrier.get(address), 60_000);
    const { writes, reads } = carrier.circuits;
    expect(writes.filter((circuit) => reads.includes(circuit))).toEqual([]);
    expect(map.exitsOf("put").size).toBeGreaterThanOrEqual(3);
    expect(map.exitsOf("get").size).toBeGreaterThanOrEqual(3);
  });
});

describe("the budget of an exit", () => {
  const seen = (map: SharedMap): number[] => {
    const frames = new Map<number, Set<string>>();
    for (const { exit, address } of map.asked) {
      frames.set(exit, (frames.get(exit) ?? new Set()).add(address));
    }
    return [...frames.values()].map(({ size }) => size);
  };

  it("is ⌈window / paths⌉ + 1 frames, puts and gets together", async () => {
    const { carrier, map } = setUp({ window: 6, paths: 3 });
    for (let i = 0; i < 20; i++) await net.clock.runPromise(carrier.put(recordOf(i)), 60_000);
    expect(map.records.size).toBe(20);
    for (const count of seen(map)) expect(count).toBeLessThanOrEqual(3);
    for (let i = 0; i < 5; i++) {
      await net.clock.runPromise(carrier.get(recordOf(i).address), 60_000);
    }
    for (const count of seen(map)) expect(count).toBeLessThanOrEqual(3);
  });

  it("is kept by requests of one instant too", async () => {
    const { carrier, map } = setUp({ window: 6, paths: 3 });
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    const burst = Array.from({ length: 19 }, (_, i) => carrier.put(recordOf(1 + i)));
    await net.clock.runPromise(Promise.all(burst), 60_000);
    for (const count of seen(map)) expect(count).toBeLessThanOrEqual(3);
  });

  it("is enforced: what no exit may see fails, and goes through later", async () => {
    const budgetMs = 600_000;
    const { carrier, map, timesSpent } = setUp({ window: 2, paths: 2, budgetMs }, 5);
    const outcomes: string[] = [];
    for (let i = 0; i < 12; i++) {
      const put = net.clock.runPromise(carrier.put(recordOf(i)), 600_000);
      outcomes.push(
        await put.then(
          () => "stored",
          (error: CulvertError) => error.code,
        ),
      );
      if (i > 8) break;
    }
    expect(outcomes.filter((outcome) => outcome === "stored").length).toBe(8);
    expect(outcomes.at(-1)).toBe("CULVERT_UNREACHABLE");
    expect(timesSpent()).toBe(1);
    for (const count of seen(map)) expect(count).toBe(2);
    await net.clock.runUntil(net.clock.now() + budgetMs);
    await net.clock.runPromise(carrier.put(recordOf(50)), 60_000);
  });

  it("is not touched by a frame that an exit has seen already", async () => {
    const { carrier, map } = setUp({ window: 1, paths: 1, spares: 0, framesPerExit: 1 }, 4);
    const record = recordOf(1);
    for (let i = 0; i < 10; i++) await net.clock.runPromise(carrier.put(record), 60_000);
    expect(map.asked.length).toBe(10);
    expect(Math.max(...seen(map))).toBe(1);
  });
});

describe("circuits that fail", () => {
  it("are replaced, and what goes wrong is told to the routes", async () => {
    const { carrier, map, routes } = setUp({ paths: 2 }, 16);
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    const victim = carrier.circuits.writes[0]?.exit;
    const index = net.nodes.findIndex(({ id }) => victim && nodeIdText(id) === nodeIdText(victim));
    net.kill(index);
    for (let i = 1; i < 10; i++) {
      // A stream asks again for what failed.
      for (;;) {
        const put = net.clock.runPromise(carrier.put(recordOf(i)), 600_000);
        if (
          await put.then(
            () => true,
            () => false,
          )
        )
          break;
      }
    }
    expect(map.records.size).toBe(10);
    expect(routes.failures.length).toBeGreaterThan(0);
  });

  it("are left when nothing comes back on them, and nobody is named", async () => {
    const { carrier, map, routes } = setUp({ paths: 1, spares: 0, answerMs: 5_000 }, 16);
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    const hops = carrier.circuits.writes[0]?.route.hops ?? [];
    const middle = net.nodes.findIndex(({ id }) => id === hops[1]?.id);
    net.intercept = ({ bytes, from, kind }) =>
      kind === "channel" && from === middle ? [] : [bytes];
    const put = net.clock.runPromise(carrier.put(recordOf(1)), 60_000);
    await expect(put).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect(routes.failures).toEqual([{ reason: "timeout" }]);
    for (;;) {
      const again = net.clock.runPromise(carrier.put(recordOf(1)), 600_000);
      if (
        await again.then(
          () => true,
          () => false,
        )
      )
        break;
    }
    expect(map.records.size).toBe(2);
  });

  it("are replaced before they end: a spare is ready", async () => {
    const { carrier } = setUp({ paths: 1, spares: 1, idleMs: 1_000_000 });
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    const first = carrier.circuits.writes.slice();
    await net.clock.runUntil(540_000);
    await net.clock.runUntil(800_000);
    const from = net.clock.now();
    await net.clock.runPromise(carrier.put(recordOf(1)), 60_000);
    // There and back over an established circuit: no build was waited for.
    expect(net.clock.now() - from).toBeLessThanOrEqual(6 * net.latencyMs);
    expect(carrier.circuits.writes.some((circuit) => first.includes(circuit))).toBe(false);
  });

  it("end one by one after the last request, with what exits still wait for", async () => {
    const { carrier } = setUp();
    const abort = new AbortController();
    const options = { waitMs: 250_000, signal: abort.signal };
    const got = carrier.get(recordOf(1).address, options).catch(({ name }) => name);
    const stored = carrier.put(recordOf(0));
    await net.clock.runPromise(stored, 60_000);
    const circuits = (): number =>
      net.nodes.reduce((sum, { service }) => sum + service.circuits, 0);
    await net.clock.runUntil(60_000);
    expect(circuits()).toBeGreaterThan(0); // a get is open
    abort.abort();
    expect(await got).toBe("AbortError");
    await net.clock.runUntil(69_000);
    expect(circuits()).toBeGreaterThan(0);
    const counts = new Set<number>();
    for (let ms = 70_000; ms < 102_000; ms += 250) {
      await net.clock.runUntil(ms);
      counts.add(carrier.circuits.writes.length + carrier.circuits.reads.length);
    }
    expect([...counts]).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(circuits()).toBe(0);
    await net.clock.runPromise(carrier.put(recordOf(2)), 60_000);
    expect(circuits()).toBeGreaterThan(0);
  });

  it("end, too, when nobody waits any more for those that are being built", async () => {
    const { carrier } = setUp({ idleMs: 1 });
    const abort = new AbortController();
    const put = carrier.put(recordOf(0), { signal: abort.signal }).catch(({ name }) => name);
    await net.clock.runUntil(2);
    abort.abort();
    expect(await put).toBe("AbortError");
    await net.clock.runUntil(1_000);
    expect(carrier.circuits.writes.length).toBeGreaterThan(0);
    await net.clock.runUntil(60_000);
    expect(carrier.circuits.writes.length).toBe(0);
  });

  it("stay when there is a request before they have ended", async () => {
    const { carrier } = setUp();
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    await net.clock.runUntil(20_000);
    await net.clock.runPromise(carrier.put(recordOf(1)), 60_000);
    await net.clock.runUntil(22_000);
    const before = carrier.circuits.writes;
    expect(before.length).toBe(4);
    await net.clock.runUntil(29_000);
    expect(carrier.circuits.writes).toEqual(before);
    await net.clock.runUntil(65_000);
    expect(carrier.circuits.writes.length).toBe(0);
    carrier.close();
  });

  it("with cover tell nobody when the last request was, and are not replaced", async () => {
    const { carrier } = setUp({ coverMs: 4_000 });
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    const circuits = (): number =>
      net.nodes.reduce((sum, { service }) => sum + service.circuits, 0);
    await net.clock.runUntil(120_000);
    expect(circuits()).toBeGreaterThan(0);
    await net.clock.runUntil(1_000_000);
    expect(circuits()).toBe(0);
  });

  it("leave nothing running when the carrier is closed", async () => {
    const { carrier } = setUp();
    await net.clock.runPromise(carrier.put(recordOf(0)), 60_000);
    carrier.close();
    await expect(carrier.put(recordOf(1))).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    await net.clock.runUntil(net.clock.now() + 1_000);
    for (const { service } of net.nodes) expect(service.circuits).toBe(0);
    net.close();
    expect(net.clock.pending).toBe(0);
  });
});

describe("puts and gets", () => {
  it("look alike: the same cells at the same times", async () => {
    const shapes: string[] = [];
    for (const kind of ["put", "get"] as const) {
      const { carrier, map } = setUp({ paths: 1, spares: 0 });
      const record = recordOf(1);
      if (kind === "get") map.records.set(toHex(record.address), record);
      const ask = (): Promise<unknown> =>
        kind === "put" ? carrier.put(record) : carrier.get(record.address);
      await net.clock.runPromise(ask(), 60_000);
      await net.clock.runUntil(1_000);
      net.passages.length = 0;
      await net.clock.runPromise(ask(), 60_000);
      const [first] = net.passages;
      shapes.push(
        net.passages.map(({ at, bytes }) => `${at - (first?.at ?? 0)}:${bytes.length}`).join(),
      );
      net.close();
    }
    expect(shapes[0]).toBe(shapes[1]);
    expect(shapes[0]?.split(",").length).toBe(2 * 3 * GEOMETRY.requestCells);
  });

  it("have room for the network's cells", () => {
    net = new VirtualNet(0);
    expect(requestCellsFor({ cellBytes: 1_024, mapCellBytes: 1_901 })).toBe(3);
    expect(requestCellsFor({ cellBytes: 1_024, mapCellBytes: 1_900 })).toBe(2);
    // However small they are, the receipts of a put are not.
    expect(requestCellsFor({ cellBytes: 1_024, mapCellBytes: 10 })).toBe(2);
  });
});

describe("an exit", () => {
  it("refuses what makes no sense, and says busy when its Map breaks", async () => {
    net = new VirtualNet(0);
    const broken = serveMap({
      put: () => Promise.reject(new Error("disk")),
      get: () => Promise.reject(new CulvertError("CULVERT_JOURNAL")),
    });
    const circuit = { id: 1, source: "", sendData: () => {}, refuse: () => {} };
    const ask = (content: Uint8Array) => broken(content, new AbortController().signal, circuit);
    expect(await ask(Uint8Array.of(9))).toEqual(Uint8Array.of(3, 2));
    expect(await ask(new Uint8Array(966).fill(1, 0, 1).fill(255, 99, 102))).toEqual(
      Uint8Array.of(3, 2),
    );
    const get = new Uint8Array(966);
    get[0] = 0;
    expect(await ask(get)).toEqual(Uint8Array.of(3, 4));
  });
});
