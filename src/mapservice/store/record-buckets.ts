import { Heap } from "../../base/index.ts";

/** The buckets of expiry that have records, and the next serial of each. */
export class RecordBuckets {
  readonly #serials = new Map<number, number>();
  readonly #order = new Heap<number>((a, b) => a < b);

  /** The bucket that is over first, of those that have records. */
  get first(): number | undefined {
    return this.#order.peek();
  }

  /** A serial for one more record of a bucket: the next one that is a multiple of `step`. */
  nextSerial(bucket: number, step: number): number {
    const next = this.#serials.get(bucket) ?? 0;
    if (next === 0) this.#order.push(bucket);
    const serial = step * Math.ceil(next / step);
    this.#serials.set(bucket, serial + 1);
    return serial;
  }

  /** The first bucket has no records any more. */
  dropFirst(): void {
    const first = this.#order.pop();
    if (first !== undefined) this.#serials.delete(first);
  }

  /** Begins anew with these buckets, and the next serial of each. */
  reset(serials: ReadonlyMap<number, number>): void {
    this.#serials.clear();
    this.#order.clear();
    for (const [bucket, next] of serials) {
      this.#serials.set(bucket, next);
      this.#order.push(bucket);
    }
  }
}
