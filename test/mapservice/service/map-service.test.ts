import { describe, expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { encodeRecord, MemoryRecordStore } from "../../../src/mapservice/index.ts";
import { NO_STAMP } from "../../../src/mapservice/record/work-stamp.ts";
import {
  NODE,
  PAYLOAD_SIZE,
  recordOf,
  requesterAt,
  serviceRig,
  tombstoneOf,
  Witness,
} from "../fixtures.ts";

describe("the write-once table", () => {
  test("put, address free: stored, with expiry and a receipt of this record", async () => {
    const rig = serviceRig();
    const answer = await requesterAt(rig).put(recordOf(1, { ttlSeconds: 100 }));
    expect(answer).toMatchObject({ kind: "stored", ttlSeconds: 100 });
    if (answer?.kind !== "stored") throw new Error("stored");
    expect(answer.receipt?.expiresMs).toBe(rig.clock.unixMs() + 100_000);
    expect(rig.service.statistics()).toMatchObject({ putsStored: 1, verified: 1, commits: 1 });
  });

  test("put, no receipts needed: stored without one, until somebody asks", async () => {
    const rig = serviceRig();
    const local = requesterAt(rig, "local", { needsNoReceipts: true });
    const stored = { kind: "stored", ttlSeconds: 3_600 };
    expect(await local.put(recordOf(1))).toEqual(stored);
    expect(await local.put(recordOf(1))).toEqual(stored);
    expect(rig.service.statistics()).toMatchObject({ verified: 1, commits: 1, recentHits: 1 });
    const claim = { expiresMs: rig.clock.unixMs() + 3_600_000 };
    expect(await requesterAt(rig).put(recordOf(1))).toMatchObject({ ...stored, receipt: claim });
    expect(rig.service.statistics()).toMatchObject({ verified: 1, commits: 2 });
  });

  test("put, no receipts needed, waited for: kept at hand when it is put again", async () => {
    const rig = serviceRig();
    const local = requesterAt(rig, "local", { needsNoReceipts: true });
    const waiting = await local.get(1, 5_000);
    await local.put(recordOf(1));
    expect(local.witness.answers.get(waiting.request)).toMatchObject({ record: recordOf(1) });
    for (const [verified, recentHits] of [
      [2, 0],
      [2, 1],
    ]) {
      expect(await local.put(recordOf(1))).toEqual({ kind: "stored", ttlSeconds: 3_600 });
      expect(rig.service.statistics()).toMatchObject({ verified, recentHits, putsStored: 1 });
    }
    // An end is what everybody hears of, whoever had the cell.
    await local.put(tombstoneOf(1));
    expect((await local.get(1)).answer).toMatchObject({ record: tombstoneOf(1) });
  });

  test("put, waited for, with a receipt: the same again, at the price of no verify", async () => {
    const rig = serviceRig();
    const { get, put } = requesterAt(rig);
    await get(1, 5_000);
    const first = await put(recordOf(1));
    expect(await put(recordOf(1))).toEqual(first);
    expect(rig.service.statistics()).toMatchObject({ verified: 1, commits: 1, recentHits: 1 });
  });

  test("put, same bytes: stored again, life extended, at the price of no verify", async () => {
    const rig = serviceRig();
    const { put } = requesterAt(rig);
    await put(recordOf(1, { ttlSeconds: 100 }));
    rig.clock.advance(50_000);
    expect(await put(recordOf(1, { ttlSeconds: 100 }))).toMatchObject({ ttlSeconds: 100 });
    expect(rig.service.statistics()).toMatchObject({ putsKnown: 1, verified: 1, commits: 2 });
  });

  test("put, same bytes at once: the same receipt, at the price of no write either", async () => {
    const rig = serviceRig();
    const { put } = requesterAt(rig);
    const first = await put(recordOf(1));
    expect(await put(recordOf(1))).toEqual(first);
    expect(rig.service.statistics()).toMatchObject({ putsKnown: 1, commits: 1, recentHits: 1 });
  });

  test("put, other bytes: conflict, the first stay", async () => {
    const rig = serviceRig();
    const { put, get } = requesterAt(rig);
    await put(recordOf(1));
    expect(await put(recordOf(1, { content: 5 }))).toEqual({ kind: "conflict" });
    expect((await get(1)).answer).toMatchObject({ record: recordOf(1) });
  });

  test("put, malformed: refused with a reason, nothing stored", async () => {
    const rig = serviceRig();
    const { put, putBytes } = requesterAt(rig);
    const good = encodeRecord(recordOf(1));
    expect(await putBytes(new Uint8Array(0))).toEqual({ kind: "refused", fault: "size" });
    expect(await putBytes(good.slice(0, -1))).toEqual({ kind: "refused", fault: "size" });
    const badSequence = good.slice();
    badSequence[96] = 7;
    expect(await putBytes(badSequence)).toEqual({ kind: "refused", fault: "sequence" });
    const forged = { ...recordOf(1), signature: recordOf(2).signature };
    expect(await put(forged)).toEqual({ kind: "refused", fault: "signature" });
    const point = { ...recordOf(1), address: new Uint8Array(32) };
    expect(await put(point)).toEqual({ kind: "refused", fault: "signature" });
    expect(rig.service.statistics()).toMatchObject({
      putsRefused: 5,
      verified: 2,
      verifyFailed: 2,
    });
    expect(rig.store.statistics().entries).toBe(0);
  });

  test("a bad signature is refused, not a conflict, where the address is taken", async () => {
    const rig = serviceRig();
    const { put } = requesterAt(rig);
    await put(recordOf(1));
    const forged = { ...recordOf(1, { content: 5 }), signature: recordOf(1).signature };
    expect(await put(forged)).toEqual({ kind: "refused", fault: "signature" });
  });

  test("get, present: the record and the life that is left", async () => {
    const rig = serviceRig();
    const { put, get } = requesterAt(rig);
    await put(recordOf(1, { ttlSeconds: 100 }));
    rig.clock.advance(40_500);
    const { answer } = await get(1);
    expect(answer).toMatchObject({ kind: "found", ttlSeconds: 59 });
    expect(answer).toHaveProperty("record", recordOf(1, { ttlSeconds: 100 }));
  });

  test("get, expired: absent to the millisecond, also what is at hand", async () => {
    const rig = serviceRig();
    const { put, get } = requesterAt(rig);
    await put(recordOf(1, { ttlSeconds: 100 }));
    rig.clock.advance(99_999);
    expect((await get(1)).answer?.kind).toBe("found");
    rig.clock.advance(1);
    expect((await get(1)).answer?.kind).toBe("not-found");
  });

  test("a tombstone ends a record, is what a get finds, and spends the address", async () => {
    const rig = serviceRig();
    const { put, get } = requesterAt(rig);
    await put(recordOf(1, { ttlSeconds: 1_000 }));
    expect(await put(tombstoneOf(1, 10))).toMatchObject({ kind: "stored", ttlSeconds: 1_000 });
    expect((await get(1)).answer).toMatchObject({ record: { seq: 2 } });
    expect(await put(recordOf(1))).toEqual({ kind: "conflict" });
    expect(await put(tombstoneOf(1))).toMatchObject({ kind: "stored" });
    rig.clock.advance(3_600_000);
    expect((await get(1)).answer?.kind).toBe("not-found");
  });

  test("a full store sweeps what has expired, then refuses new addresses only", async () => {
    const rig = serviceRig({ entriesMax: 3, limits: { sweepMs: 1e9, sourceShare: 10 } });
    const { put } = requesterAt(rig);
    for (const frame of [1, 2, 3]) await put(recordOf(frame, { ttlSeconds: 4_000 }));
    expect(await put(recordOf(4))).toEqual({ kind: "full" });
    expect(await put(recordOf(2, { ttlSeconds: 4_000 }))).toMatchObject({ kind: "stored" });
    expect(await put(tombstoneOf(3))).toMatchObject({ kind: "stored" });
    rig.clock.advance(4_000_000);
    expect(await put(recordOf(4))).toMatchObject({ kind: "stored" });
  });
});

describe("waiting gets", () => {
  test("are answered by the put, whoever waits", async () => {
    const rig = serviceRig();
    const [a, b, c] = [requesterAt(rig), requesterAt(rig, "b"), requesterAt(rig, "c")];
    const atA = await a.get(1, 60_000);
    const atB = await b.get(1, 60_000);
    expect(atA.answer ?? atB.answer).toBeUndefined();
    await c.put(recordOf(1));
    expect(a.witness.answers.get(atA.request)).toMatchObject({ record: recordOf(1) });
    expect(b.witness.kindOf(atB.request)).toBe("found");
    expect(rig.service.statistics().waiting).toBe(0);
  });

  test("end at the caller's timeout, and at the node's limit if that is shorter", async () => {
    const rig = serviceRig({ limits: { waitMsMax: 5_000 } });
    const { get, witness } = requesterAt(rig);
    const short = (await get(1, 1_000)).request;
    const long = (await get(2, 60_000)).request;
    await rig.clock.runUntil(999);
    expect(witness.kindOf(short)).toBeUndefined();
    await rig.clock.runUntil(1_011);
    expect(witness.kindOf(short)).toBe("not-found");
    await rig.clock.runUntil(5_011);
    expect(witness.kindOf(long)).toBe("not-found");
  });

  test("that are cancelled get no answer", async () => {
    const rig = serviceRig();
    const { get, put, requester, witness } = requesterAt(rig);
    const { request } = await get(1, 60_000);
    requester.cancel(request);
    requester.cancel(request);
    await put(recordOf(1));
    expect(witness.kindOf(request)).toBeUndefined();
    expect(rig.service.statistics()).toMatchObject({ getsCancelled: 1, waiting: 0 });
  });

  test("are bounded for an asker, for an address, and in total", async () => {
    const limits = { waitingPerLinkMax: 2, waitingPerAddressMax: 4, waitingMax: 5 };
    const rig = serviceRig({ limits });
    const [a, b, c] = [requesterAt(rig, "a"), requesterAt(rig, "b"), requesterAt(rig, "c")];
    const kinds = [
      (await a.get(1, 60_000)).answer?.kind,
      (await a.get(1, 60_000)).answer?.kind,
      (await a.get(2, 60_000)).answer?.kind, // the asker's third
      (await b.get(1, 60_000)).answer?.kind,
      (await b.get(1, 60_000)).answer?.kind, // the address's fourth
      (await b.get(3, 60_000)).answer?.kind,
      (await c.get(4, 60_000)).answer?.kind,
      (await c.get(5, 60_000)).answer?.kind, // the sixth of all
    ];
    expect(kinds.map((kind) => kind ?? "-").join(" ")).toBe("- - busy - busy - - busy");
    expect(rig.service.statistics().waiting).toBe(5);
    a.requester.close();
    expect(rig.service.statistics().waiting).toBe(3);
  });

  test("are bounded for a source, which has some places with all its askers", async () => {
    const rig = serviceRig({ limits: { waitingPerSourceMax: 4, waitingMax: 8 } });
    const [a, b, other] = [requesterAt(rig, "s"), requesterAt(rig, "s"), requesterAt(rig, "t")];
    for (const frame of [1, 2]) await a.get(frame, 60_000);
    expect((await a.get(3, 60_000)).answer?.kind).toBe("busy");
    await b.get(4, 60_000);
    expect((await b.get(5, 60_000)).answer?.kind).toBe("busy");
    expect((await other.get(6, 60_000)).answer?.kind).toBeUndefined();
    a.requester.close();
    expect((await b.get(7, 60_000)).answer?.kind).toBeUndefined();
    expect((await b.get(8, 60_000)).answer?.kind).toBe("busy");
  });

  test("go with their asker", async () => {
    const rig = serviceRig();
    const { get, requester, witness } = requesterAt(rig);
    await get(1, 60_000);
    requester.close();
    await requesterAt(rig).put(recordOf(1));
    expect(witness.answers.size).toBe(0);
    expect(rig.service.statistics()).toMatchObject({ waiting: 0, links: 1 });
  });
});

describe("limits", () => {
  test("askers are bounded in total and for a source, and have room when others leave", () => {
    const { service } = serviceRig({ limits: { linksMax: 3, linksPerSourceMax: 2 } });
    const open = (source: string) => service.open(source, new Witness());
    const first = open("a");
    expect([first, open("a")].every((requester) => requester !== undefined)).toBe(true);
    expect(open("a")).toBeUndefined();
    expect(open("b")).toBeDefined();
    expect(open("c")).toBeUndefined();
    first?.close();
    first?.close();
    expect(open("c")).toBeDefined();
    expect(open("d")).toBeUndefined();
  });

  test("a source has its own places again when one of its askers leaves", () => {
    const { service } = serviceRig({ limits: { linksPerSourceMax: 2 } });
    const open = () => service.open("a", new Witness());
    const [first] = [open(), open()];
    first?.close();
    expect([open() === undefined, open() === undefined]).toEqual([false, true]);
  });

  test("the life that is granted shrinks as the store fills", async () => {
    const limits = { ttlSecondsMax: 1_000, ttlSecondsMin: 100, sourceShare: 10 };
    const rig = serviceRig({ entriesMax: 10, limits });
    const { put } = requesterAt(rig);
    const granted: unknown[] = [];
    for (let frame = 0; frame < 10; frame++) {
      const answer = await put(recordOf(frame, { ttlSeconds: 99_999 }));
      granted.push(answer?.kind === "stored" ? answer.ttlSeconds : answer?.kind);
    }
    expect(granted).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 820, 640, 459, 280]);
    expect(rig.service.greeting().ttlSecondsMax).toBe(100);
  });

  test("a put without work is told how much is asked for, once the store fills", async () => {
    const rig = serviceRig({ entriesMax: 10, limits: { workBitsMax: 40, sourceShare: 10 } });
    const { put } = requesterAt(rig);
    const answers: (string | number | undefined)[] = [];
    for (let frame = 0; frame < 8; frame++) {
      const answer = await put(recordOf(frame));
      answers.push(answer?.kind === "work-required" ? answer.bits : answer?.kind);
    }
    expect(answers.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => "stored"));
    expect(answers.slice(6)).toEqual([8, 8]);
    expect(rig.service.greeting().workBits).toBe(8);
    expect((await put(recordOf(2)))?.kind).toBe("stored");
    expect(rig.service.statistics()).toMatchObject({ putsWithoutWork: 2, verified: 6 });
  });

  test("expired records are swept without anybody asking", async () => {
    const rig = serviceRig({ limits: { sweepMs: 1_000, sweepStep: 2 } });
    const { put } = requesterAt(rig);
    for (let frame = 0; frame < 7; frame++) await put(recordOf(frame, { ttlSeconds: 5 }));
    await put(recordOf(9, { ttlSeconds: 500 }));
    await rig.clock.runUntil(7_000);
    expect(rig.service.statistics()).toMatchObject({ swept: 7, store: { entries: 1 } });
  });
});

describe("failure", () => {
  const broken = (code: "CULVERT_FILE" | "CULVERT_FULL") =>
    Object.assign(
      new MemoryRecordStore({ payloadSize: PAYLOAD_SIZE, entriesMax: 10, bytesMax: 1e6 }),
      {
        put: () => Promise.reject(new CulvertError(code)),
        get: () => {
          throw new CulvertError(code);
        },
        sweep: () => Promise.reject(new CulvertError(code)),
      },
    );

  test("of the store is answered busy, counted, and never ok", async () => {
    const rig = serviceRig({ store: broken("CULVERT_FILE") });
    const { put, get } = requesterAt(rig);
    expect(await put(recordOf(1))).toEqual({ kind: "busy" });
    expect((await get(1, 60_000)).answer).toEqual({ kind: "busy" });
    await rig.clock.runUntil(3_000);
    expect(rig.service.statistics()).toMatchObject({ storeFailures: 2, putsStored: 0 });
  });

  test("for want of disk is answered full", async () => {
    const rig = serviceRig({ store: broken("CULVERT_FULL") });
    expect(await requesterAt(rig).put(recordOf(1))).toEqual({ kind: "full" });
  });
});

describe("closing", () => {
  test("answers what was taken, then lets every asker go and closes the store", async () => {
    const rig = serviceRig();
    const { requester, witness } = requesterAt(rig);
    requester.put(1, encodeRecord(recordOf(1)), NO_STAMP);
    requester.get(2, recordOf(2).address, 60_000);
    await rig.clock.runPromise(rig.service.close());
    expect(witness.kindOf(1)).toBe("stored");
    expect(witness.kindOf(2)).toBeUndefined();
    expect(witness.isClosed).toBe(true);
    expect(rig.service.open("a", new Witness())).toBeUndefined();
    requester.put(3, encodeRecord(recordOf(3)), NO_STAMP);
    requester.close();
    await expect(rig.store.put([], 0)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect(rig.clock.pending).toBe(0);
  });

  test("twice waits for the first", async () => {
    const rig = serviceRig();
    expect(rig.service.close()).toBe(rig.service.close());
    await rig.service.close();
  });

  test("takes nothing new meanwhile", async () => {
    const rig = serviceRig();
    const { requester, witness } = requesterAt(rig);
    requester.put(1, encodeRecord(recordOf(1)), NO_STAMP);
    const closing = rig.service.close();
    requester.put(2, encodeRecord(recordOf(2)), NO_STAMP);
    await rig.clock.runPromise(closing);
    expect(witness.kindOf(1)).toBe("stored");
    expect(witness.kindOf(2)).toBe("busy");
  });
});

test("receipts are the node's own", () => {
  expect(serviceRig().service.greeting().nodeKey).toEqual(NODE.publicKey);
});
