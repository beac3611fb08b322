import { describe, expect, test } from "vitest";
import {
  encodeRecord,
  type MapRecord,
  MemoryRecordStore,
  storeOver,
} from "../../../src/mapservice/index.ts";
import { NO_STAMP } from "../../../src/mapservice/record/work-stamp.ts";
import { addressOf, PAYLOAD_SIZE, recordOf, serviceRig, Witness } from "../fixtures.ts";
import { Rig, STORED, UNIX_MS } from "../map-core-rig.ts";

/** Two puts are as much as may be on its way to the store. */
const LIMITS = { committingBytesMax: 250, storeMsMax: 8_000 };

/** A core with a durable write that hangs, and more puts behind it than there is room for. */
function hanging(): Rig {
  const rig = new Rig(LIMITS);
  rig.open(2);
  for (let i = 0; i < 5; i++) rig.put(i, recordOf(i));
  rig.turn();
  expect(saidBy(rig)).toEqual(["turn", "commit:2"]);
  return rig;
}

/** Without the sweeps, which are none of these tests' business. */
const saidBy = (rig: Rig) => rig.said().filter((kind) => kind !== "sweep");
const kindsOf = (rig: Rig, ending: string) => rig.said().filter((kind) => kind.endsWith(ending));

describe("a durable write that hangs", () => {
  test("stops no gets, of whoever puts either", () => {
    const rig = hanging();
    rig.get(20, 20, 0, 2);
    rig.get(21, 21);
    expect(saidBy(rig)).toEqual(["turn"]);
    rig.turn();
    rig.turn();
    expect(kindsOf(rig, "lookup")).toHaveLength(2);
    rig.lookedUp(20, recordOf(20));
    expect(saidBy(rig)).toEqual(["20:found"]);
  });

  test("costs no turns while there is nothing but puts", () => {
    const rig = hanging();
    rig.put(9, recordOf(9), 2);
    rig.get(20, 20, 0, 2);
    rig.said();
    rig.turn();
    expect(saidBy(rig)).toEqual(["lookup"]);
  });

  test("is told busy after a while, as is all that waits for it", () => {
    const rig = hanging();
    rig.timeout(7_999);
    expect(saidBy(rig)).toEqual([]);
    rig.timeout(8_000);
    expect(saidBy(rig)).toEqual(["hung", "0:busy", "1:busy", "turn"]);
    rig.turn();
    expect(saidBy(rig)).toEqual(["2:busy", "3:busy", "4:busy"]);
    expect(rig.core.statistics).toMatchObject({ putsBusy: 5, storeFailures: 1 });
  });

  test("lets no more puts pile up, verified or not", () => {
    const rig = new Rig(LIMITS, { verifiesAside: true });
    rig.put(1, recordOf(1));
    rig.turn();
    rig.verified(1);
    rig.put(2, recordOf(2));
    rig.put(3, recordOf(3));
    rig.turn();
    rig.verified(2);
    rig.timeout(8_000);
    expect(kindsOf(rig, "busy")).toEqual(["1:busy", "2:busy"]);
    rig.verified(3);
    rig.put(4, recordOf(4));
    rig.turn();
    expect(saidBy(rig)).toEqual(["3:busy", "turn", "4:busy"]);
  });

  test("gives back the room and the share of what was waiting behind it", () => {
    // A share of two records.
    const rig = new Rig({ ...LIMITS, sourceShare: 2 / 1_000 }, { verifiesAside: true });
    const putAndVerify = (id: number): void => {
      rig.put(id, recordOf(id));
      rig.core.handle({ kind: "turn", unixMs: UNIX_MS, fill: 1 / 2 }, 0);
      rig.drain();
      if (rig.effects.some(({ kind }) => kind === "verify")) rig.verified(id);
    };
    putAndVerify(1);
    putAndVerify(2);
    rig.timeout(8_000);
    rig.committed(undefined);
    rig.said();
    putAndVerify(3);
    expect(saidBy(rig)).toEqual(["turn", "verify:3", "commit:1"]);
    putAndVerify(4);
    expect(saidBy(rig)).toEqual(["turn", "verify:4"]);
  });

  test("costs nothing of a share that a life was asked for meanwhile", () => {
    const rig = new Rig({ ...LIMITS, sourceShare: 3 / 1_000 });
    const put = (id: number, record: MapRecord): string[] => {
      rig.put(id, record);
      rig.core.handle({ kind: "turn", unixMs: UNIX_MS, fill: 1 / 2 }, 0);
      rig.drain();
      return saidBy(rig);
    };
    put(1, recordOf(1));
    rig.committed([STORED]);
    put(2, recordOf(2));
    rig.timeout(8_000);
    expect(put(3, recordOf(1, { ttlSeconds: 604_800 }))).toContain("3:busy");
    rig.committed(undefined);
    for (const id of [4, 5]) {
      expect(put(id, recordOf(id))).toContain("commit:1");
      rig.committed([STORED]);
    }
  });

  test("takes no put that is known either, where that needs a receipt", () => {
    const rig = new Rig(LIMITS);
    rig.get(1, 1);
    rig.turn();
    rig.lookedUp(1, recordOf(1));
    rig.put(2, recordOf(2));
    rig.turn();
    rig.timeout(8_000);
    rig.said();
    rig.put(3, recordOf(1, { ttlSeconds: 1 }));
    rig.turn();
    expect(saidBy(rig)).toEqual(["turn", "3:busy"]);
  });

  test("takes no longer life for what is kept either, and has no longer one to tell of", () => {
    const rig = new Rig(LIMITS);
    rig.put(1, recordOf(1));
    rig.turn();
    rig.committed([STORED]);
    rig.put(2, recordOf(2));
    rig.turn();
    rig.timeout(8_000);
    rig.said();
    rig.put(3, recordOf(1));
    rig.put(4, recordOf(1, { ttlSeconds: 50 }));
    rig.turn();
    expect(saidBy(rig)).toEqual(["turn", "3:busy", "4:stored"]);
  });

  test("ends: what it stored is found, and puts are taken again", () => {
    const rig = hanging();
    rig.get(20, 0, 60_000, 2);
    rig.turn();
    rig.lookedUp(0);
    rig.timeout(8_000);
    rig.turn();
    rig.said();
    rig.committed([STORED, STORED]);
    expect(saidBy(rig)).toEqual(["20:found"]);
    rig.put(6, recordOf(0, { ttlSeconds: 50 }));
    rig.put(7, recordOf(7));
    rig.turn();
    expect(saidBy(rig)).toEqual(["turn", "6:stored", "commit:1"]);
    rig.committed([STORED]);
    expect(saidBy(rig)).toEqual(["7:stored"]);
    expect(rig.core.statistics).toMatchObject({ putsBusy: 5, putsStored: 1, putsKnown: 1 });
    expect(rig.core.isIdle).toBe(true);
  });

  test("ends by failing: puts are taken again", () => {
    const rig = hanging();
    rig.timeout(8_000);
    rig.turn();
    rig.said();
    rig.committed(undefined);
    expect(saidBy(rig)).toEqual([]);
    expect(rig.core.statistics).toMatchObject({ storeFailures: 1 });
    rig.put(7, recordOf(7));
    rig.turn();
    expect(saidBy(rig)).toEqual(["turn", "commit:1"]);
  });
});

describe("a read that hangs", () => {
  test("is told busy after a while, also to who does not wait", () => {
    const rig = new Rig({ storeMsMax: 8_000 });
    rig.get(1, 1);
    rig.turn();
    rig.said();
    rig.timeout(4_000);
    expect(saidBy(rig)).toEqual([]);
    rig.timeout(8_000);
    expect(saidBy(rig)).toEqual(["1:busy"]);
    rig.lookedUp(1, recordOf(1));
    rig.get(2, 1);
    rig.turn();
    expect(saidBy(rig)).toEqual(["turn", "2:found"]);
  });

  test("leaves those in peace who wait for a put", () => {
    const rig = new Rig({ storeMsMax: 8_000 });
    rig.get(1, 1, 60_000);
    rig.turn();
    rig.said();
    for (const at of [4_000, 8_000, 12_000]) rig.timeout(at);
    expect(saidBy(rig)).toEqual([]);
    rig.put(2, recordOf(1));
    rig.turn();
    rig.committed([STORED]);
    expect(saidBy(rig)).toEqual(["turn", "commit:1", "2:stored", "1:found"]);
  });
});

describe("a service whose disk hangs", () => {
  /** A store whose writes wait for `release`. */
  function hangingStore() {
    const inner = new MemoryRecordStore({
      ...{ payloadSize: PAYLOAD_SIZE, entriesMax: 1_000, bytesMax: 1e6 },
    });
    let release = (): void => {};
    let gate: Promise<void> | undefined;
    const store = storeOver(inner, {
      put: async (puts, nowMs) => {
        await gate;
        return await inner.put(puts, nowMs);
      },
      close: async () => {
        await gate;
        await inner.close();
      },
    });
    const hang = (): void => {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    };
    return { store, hang, release: () => release() };
  }

  test("serves what it has, refuses puts, and goes on when it is back", async () => {
    const { store, hang, release } = hangingStore();
    const rig = serviceRig({ store, limits: { ...LIMITS, recentBytesMax: 1 } });
    const witness = new Witness();
    const requester = rig.service.open("a", witness);
    const put = (frame: number): void =>
      requester?.put(frame, encodeRecord(recordOf(frame)), NO_STAMP);
    put(0);
    await rig.clock.runUntil(10);
    hang();
    for (let i = 1; i < 20; i++) put(i);
    requester?.get(100, addressOf(0), 0);
    await rig.clock.runUntil(20);
    expect(witness.kindOf(100)).toBe("found");
    await rig.clock.runUntil(9_000);
    expect(Array.from({ length: 19 }, (_, i) => witness.kindOf(i + 1))).toEqual(
      Array.from({ length: 19 }, () => "busy"),
    );
    release();
    await rig.clock.runUntil(9_010);
    requester?.get(101, addressOf(1), 0);
    requester?.put(102, encodeRecord(recordOf(50)), NO_STAMP);
    await rig.clock.runUntil(9_020);
    expect([witness.kindOf(101), witness.kindOf(102)]).toEqual(["found", "stored"]);
    await rig.clock.runPromise(rig.service.close());
  });

  test("lets go of a store that does not close, and says so", async () => {
    const { store, hang, release } = hangingStore();
    const rig = serviceRig({ store, limits: LIMITS });
    const witness = new Witness();
    const requester = rig.service.open("a", witness);
    hang();
    requester?.put(1, encodeRecord(recordOf(1)), NO_STAMP);
    await rig.clock.runUntil(10);
    const closing = rig.service.close();
    expect(rig.service.close()).toBe(closing);
    const outcome = closing.then(
      () => "closed",
      (error: unknown) => error,
    );
    expect(await rig.clock.runPromise(outcome, 60_000)).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([witness.kindOf(1), witness.isClosed]).toEqual(["busy", true]);
    // It goes on after all.
    release();
    await rig.clock.runUntil(rig.clock.now() + 1_000);
    await expect(store.put([], 0)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  });
});
