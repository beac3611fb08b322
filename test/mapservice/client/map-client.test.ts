import { describe, expect, test } from "vitest";
import { CulvertError, SeededRandom } from "../../../src/base/index.ts";
import { crypto, rootPublicKey, SigningKey } from "../../../src/crypto/index.ts";
import {
  connectMap,
  localCarrier,
  MapClient,
  type MapRecord,
  type RecordCarrier,
  type StoredReply,
  signReceipts,
  startMapServer,
  verifyRecord,
} from "../../../src/mapservice/index.ts";
import { transportCompliance } from "../../../src/testing/index.ts";
import { LossyTransport } from "../../../src/transport/index.ts";
import { NODE, PAYLOAD_SIZE, recordOf, serviceRig } from "../fixtures.ts";
import { wireTo } from "../wire-fixtures.ts";

const SEED = new Uint8Array(32).fill(3);
const ROOT = rootPublicKey(SEED);
const KEYS = { writeSeed: SEED, readRoot: ROOT };

const frameId = (index: number): Uint8Array => new SeededRandom(index).bytes(32);
const cellOf = (content: number): Uint8Array => new SeededRandom(content).bytes(PAYLOAD_SIZE);

/** A client over a service in this process. */
function clientRig() {
  const rig = serviceRig();
  const carrier = localCarrier(rig.service, { clock: rig.clock });
  const client = new MapClient(carrier, { nodeKey: NODE.publicKey, clock: rig.clock });
  return { ...rig, carrier, client, stream: client.bind(KEYS) };
}

/** A carrier that answers what it is told to. */
class LyingCarrier implements RecordCarrier {
  readonly payloadSize = PAYLOAD_SIZE;
  readonly puts: MapRecord[] = [];
  answer: MapRecord | CulvertError = recordOf(1);
  reply: StoredReply | CulvertError | undefined;

  async put(record: MapRecord): Promise<StoredReply> {
    this.puts.push(record);
    if (this.reply === undefined) throw new Error("no reply was set");
    if (this.reply instanceof CulvertError) throw this.reply;
    return this.reply;
  }

  async get(): Promise<MapRecord> {
    if (this.answer instanceof CulvertError) throw this.answer;
    return this.answer;
  }
}

describe("a client is a transport", () => {
  transportCompliance(test, async () => {
    const { clock, service, stream } = clientRig();
    const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise);
    return { writer: stream, reader: stream, elapse, teardown: () => service.close() };
  });
});

describe("a client over a wire is a transport", () => {
  transportCompliance(test, async () => {
    const { clock, service } = serviceRig();
    const { carrier } = await wireTo(service, clock);
    const stream = new MapClient(carrier).bind(KEYS);
    const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise);
    return { writer: stream, reader: stream, elapse, teardown: () => service.close() };
  });
});

describe("a client over a socket is a transport", () => {
  transportCompliance(test, async () => {
    const listen = ["127.0.0.1:0"];
    const server = await startMapServer({ listen, payloadSize: PAYLOAD_SIZE });
    const map = await connectMap(server.endpoints[0] as string);
    const stream = new MapClient(map).bind(KEYS);
    const teardown = async (): Promise<void> => {
      map.close();
      await server.close();
    };
    return { writer: stream, reader: stream, elapse: (promise) => promise, teardown };
  });
});

test("what a bad way damages of a borrowed cell, the Map still has whole", async () => {
  const { clock, service } = serviceRig({ limits: { recentBytesMax: 1 } });
  const carrier = localCarrier(service, { clock, isVerified: true });
  const stream = new MapClient(carrier).bind(KEYS);
  const bad = new LossyTransport(stream, { corrupt: 1, clock });
  await clock.runPromise(stream.put(frameId(1), cellOf(1)));
  const damaged = await clock.runPromise(bad.get(frameId(1), { isBorrowed: true }));
  expect(damaged).not.toEqual(cellOf(1));
  expect(await clock.runPromise(stream.get(frameId(1)))).toEqual(cellOf(1));
});

describe("a client", () => {
  test("that is not bound refuses", async () => {
    const { client } = clientRig();
    await expect(client.put()).rejects.toMatchObject({ code: "CULVERT_NOT_BOUND" });
    await expect(client.get()).rejects.toMatchObject({ code: "CULVERT_NOT_BOUND" });
    expect(client.payloadSize).toBe(PAYLOAD_SIZE);
  });

  test("puts and gets cells by frame id", async () => {
    const { clock, stream } = clientRig();
    const cell = cellOf(1);
    const receipt = await clock.runPromise(stream.put(frameId(1), cell, { ttlSeconds: 50 }));
    expect(receipt).toEqual({ ttlSeconds: 50 });
    expect(await clock.runPromise(stream.get(frameId(1)))).toEqual(cell);
  });

  test.each(["here", "over a wire"])("tells with a cell how long it is kept, %s", async (way) => {
    const { clock, service, stream: here } = clientRig();
    const wire = (await wireTo(service, clock)).carrier;
    const stream = way === "here" ? here : new MapClient(wire).bind(KEYS);
    await clock.runPromise(stream.put(frameId(1), cellOf(1), { ttlSeconds: 3_000 }));
    await clock.runUntil(clock.now() + 100_000);
    const told: number[] = [];
    await clock.runPromise(stream.get(frameId(1), { onTtl: (seconds) => void told.push(seconds) }));
    expect(told).toEqual([2_900]);
  });

  test("tells nothing of a life that nobody has told", async () => {
    const { clock, service, carrier } = clientRig();
    await clock.runPromise(new MapClient(carrier).bind(KEYS).put(frameId(1), cellOf(1)));
    const silent: RecordCarrier = {
      payloadSize: PAYLOAD_SIZE,
      put: (record) => carrier.put(record),
      get: async (address) => ({ ...(await carrier.get(address)), ttlSeconds: 0 }),
    };
    const told: number[] = [];
    const stream = new MapClient(silent).bind(KEYS);
    await clock.runPromise(stream.get(frameId(1), { onTtl: (seconds) => void told.push(seconds) }));
    expect(told).toEqual([]);
    await service.close();
  });

  test("asks for a week when nothing is said", async () => {
    const { clock, stream } = clientRig();
    const { ttlSeconds } = await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    expect(ttlSeconds).toBe(7 * 24 * 3_600);
  });

  test("gives the caller cells of its own, and borrows what it is given", async () => {
    const { clock, stream } = clientRig();
    const [id, cell] = [frameId(1), cellOf(1)];
    await clock.runPromise(stream.put(id, cell));
    cell.fill(0);
    id.fill(0);
    const got = await clock.runPromise(stream.get(frameId(1)));
    got.fill(0);
    expect(await clock.runPromise(stream.get(frameId(1)))).toEqual(cellOf(1));
  });

  test("waits for a cell as long as it is told", async () => {
    const { clock, stream } = clientRig();
    const waiting = stream.get(frameId(1), { waitMs: 60_000 });
    await clock.runUntil(5_000);
    await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    expect(await clock.runPromise(waiting)).toEqual(cellOf(1));
    const inVain = stream.get(frameId(2), { waitMs: 1_000 });
    await expect(clock.runPromise(inVain)).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
  });

  test("reports a conflict, and a cell of another size", async () => {
    const { clock, stream } = clientRig();
    await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    const again = stream.put(frameId(1), cellOf(2));
    await expect(clock.runPromise(again)).rejects.toMatchObject({ code: "CULVERT_CONFLICT" });
    const long = stream.put(frameId(2), new Uint8Array(PAYLOAD_SIZE + 1));
    await expect(long).rejects.toMatchObject({ code: "CULVERT_REFUSED" });
  });

  test("a tombstone ends a cell for its readers", async () => {
    const { clock, stream } = clientRig();
    await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    await clock.runPromise(stream.tombstone(frameId(1)));
    const ended = clock.runPromise(stream.get(frameId(1), { waitMs: 60_000 }));
    await expect(ended).rejects.toMatchObject({
      code: "CULVERT_NOT_FOUND",
      detail: { ended: true },
    });
    expect(clock.now()).toBeLessThan(1_000);
  });

  test("does only what its keys allow", async () => {
    const { client, clock, stream } = clientRig();
    await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    const reader = client.bind({ readRoot: ROOT });
    expect(await clock.runPromise(reader.get(frameId(1)))).toEqual(cellOf(1));
    await expect(reader.put(frameId(2), cellOf(1))).rejects.toMatchObject({
      code: "CULVERT_BAD_CAPABILITY",
    });
    const writer = client.bind({ writeSeed: SEED });
    await expect(writer.get(frameId(1))).rejects.toMatchObject({ code: "CULVERT_BAD_CAPABILITY" });
  });

  test("of another root finds nothing under the same frame id", async () => {
    const { client, clock, stream } = clientRig();
    await clock.runPromise(stream.put(frameId(1), cellOf(1)));
    const stranger = client.bind({ readRoot: rootPublicKey(new Uint8Array(32).fill(4)) });
    const got = clock.runPromise(stranger.get(frameId(1)));
    await expect(got).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
  });

  test("signs a frame once until the Map has it, however often it is put", async () => {
    const carrier = new LyingCarrier();
    const client = new MapClient(carrier);
    const stream = client.bind(KEYS);
    carrier.reply = new CulvertError("CULVERT_TIMEOUT");
    for (let i = 0; i < 5; i++) await stream.put(frameId(1), cellOf(1)).catch(() => {});
    expect([carrier.puts.length, client.statistics.signed]).toEqual([5, 1]);
    carrier.reply = { ttlSeconds: 60 };
    for (let i = 0; i < 2; i++) await stream.put(frameId(1), cellOf(1));
    expect([carrier.puts.length, client.statistics.signed]).toEqual([7, 2]);
    const [first, ...others] = carrier.puts;
    for (const other of others) expect(other).toEqual(first);
  });

  test("copies its keys", async () => {
    const { client, clock } = clientRig();
    const writeSeed = SEED.slice();
    const bound = client.bind({ writeSeed, readRoot: ROOT });
    writeSeed.fill(0);
    await clock.runPromise(bound.put(frameId(1), cellOf(1)));
    expect(await clock.runPromise(bound.get(frameId(1)))).toEqual(cellOf(1));
  });
});

describe("a lying Map", () => {
  /** The genuine record of a frame, as an honest Map would have it. */
  async function genuine(index: number, content: number): Promise<MapRecord> {
    const carrier = new LyingCarrier();
    const stream = new MapClient(carrier).bind(KEYS);
    await stream.put(frameId(index), cellOf(content)).catch(() => {});
    const [record] = carrier.puts;
    if (record === undefined) throw new Error("the record was put");
    return { ...record, payload: record.payload.slice() };
  }

  async function getFrom(answer: MapRecord): Promise<unknown> {
    const carrier = new LyingCarrier();
    carrier.answer = answer;
    const client = new MapClient(carrier);
    const got = await client
      .bind(KEYS)
      .get(frameId(1))
      .catch((error: unknown) => error);
    if (got instanceof Error) expect(client.statistics.lies).toBe(1);
    return got;
  }

  test("is believed when it says the truth", async () => {
    expect(await getFrom(await genuine(1, 5))).toEqual(cellOf(5));
  });

  const LIES: Record<string, () => Promise<MapRecord>> = {
    "another frame's record": () => genuine(2, 5),
    "a record of another root": async () => recordOf(1),
    "other bytes": async () => ({ ...(await genuine(1, 5)), payload: cellOf(6) }),
    "another frame's bytes under this address": async () => {
      const [mine, other] = [await genuine(1, 5), await genuine(2, 5)];
      return { ...other, address: mine.address };
    },
    "a cell sold as a tombstone": async () => ({
      ...(await genuine(1, 5)),
      seq: 2,
      payload: new Uint8Array(0),
    }),
    "a signature that is missing": async () => ({
      ...(await genuine(1, 5)),
      signature: new Uint8Array(64),
    }),
  };
  test.each(Object.entries(LIES))("%s is never delivered, and counted", async (_, lie) => {
    expect(await getFrom(await lie())).toMatchObject({ code: "CULVERT_PROTOCOL" });
  });

  test("with a receipt of another node is not believed by who pinned its key", async () => {
    const carrier = new LyingCarrier();
    const record = await genuine(1, 5);
    const claim = {
      address: record.address,
      seq: record.seq,
      payloadHash: new Uint8Array(32),
      expiresMs: 1,
    };
    const [receipt] = signReceipts([claim], new SigningKey(new Uint8Array(32).fill(9)));
    if (receipt === undefined) throw new Error("a receipt");
    carrier.reply = { ttlSeconds: 5, receipt };
    const client = new MapClient(carrier, { nodeKey: NODE.publicKey });
    const putting = client.bind(KEYS).put(frameId(1), cellOf(5));
    await expect(putting).rejects.toMatchObject({ code: "CULVERT_PROTOCOL" });
    expect(client.statistics.badReceipts).toBe(1);
    const credulous = new MapClient(carrier).bind(KEYS);
    expect(await credulous.put(frameId(1), cellOf(5))).toEqual({ ttlSeconds: 5 });
  });
});

describe("a receipt of the pinned node", () => {
  const HOUR_S = 3_600;
  const WEEK_S = 7 * 24 * HOUR_S;

  test.each([
    { told: WEEK_S, signed: WEEK_S, isBelieved: true },
    { told: WEEK_S, signed: WEEK_S - HOUR_S, isBelieved: true },
    { told: WEEK_S, signed: 24 * HOUR_S, isBelieved: false },
  ])("for $signed s where $told are told: $isBelieved", async ({ told, signed, isBelieved }) => {
    const clock = { unixMs: () => 1_750_000_000_000 };
    const carrier = new LyingCarrier();
    await new MapClient(carrier)
      .bind(KEYS)
      .put(frameId(1), cellOf(5))
      .catch(() => {});
    const [{ address, seq, payload } = expect.fail("one put")] = carrier.puts;
    const expiresMs = clock.unixMs() + 1_000 * signed;
    const claim = { address, seq, payloadHash: crypto().sha256(payload), expiresMs };
    const [receipt = expect.fail("a receipt")] = signReceipts([claim], NODE);
    carrier.reply = { ttlSeconds: told, receipt };
    const client = new MapClient(carrier, { nodeKey: NODE.publicKey, clock });
    const putting = client.bind(KEYS).put(frameId(1), cellOf(5));
    if (isBelieved) expect(await putting).toEqual({ ttlSeconds: told });
    else await expect(putting).rejects.toMatchObject({ code: "CULVERT_PROTOCOL" });
    expect(client.statistics.badReceipts).toBe(isBelieved ? 0 : 1);
  });
});

describe("what goes over the wire", () => {
  test("verifies under its address, and tells nothing of root or frame id", async () => {
    const carrier = new LyingCarrier();
    const stream = new MapClient(carrier).bind(KEYS);
    await stream.put(frameId(1), cellOf(1)).catch(() => {});
    const [record] = carrier.puts;
    if (record === undefined) throw new Error("the record was put");
    expect(verifyRecord(record)).toBe(true);
    expect(record.address).not.toEqual(ROOT);
    expect(record.address).not.toEqual(frameId(1));
  });

  test("is the same for a client on a wire as for one in the process", async () => {
    const { clock, service, stream } = clientRig();
    const { carrier } = await wireTo(service, clock, { pieceBytes: 7 });
    const remote = new MapClient(carrier, { nodeKey: NODE.publicKey, clock }).bind(KEYS);
    await clock.runPromise(remote.put(frameId(1), cellOf(1)));
    expect(await clock.runPromise(stream.get(frameId(1)))).toEqual(cellOf(1));
    const waiting = remote.get(frameId(2), { waitMs: 9_000 });
    await clock.runPromise(stream.put(frameId(2), cellOf(2)));
    expect(await clock.runPromise(waiting)).toEqual(cellOf(2));
  });
});

describe("a Map that tells of other bytes where a cell is put", () => {
  /** The record that is put for a frame. */
  async function signed(frame: number, content: number): Promise<MapRecord> {
    const carrier = new LyingCarrier();
    carrier.reply = { ttlSeconds: 60 };
    await new MapClient(carrier).bind(KEYS).put(frameId(frame), cellOf(content));
    return carrier.puts[0] as MapRecord;
  }

  /** What becomes of a put of cell 1 at frame 1, and how many lies were counted. */
  async function outcomeWhere(shown: MapRecord | CulvertError): Promise<unknown[]> {
    const carrier = new LyingCarrier();
    carrier.reply = new CulvertError("CULVERT_CONFLICT", undefined, { remote: true });
    carrier.answer = shown;
    const client = new MapClient(carrier);
    const put = client.bind(KEYS).put(frameId(1), cellOf(1));
    const outcome = await put.catch((error: CulvertError) => error.code);
    return [outcome, client.statistics.lies];
  }

  test("is believed when it shows them", async () => {
    const other = await signed(1, 2);
    expect(await outcomeWhere(other)).toEqual(["CULVERT_CONFLICT", 0]);
  });

  test("is not believed when it shows none, or none that are signed there", async () => {
    const forged = { ...(await signed(1, 2)), payload: cellOf(3) };
    const nothing = new CulvertError("CULVERT_NOT_FOUND", undefined, { remote: true });
    for (const shown of [nothing, forged, await signed(1, 1), await signed(2, 2)]) {
      expect(await outcomeWhere(shown)).toEqual(["CULVERT_PROTOCOL", 1]);
    }
  });

  test("is asked again later when it cannot answer now", async () => {
    for (const code of ["CULVERT_BUSY", "CULVERT_UNREACHABLE"] as const) {
      expect(await outcomeWhere(new CulvertError(code))).toEqual([code, 0]);
    }
  });
});
