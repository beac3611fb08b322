import { describe, expect, test } from "vitest";
import { concatBytes } from "../../../src/base/index.ts";
import {
  encodeRecord,
  MapSession,
  MemoryRecordStore,
  SESSION_LIMITS,
  type SessionLimits,
} from "../../../src/mapservice/index.ts";
import { NO_STAMP } from "../../../src/mapservice/record/work-stamp.ts";
import { noSessionStatistics } from "../../../src/mapservice/wire/map-session.ts";
import {
  type ClientMessage,
  encodeClientMessage,
  type NodeMessage,
  readNodeMessage,
  WIRE_VERSION,
} from "../../../src/mapservice/wire/wire.ts";
import { addressOf, PAYLOAD_SIZE, recordOf, type ServiceRig, serviceRig } from "../fixtures.ts";
import { FakePort } from "../wire-fixtures.ts";

const HELLO = encodeClientMessage({
  kind: "hello",
  versionMin: WIRE_VERSION,
  versionMax: WIRE_VERSION,
});

function sessionOf(rig: ServiceRig, limits: Partial<SessionLimits> = {}, source = "s") {
  const port = new FakePort();
  const statistics = noSessionStatistics();
  const { service, clock } = rig;
  const from = { source, limits: { ...SESSION_LIMITS, ...limits } };
  const session = new MapSession({ service, clock, port, statistics }, from);
  return {
    port,
    statistics,
    session,
    /** What was said since the last call. */
    said: (): NodeMessage[] =>
      port.written.splice(0).map((bytes) => readNodeMessage(bytes.subarray(4), PAYLOAD_SIZE)),
    tell: async (...messages: ClientMessage[]): Promise<void> => {
      session.receive(concatBytes(...messages.map(encodeClientMessage)));
      await clock.runUntil(clock.now());
    },
  };
}

const get = (request: number, frame: number, waitMs = 0): ClientMessage => ({
  kind: "get",
  request,
  waitMs,
  address: addressOf(frame),
});

const put = (request: number, frame: number): ClientMessage => ({
  kind: "put",
  request,
  stamp: NO_STAMP,
  record: encodeRecord(recordOf(frame)),
});

describe("a session", () => {
  test("greets, and answers requests that were pipelined behind the hello", async () => {
    const { session, said, tell } = sessionOf(serviceRig());
    session.receive(HELLO);
    await tell(put(7, 1), get(8, 2));
    expect(said()).toMatchObject([
      { kind: "hello", version: WIRE_VERSION, greeting: { payloadSize: PAYLOAD_SIZE } },
      { kind: "answer", request: 8, answer: { kind: "not-found" } },
      { kind: "answer", request: 7, answer: { kind: "stored" } },
    ]);
  });

  test("takes its bytes in any pieces", async () => {
    const rig = serviceRig();
    const { session, said } = sessionOf(rig);
    const bytes = concatBytes(
      HELLO,
      encodeClientMessage(put(1, 1)),
      encodeClientMessage(get(2, 3)),
    );
    for (const byte of bytes) session.receive(Uint8Array.of(byte));
    await rig.clock.runUntil(rig.clock.now());
    expect(said().length).toBe(3);
  });

  test("does not hold on to the bytes that it was given", async () => {
    const rig = serviceRig();
    const { session, said } = sessionOf(rig);
    session.receive(HELLO);
    const bytes = encodeClientMessage(put(1, 1));
    session.receive(bytes);
    bytes.fill(0xee);
    await rig.clock.runUntil(rig.clock.now());
    expect(said().at(-1)).toMatchObject({ answer: { kind: "stored" } });
  });

  test("refuses a record of another size, and goes on", async () => {
    const { session, said, tell } = sessionOf(serviceRig());
    session.receive(HELLO);
    await tell({ kind: "put", request: 1, stamp: NO_STAMP, record: new Uint8Array(9) }, get(2, 2));
    expect(said().slice(1)).toMatchObject([
      { request: 1, answer: { kind: "refused", fault: "size" } },
      { request: 2, answer: { kind: "not-found" } },
    ]);
  });

  test("forgets its waiting gets when it is closed", async () => {
    const rig = serviceRig();
    const { session, tell } = sessionOf(rig);
    session.receive(HELLO);
    await tell(get(1, 1, 60_000));
    expect(rig.service.statistics()).toMatchObject({ links: 1, waiting: 1 });
    session.closed();
    session.closed();
    expect(rig.service.statistics()).toMatchObject({ links: 0, waiting: 0 });
    session.receive(HELLO);
  });
});

describe("bad input ends the connection, is counted, and throws nothing", () => {
  const long = new Uint8Array(4).fill(0xff);
  const frame = (...body: number[]): Uint8Array => Uint8Array.of(0, 0, 0, body.length, ...body);
  const helloOf = (...body: number[]): Uint8Array => frame(1, ...body);
  test.each<[string, Uint8Array]>([
    ["a length of zero", Uint8Array.of(0, 0, 0, 0)],
    ["a length beyond the largest request", long],
    ["an unknown type", concatBytes(HELLO, frame(9))],
    ["a type of the other side", concatBytes(HELLO, frame(0x83, 0, 0, 0, 1))],
    ["a request before the hello", encodeClientMessage(get(1, 1))],
    ["a second hello", concatBytes(HELLO, HELLO)],
    ["another protocol", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: culvert\r\n\r\n")],
    ["a hello with other magic", helloOf(1, 2, 3, 4, 1, 1)],
    ["a hello that is too short", helloOf(0x43, 0x4c, 0x56)],
    ["a hello that is too long", helloOf(0x43, 0x4c, 0x56, 0x4d, 1, 1, 0)],
    ["a get that is too short", concatBytes(HELLO, frame(3, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2))],
    ["a put without a stamp", concatBytes(HELLO, frame(2, 0, 0, 0, 1, 0, 0))],
    ["a cancel with more than a number", concatBytes(HELLO, frame(4, 0, 0, 0, 1, 9))],
  ])("%s", async (_, bytes) => {
    const rig = serviceRig();
    const { session, port, statistics, said } = sessionOf(rig);
    session.receive(bytes);
    session.receive(bytes);
    await rig.clock.runUntil(rig.clock.now());
    expect(statistics.protocolErrors).toBe(1);
    expect(port.closed).toBe("gently");
    expect(said().at(-1)).toEqual({ kind: "goodbye", reason: "protocol" });
    expect(rig.service.statistics().links).toBe(0);
  });

  test("a version that is not spoken here is told so, and is no breach", () => {
    const { session, port, statistics, said } = sessionOf(serviceRig());
    session.receive(encodeClientMessage({ kind: "hello", versionMin: 2, versionMax: 9 }));
    expect(said()).toEqual([{ kind: "goodbye", reason: "version" }]);
    expect([port.closed, statistics.protocolErrors]).toEqual(["gently", 0]);
  });

  test("one asker too many is told so", () => {
    const rig = serviceRig({ limits: { linksMax: 1 } });
    const [first, second] = [sessionOf(rig), sessionOf(rig)];
    first.session.receive(HELLO);
    second.session.receive(HELLO);
    expect(second.said()).toEqual([{ kind: "goodbye", reason: "busy" }]);
    expect(second.statistics.refused).toBe(1);
  });
});

describe("patience ends", () => {
  test("with who says nothing", async () => {
    const rig = serviceRig();
    const { port, statistics } = sessionOf(rig, { frameMs: 30_000 });
    await rig.clock.runUntil(29_000);
    expect(port.closed).toBeUndefined();
    await rig.clock.runUntil(36_000);
    expect([port.closed, statistics.timeouts]).toEqual(["abruptly", 1]);
  });

  test("with who trickles a frame byte by byte", async () => {
    const rig = serviceRig();
    const { session, port, statistics } = sessionOf(rig, { frameMs: 30_000 });
    session.receive(HELLO);
    const bytes = encodeClientMessage(put(1, 1));
    for (let i = 0; i < bytes.length && port.closed === undefined; i++) {
      session.receive(bytes.slice(i, i + 1));
      await rig.clock.runUntil(rig.clock.now() + 1_000);
    }
    expect([port.closed, statistics.timeouts]).toEqual(["abruptly", 1]);
    expect(rig.clock.now()).toBeLessThan(40_000);
  });

  test("with who is idle for longer than any get waits", async () => {
    const rig = serviceRig();
    const { session, port, tell, statistics } = sessionOf(rig, { idleMs: 600_000 });
    session.receive(HELLO);
    await rig.clock.runUntil(300_000);
    await tell(get(1, 1, 300_000));
    await rig.clock.runUntil(1_100_000);
    expect(port.closed).toBeUndefined();
    await rig.clock.runUntil(1_300_000);
    expect([port.closed, statistics.idle]).toEqual(["abruptly", 1]);
  });

  test("not with who waits for a disk that has stalled", async () => {
    const memory = new MemoryRecordStore({
      payloadSize: PAYLOAD_SIZE,
      entriesMax: 1_000,
      bytesMax: 1_000_000,
    });
    let goOn = (): void => {};
    const stalled = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const keep = memory.put.bind(memory);
    memory.put = async (puts, nowMs) => {
      await stalled;
      return await keep(puts, nowMs);
    };
    const limits = { queuedPerLinkMax: 8, committingBytesMax: 1, storeMsMax: 200_000 };
    const rig = serviceRig({ store: memory, limits });
    const { session, port, tell, said } = sessionOf(rig, { frameMs: 30_000 });
    session.receive(HELLO);
    await tell(...Array.from({ length: 20 }, (_, i) => put(i, i)));
    expect(port.isReading).toBe(false);
    await rig.clock.runUntil(100_000);
    expect(port.closed).toBeUndefined();
    goOn();
    await rig.clock.runUntil(101_000);
    const kinds = said().map((one) => (one.kind === "answer" ? one.answer.kind : one.kind));
    expect(kinds).toEqual(["hello", ...Array.from({ length: 20 }, () => "stored")]);
  });

  test("not with a slow but steady client", async () => {
    const rig = serviceRig();
    const { session, port, tell } = sessionOf(rig, { frameMs: 30_000, idleMs: 60_000 });
    session.receive(HELLO);
    for (let i = 0; i < 100; i++) {
      await rig.clock.runUntil(rig.clock.now() + 20_000);
      await tell(get(i, i));
    }
    expect(port.closed).toBeUndefined();
  });
});

describe("a slow reader", () => {
  test("is not served more than it takes", async () => {
    const rig = serviceRig();
    const { session, port, tell, said } = sessionOf(rig, { unsentBytesHigh: 1_000 });
    session.receive(HELLO);
    said();
    port.unsentBytes = 1_001;
    await tell(get(1, 1), get(2, 2));
    expect([said().length, port.isReading]).toEqual([0, false]);
    port.unsentBytes = 0;
    session.drained();
    await rig.clock.runUntil(rig.clock.now());
    expect([said().length, port.isReading]).toEqual([2, true]);
  });

  test("that takes nothing for long is cut off", async () => {
    const rig = serviceRig();
    const { session, port, tell, statistics } = sessionOf(rig, {
      unsentBytesHigh: 1_000,
      frameMs: 30_000,
    });
    session.receive(HELLO);
    port.unsentBytes = 1_001;
    await tell(get(1, 1));
    await rig.clock.runUntil(40_000);
    expect([port.closed, statistics.slowReaders]).toEqual(["abruptly", 1]);
  });

  test("with too much unsent is cut off by the next answer", async () => {
    const rig = serviceRig();
    const { session, port, tell, statistics } = sessionOf(rig);
    session.receive(HELLO);
    await tell(get(1, 1, 1_000));
    port.unsentBytes = 9 * 2 ** 20;
    await rig.clock.runUntil(1_100);
    expect([port.closed, statistics.slowReaders]).toEqual(["abruptly", 1]);
  });

  test("with more than its part is cut off when all together have too much", async () => {
    const rig = serviceRig();
    const [modest, greedy] = [sessionOf(rig), sessionOf(rig)];
    for (const { session, port, tell } of [modest, greedy]) {
      session.receive(HELLO);
      await tell(get(1, 1, 1_000));
      port.unsentElsewhere = 65 * 2 ** 20;
    }
    greedy.port.unsentBytes = 65 * 1_024;
    await rig.clock.runUntil(1_100);
    expect([modest.port.closed, greedy.port.closed]).toEqual([undefined, "abruptly"]);
  });
});

test("a client that sends faster than it is served is held back, and loses nothing", async () => {
  const rig = serviceRig({ limits: { queuedPerLinkMax: 8 } });
  const { session, port, tell, said } = sessionOf(rig);
  session.receive(HELLO);
  const requests = Array.from({ length: 100 }, (_, i) => get(i, i % 7));
  session.receive(concatBytes(...requests.map(encodeClientMessage)));
  expect(port.isReading).toBe(false);
  await tell();
  const answers = said().slice(1);
  expect(answers.length).toBe(100);
  expect(JSON.stringify(answers)).not.toContain("busy");
  expect(port.isReading).toBe(true);
});

test("a flood of cancels is read in portions", async () => {
  const rig = serviceRig();
  const { session, port, tell, said } = sessionOf(rig);
  session.receive(HELLO);
  const cancel = encodeClientMessage({ kind: "cancel", request: 1 });
  session.receive(concatBytes(...Array.from({ length: 2_000 }, () => cancel)));
  expect(port.isReading).toBe(false);
  await rig.clock.runUntil(10);
  expect(port.isReading).toBe(true);
  await tell(get(5, 5));
  expect(said().at(-1)).toMatchObject({ request: 5 });
});

test("a closing service says goodbye", async () => {
  const rig = serviceRig();
  const { session, said, port } = sessionOf(rig);
  session.receive(HELLO);
  await rig.clock.runPromise(rig.service.close());
  expect(said().at(-1)).toEqual({ kind: "goodbye", reason: "closing" });
  expect(port.closed).toBe("gently");
});
