import { describe, expect, test } from "vitest";
import { MAP_LIMITS, type MapLimits } from "../../../src/mapservice/index.ts";
import { FairQueue } from "../../../src/mapservice/service/fair-queue.ts";

const RECORD_BYTES = 100;

/** A queue of two askers, and hands to fill it. */
function queueOf(limits: Partial<MapLimits> = {}) {
  const queue = new FairQueue({ ...MAP_LIMITS, ...limits }, RECORD_BYTES);
  for (const asker of [1, 2]) queue.open(asker, `source ${asker}`, 0);
  const put = (asker: number, request: number): boolean =>
    queue.push({
      ...{ kind: "put", asker, request, stamp: new Uint8Array(8) },
      record: new Uint8Array(RECORD_BYTES),
    });
  const get = (asker: number, request: number): boolean =>
    queue.push({ kind: "get", asker, request, address: new Uint8Array(32), waitMs: 0 });
  const take = (now: number): number | undefined => queue.take(now, true)?.request;
  return { queue, put, get, take };
}

describe("a fair queue", () => {
  test("serves gets and puts in turn", () => {
    const { put, get, take } = queueOf();
    for (let request = 0; request < 3; request++) put(1, request);
    for (let request = 10; request < 13; request++) get(2, request);
    expect(Array.from({ length: 6 }, () => take(0))).toEqual([0, 10, 1, 11, 2, 12]);
  });

  test("has an asker wait for its bytes, not only for the number of its requests", () => {
    const { queue, put, take } = queueOf({ bytesPerSecond: RECORD_BYTES, bytesBurst: 200 });
    for (let request = 0; request < 3; request++) put(1, request);
    expect([take(0), take(0), take(0), queue.deadline()]).toEqual([0, 1, undefined, 1_000]);
    queue.resume(1_000);
    expect(take(1_000)).toBe(2);
  });

  test("has nothing any more of who leaves while he waits for his bucket", () => {
    const { queue, put, get, take } = queueOf({ requestsPerSecond: 1, requestsBurst: 1 });
    for (const ask of [put, get]) for (const request of [1, 2]) ask(1, request);
    expect([take(0), take(0)]).toEqual([1, undefined]);
    queue.close(1);
    queue.resume(10_000);
    expect([queue.isReady(true), queue.isEmpty, take(10_000)]).toEqual([false, true, undefined]);
  });
});
