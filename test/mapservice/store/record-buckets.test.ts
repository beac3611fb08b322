import { describe, expect, it } from "vitest";
import { RecordBuckets } from "../../../src/mapservice/store/record-buckets.ts";

describe("the buckets of records", () => {
  it("number their records one after the other, each bucket for itself", () => {
    const buckets = new RecordBuckets();
    expect([1, 1, 2, 1].map((bucket) => buckets.nextSerial(bucket, 1))).toEqual([0, 1, 0, 2]);
  });

  it("begin a value at a multiple of the records that it has room for", () => {
    const buckets = new RecordBuckets();
    const steps = [4, 1, 1, 4, 4, 1];
    expect(steps.map((step) => buckets.nextSerial(1, step))).toEqual([0, 1, 2, 4, 8, 9]);
  });

  it("are over in the order of their expiry, whenever they were begun", () => {
    const buckets = new RecordBuckets();
    for (const bucket of [30, 10, 20, 10]) buckets.nextSerial(bucket, 1);
    const order: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      order.push(buckets.first);
      buckets.dropFirst();
    }
    expect(order).toEqual([10, 20, 30, undefined]);
  });

  it("number anew what is begun again, as where a clock was set back", () => {
    const buckets = new RecordBuckets();
    buckets.nextSerial(10, 1);
    buckets.nextSerial(10, 1);
    buckets.dropFirst();
    expect(buckets.first).toBeUndefined();
    expect(buckets.nextSerial(10, 1)).toBe(0);
    expect(buckets.first).toBe(10);
  });

  it("go on with what was found on disk, and forget what was there", () => {
    const buckets = new RecordBuckets();
    buckets.nextSerial(5, 1);
    buckets.reset(
      new Map([
        [20, 7],
        [10, 3],
      ]),
    );
    expect(buckets.first).toBe(10);
    expect(buckets.nextSerial(10, 1)).toBe(3);
    expect(buckets.nextSerial(20, 4)).toBe(8);
    expect(buckets.nextSerial(5, 1)).toBe(0);
    expect(buckets.first).toBe(5);
  });
});
