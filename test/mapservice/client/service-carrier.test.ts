import { describe, expect, test } from "vitest";
import { equalBytes, SeededRandom } from "../../../src/base/index.ts";
import {
  FaultyService,
  forgetfulStore,
  localCarrier,
  MemoryRecordStore,
  type Requester,
  ServiceCarrier,
} from "../../../src/mapservice/index.ts";
import { NO_STAMP, stampBits } from "../../../src/mapservice/record/work-stamp.ts";
import { addressOf, NODE, PAYLOAD_SIZE, recordOf, serviceRig } from "../fixtures.ts";
import { wireTo } from "../wire-fixtures.ts";

describe("a carrier over a wire", () => {
  test("carries puts and gets, many at once", async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock);
    const frames = Array.from({ length: 200 }, (_, i) => i);
    await clock.runPromise(Promise.all(frames.map((frame) => carrier.put(recordOf(frame)))));
    const got = frames.map((frame) => carrier.get(addressOf(frame)));
    const records = await clock.runPromise(Promise.all(got));
    expect(records.map(({ payload }) => payload)).toEqual(frames.map((i) => recordOf(i).payload));
  });

  test("tells why a put was not taken", async () => {
    const { clock, service } = serviceRig({ entriesMax: 1, limits: { sourceShare: 9 } });
    const { carrier } = await wireTo(service, clock);
    const failure = async (frame: number, bend = {}): Promise<unknown> =>
      await clock.runPromise(carrier.put({ ...recordOf(frame), ...bend })).then(
        () => "stored",
        (error: unknown) => error,
      );
    expect(await failure(1)).toBe("stored");
    expect(await failure(2)).toMatchObject({ code: "CULVERT_FULL", remote: true });
    expect(await failure(1, { signature: new Uint8Array(64) })).toMatchObject({
      code: "CULVERT_REFUSED",
      detail: { fault: "signature" },
    });
    expect(await failure(3, { payload: new Uint8Array(5) })).toMatchObject({
      code: "CULVERT_REFUSED",
      detail: { fault: "size" },
    });
  });

  test("an aborted wait is over at once, here and at the node", async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock);
    const abort = new AbortController();
    const waiting = carrier.get(addressOf(1), { waitMs: 60_000, signal: abort.signal });
    await clock.runUntil(100);
    expect(service.statistics().waiting).toBe(1);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    expect(service.statistics()).toMatchObject({ waiting: 0, getsCancelled: 1 });
    await expect(carrier.get(addressOf(1), { signal: abort.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    await clock.runPromise(carrier.put(recordOf(1)));
  });

  test("an aborted put may still take effect, and its answer is nobody's", async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock);
    const abort = new AbortController();
    const putting = carrier.put(recordOf(1), { signal: abort.signal });
    await Promise.resolve();
    abort.abort();
    await expect(putting).rejects.toMatchObject({ name: "AbortError" });
    await clock.runUntil(1);
    expect((await clock.runPromise(carrier.get(addressOf(1)))).seq).toBe(1);
  });

  test("what is open when the wire is cut fails; what comes later waits for the next", async () => {
    const { clock, service } = serviceRig();
    const wire = await wireTo(service, clock);
    const { carrier } = wire;
    const lost = carrier.get(addressOf(1), { waitMs: 60_000 });
    const failed = expect(lost).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    wire.cut();
    await failed;
    expect(carrier.isAttached).toBe(false);
    const later = carrier.put(recordOf(1));
    await clock.runUntil(5_000);
    const greeting = service.greeting();
    const requester = service.open("again", { ...carrier.events(), closed: () => {} });
    if (requester === undefined) throw new Error("a requester");
    carrier.attach(requester, greeting);
    expect(await clock.runPromise(later)).toMatchObject({ ttlSeconds: 3_600 });
  });

  test("what never finds a requester fails at its timeout", async () => {
    const { clock, service } = serviceRig();
    const wire = await wireTo(service, clock, { limits: { answerMs: 1_000 } });
    wire.cut();
    const put = clock.runPromise(wire.carrier.put(recordOf(1)));
    await expect(put).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });

  test("silence is a timeout, and is told", async () => {
    const { clock, service } = serviceRig();
    const faults = { requests: 1, replies: 0, records: 0, random: new SeededRandom(1) };
    let silences = 0;
    const { carrier } = await wireTo(new FaultyService(service, faults), clock, {
      onSilence: () => {
        silences += 1;
      },
    });
    const put = clock.runPromise(carrier.put(recordOf(1)));
    await expect(put).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
    const get = clock.runPromise(carrier.get(addressOf(1), { waitMs: 5_000 }));
    await expect(get).rejects.toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([silences, clock.now()]).toEqual([2, 30_000 + 35_000]);
  });

  test("silence of one may end all others, and what was not sent waits on", async () => {
    const { clock, service } = serviceRig();
    const faults = { requests: 1, replies: 0, records: 0, random: new SeededRandom(1) };
    const { carrier } = await wireTo(new FaultyService(service, faults), clock, {
      limits: { answerMs: 1_000 },
      onSilence: () => carrier.detach(),
    });
    const outcomes: string[] = [];
    const note = (name: string) => (error: { readonly code: string }) =>
      outcomes.push(`${name} ${error.code}`);
    for (const name of ["first", "second"]) carrier.put(recordOf(1)).catch(note(name));
    carrier.get(addressOf(1), { waitMs: 9_000 }).catch(note("third"));
    await clock.runUntil(2_000);
    carrier.put(recordOf(2)).catch(note("later"));
    await clock.runUntil(4_000);
    expect(outcomes.sort()).toEqual([
      "first CULVERT_TIMEOUT",
      "later CULVERT_UNREACHABLE",
      "second CULVERT_UNREACHABLE",
      "third CULVERT_UNREACHABLE",
    ]);
  });

  test("what is asked while others are sent is sent after them, once", async () => {
    const { clock, service } = serviceRig();
    const greeting = service.greeting();
    const carrier = new ServiceCarrier({ clock }, { greeting });
    const asked: (number | undefined)[] = [];
    const abort = new AbortController();
    const ask = (frame: number): void => {
      carrier.get(addressOf(frame), { signal: abort.signal }).catch(() => {});
    };
    for (const frame of [1, 2, 3]) ask(frame);
    const note = (address: Uint8Array): void => {
      asked.push([1, 2, 3, 4].find((frame) => equalBytes(addressOf(frame), address)));
      if (asked.length === 1) ask(4);
    };
    const requester: Requester = {
      put: () => {},
      get: (_request, address) => note(address),
      cancel: () => {},
      isCongested: false,
      close: () => {},
    };
    carrier.attach(requester, greeting);
    expect(asked).toEqual([1, 2, 3, 4]);
    abort.abort();
  });

  test("holds a bounded number of requests", async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock, { limits: { openMax: 2 } });
    const waiting = [1, 2].map((frame) => carrier.get(addressOf(frame), { waitMs: 1_000 }));
    await expect(carrier.get(addressOf(3))).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    const settled = await clock.runPromise(Promise.allSettled(waiting));
    expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("closes everything that is open, and says so later", async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock);
    const waiting = carrier.get(addressOf(1), { waitMs: 1_000 });
    const failed = expect(waiting).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    carrier.close();
    carrier.close();
    await failed;
    await expect(carrier.put(recordOf(1))).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect(service.statistics().links).toBe(0);
  });
});

describe("work", () => {
  test("is done when a node asks for it", async () => {
    const limits = { workBitsMax: 20, sourceShare: 9 };
    const rig = serviceRig({ entriesMax: 10, limits });
    const carrier = localCarrier(rig.service, { clock: rig.clock });
    for (let frame = 0; frame < 8; frame++) {
      await rig.clock.runPromise(carrier.put(recordOf(frame)));
    }
    expect(rig.service.greeting().workBits).toBe(12);
    expect(rig.service.statistics()).toMatchObject({ putsStored: 8 });
    expect(rig.service.statistics().putsWithoutWork).toBeGreaterThan(0);
  });

  test("is good for one record at one node, and has the bits it was searched for", async () => {
    const stamps: Uint8Array[] = [];
    const { clock, service } = serviceRig();
    const greeting = { ...service.greeting(), workBits: 8 };
    const carrier = new ServiceCarrier({ clock }, { greeting });
    const requester: Requester = {
      put: (request, _, stamp) => {
        stamps.push(stamp);
        carrier.events().answer(request, { kind: "conflict" });
      },
      get: () => {},
      cancel: () => {},
      isCongested: false,
      close: () => {},
    };
    carrier.attach(requester, greeting);
    const record = recordOf(1);
    await clock.runPromise(carrier.put(record).catch(() => {}));
    const [stamp = new Uint8Array(8)] = stamps;
    expect(stampBits(record, NODE.publicKey, stamp)).toBeGreaterThanOrEqual(8);
    expect(stampBits(recordOf(2), NODE.publicKey, stamp)).toBeLessThan(8);
    expect(stampBits(record, new Uint8Array(32), stamp)).toBeLessThan(8);
  });

  test("beyond reason is refused by the client", async () => {
    const { clock, service } = serviceRig();
    const greeting = { ...service.greeting(), workBits: 40 };
    const carrier = new ServiceCarrier({ clock }, { greeting });
    await expect(carrier.put(recordOf(1))).rejects.toMatchObject({
      code: "CULVERT_WORK_REQUIRED",
      detail: { bits: 40 },
    });
  });

  test.each([4, 40])("of %i bits is forgotten when the load may have passed", async (bits) => {
    const stamps: Uint8Array[] = [];
    const { clock, service } = serviceRig();
    const carrier = new ServiceCarrier({ clock }, { greeting: service.greeting() });
    let asked = bits;
    const requester: Requester = {
      put: (request, _, stamp) => {
        stamps.push(stamp);
        const isDone = stampBits(recordOf(1), NODE.publicKey, stamp) >= asked;
        const answer = isDone
          ? ({ kind: "stored", ttlSeconds: 1 } as const)
          : ({ kind: "work-required", bits: asked } as const);
        carrier.events().answer(request, answer);
      },
      get: () => {},
      cancel: () => {},
      isCongested: false,
      close: () => {},
    };
    carrier.attach(requester, service.greeting());
    const put = () => clock.runPromise(carrier.put(recordOf(1)).catch(() => {}));
    await put();
    asked = 0;
    await clock.runUntil(clock.now() + 60_000);
    stamps.length = 0;
    await put();
    expect(stamps).toEqual([NO_STAMP]);
  });

  test("is given up when the carrier is closed", async () => {
    const { clock, service } = serviceRig();
    const greeting = { ...service.greeting(), workBits: 20 };
    const carrier = new ServiceCarrier({ clock }, { greeting });
    let pauses = 0;
    const schedule = clock.schedule.bind(clock);
    clock.schedule = (...words) => {
      pauses += 1;
      return schedule(...words);
    };
    const putting = carrier.put(recordOf(1));
    carrier.close();
    await expect(clock.runPromise(putting)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect(pauses).toBeLessThan(5);
  });

  test("is given up when the caller aborts", async () => {
    const { clock, service } = serviceRig();
    const greeting = { ...service.greeting(), workBits: 20 };
    const carrier = new ServiceCarrier({ clock }, { greeting });
    const abort = new AbortController();
    const putting = carrier.put(recordOf(1), { signal: abort.signal });
    abort.abort();
    await expect(clock.runPromise(putting)).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("a record that was found", () => {
  /** Four of them are at hand, in memory that is used again. */
  const payloadSize = 60_000;
  const large = (frame: number) => recordOf(frame, { content: frame, payloadSize });

  test.each(["in the same process", "over a wire"])("is the reader's own, %s", async (where) => {
    const store = new MemoryRecordStore({ payloadSize, entriesMax: 100, bytesMax: 1e8 });
    const { clock, service } = serviceRig({ store, limits: { recentBytesMax: 262_144 } });
    const isLocal = where === "in the same process";
    const carrier = isLocal
      ? localCarrier(service, { clock })
      : (await wireTo(service, clock)).carrier;
    await clock.runPromise(carrier.put(large(0)));
    const found = await clock.runPromise(carrier.get(addressOf(0)));
    for (let frame = 1; frame < 8; frame++) await clock.runPromise(carrier.put(large(frame)));
    expect(service.statistics().recentHits).toBe(1);
    expect(equalBytes(found.payload, large(0).payload)).toBe(true);
  });
});

describe("faults", () => {
  const shares = (loss: number, seed = 1) => ({
    requests: loss,
    replies: loss,
    records: loss,
    random: new SeededRandom(seed),
  });

  async function lossesOf(seed: number): Promise<string> {
    const { clock, service } = serviceRig({ limits: { recentBytesMax: 1 } });
    const faulty = new FaultyService(service, shares(0.3, seed));
    const { carrier } = await wireTo(faulty, clock);
    let trace = "";
    for (let frame = 0; frame < 40; frame++) {
      const put = clock.runPromise(carrier.put(recordOf(frame)));
      trace += await put.then(
        () => "+",
        () => "-",
      );
    }
    return trace;
  }

  test("are those of their seed", async () => {
    const trace = await lossesOf(5);
    expect(trace).toMatch(/\+.*-/);
    expect(await lossesOf(5)).toBe(trace);
    expect(await lossesOf(6)).not.toBe(trace);
  });

  test("of records are silent: acknowledged, then gone, repaired by putting again", async () => {
    const faults = { ...shares(0), records: 0.5 };
    const memory = new MemoryRecordStore({
      payloadSize: PAYLOAD_SIZE,
      entriesMax: 1_000,
      bytesMax: 1e6,
    });
    const store = forgetfulStore(memory, faults);
    const { clock, service } = serviceRig({ store, limits: { recentBytesMax: 1 } });
    const carrier = localCarrier(service, { clock });
    for (let frame = 0; frame < 40; frame++) await clock.runPromise(carrier.put(recordOf(frame)));
    const kept = memory.statistics().entries;
    expect(kept).toBeGreaterThan(8);
    expect(kept).toBeLessThan(32);
    for (let round = 0; round < 12; round++) {
      for (let frame = 0; frame < 40; frame++) {
        await clock.runPromise(carrier.put(recordOf(frame)));
      }
    }
    expect(memory.statistics().entries).toBe(40);
    const conflict = clock.runPromise(carrier.put(recordOf(1, { content: 3 })));
    await expect(conflict).rejects.toMatchObject({ code: "CULVERT_CONFLICT" });
  });
});

test("a service that lets nobody else ask says so to a carrier in its process", () => {
  const { clock, service } = serviceRig({ limits: { linksMax: 1 } });
  localCarrier(service, { clock });
  expect(() => localCarrier(service, { clock })).toThrow(/too many links/);
});

test("a carrier in the process hears of the service's end", async () => {
  const { clock, service } = serviceRig();
  const carrier = localCarrier(service, { clock });
  await clock.runPromise(service.close());
  await expect(carrier.put(recordOf(1))).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
});
