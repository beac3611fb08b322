import { describe, expect, test } from "vitest";
import { MAP_LIMITS } from "../../../src/mapservice/index.ts";
import { SourceShares } from "../../../src/mapservice/service/source-shares.ts";
import { recordOf, requesterAt, serviceRig } from "../fixtures.ts";

describe("the share of a source", () => {
  test("a source alone fills half of the store; then all have their share", async () => {
    const rig = serviceRig({ entriesMax: 100, limits: { sourceShare: 1 / 4 } });
    const [greedy, other] = [requesterAt(rig, "greedy"), requesterAt(rig, "other")];
    for (let frame = 0; frame < 50; frame++) {
      expect((await greedy.put(recordOf(frame)))?.kind).toBe("stored");
    }
    expect((await greedy.put(recordOf(50)))?.kind).toBe("busy");
    expect((await greedy.put(recordOf(3)))?.kind).toBe("stored");
    for (let frame = 50; frame < 75; frame++) {
      expect((await other.put(recordOf(frame)))?.kind).toBe("stored");
    }
    expect((await other.put(recordOf(75)))?.kind).toBe("busy");
    expect((await requesterAt(rig, "third").put(recordOf(75)))?.kind).toBe("stored");
  });

  test("what is refused or a conflict costs a source nothing of its share", async () => {
    const rig = serviceRig({ entriesMax: 8, limits: { sourceShare: 1 / 4 } });
    const others = requesterAt(rig, "others");
    for (const frame of [11, 12, 13, 14]) await others.put(recordOf(frame));
    const { put } = requesterAt(rig);
    await put(recordOf(1));
    for (let i = 0; i < 5; i++) {
      await put({ ...recordOf(2), signature: recordOf(3).signature });
      await put(recordOf(1, { content: 10 + i }));
      await put(recordOf(11));
    }
    expect((await put(recordOf(2)))?.kind).toBe("stored");
    expect((await put(recordOf(3)))?.kind).toBe("busy");
  });

  test("a source has no more than its share by repeating what it has put", async () => {
    const limits = { sourceShare: 1 / 4, ttlSecondsMax: 1_000, ttlSecondsMin: 500 };
    const rig = serviceRig({ entriesMax: 100, limits });
    const { put } = requesterAt(rig, "greedy");
    let kept = 0;
    let most = 0;
    for (let step = 0; step < 60; step++) {
      await rig.clock.runUntil(step * 100_000);
      // New ones behind those that are there: what has been refused is tried again.
      for (let frame = 0; frame < kept; frame++) await put(recordOf(frame, { ttlSeconds: 1_000 }));
      while ((await put(recordOf(kept, { ttlSeconds: 1_000 })))?.kind === "stored") kept += 1;
      most = Math.max(most, rig.service.statistics().store.entries);
    }
    // Half of the store, which is anybody's, and its share.
    expect(most).toBeLessThanOrEqual(75);
  });

  test("a share is enough to keep as many records for as long as one likes", async () => {
    const limits = { sourceShare: 1 / 4, ttlSecondsMax: 1_000, ttlSecondsMin: 1_000 };
    const rig = serviceRig({ entriesMax: 100, limits });
    const askers = ["a", "b", "c"].map((source) => requesterAt(rig, source));
    for (let step = 0; step < 20; step++) {
      // As streams do: again while there is time.
      await rig.clock.runUntil(step * 700_000);
      for (let frame = 0; frame < 72; frame++) {
        const answer = await askers[frame % 3]?.put(recordOf(frame, { ttlSeconds: 1_000 }));
        expect(answer).toMatchObject({ kind: "stored", ttlSeconds: 1_000 });
      }
    }
  });

  test("a life for which nothing is left is told as it is; others cost what they add", async () => {
    const limits = { sourceShare: 1 / 4, ttlSecondsMax: 1_000, ttlSecondsMin: 1_000 };
    const rig = serviceRig({ entriesMax: 8, limits });
    const others = requesterAt(rig, "others");
    for (let frame = 0; frame < 4; frame++) await others.put(recordOf(frame));
    const { put } = requesterAt(rig);
    for (const frame of [10, 11]) await put(recordOf(frame, { ttlSeconds: 500 }));
    expect(await put(recordOf(10))).toMatchObject({ kind: "stored", ttlSeconds: 500 });
    // A quarter of a record has come back: half of what would have both live on to the end.
    await rig.clock.runUntil(125_000);
    expect(await put(recordOf(10, { ttlSeconds: 625 }))).toMatchObject({ ttlSeconds: 625 });
    expect(await put(recordOf(11, { ttlSeconds: 625 }))).toMatchObject({ ttlSeconds: 375 });
  });

  test("is one record at the least, however small the store is", () => {
    const shares = new SourceShares(2, { ...MAP_LIMITS, ttlSecondsMax: 1_000 });
    const takesAt = (now: number): boolean => shares.takeRecord("a", now) !== undefined;
    expect([takesAt(0), takesAt(999_000), takesAt(1_000_000)]).toEqual([true, false, true]);
  });
});
