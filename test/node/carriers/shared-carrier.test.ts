import { expect, it } from "vitest";
import type { MapRecord, RecordCarrier, StoredReply } from "../../../src/mapservice/index.ts";
import { SharedCarrier } from "../../../src/node/carriers/shared-carrier.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { random, recordOf } from "./records.ts";

const clock = new VirtualClock();

/** Answers when it is told to, and counts. */
class SlowCarrier implements RecordCarrier {
  readonly payloadSize = 40;
  readonly signals: AbortSignal[] = [];
  answer: (reply: StoredReply) => void = () => {};
  puts = 0;
  gets = 0;

  put(_record: MapRecord, { signal }: { readonly signal?: AbortSignal } = {}) {
    this.puts += 1;
    if (signal !== undefined) this.signals.push(signal);
    return new Promise<StoredReply>((resolve) => {
      this.answer = resolve;
    });
  }

  async get(address: Uint8Array) {
    this.gets += 1;
    return recordOf(address);
  }
}

it("sends what is put twice at once, and asks anew afterwards", async () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow, clock);
  const record = recordOf(random.bytes(32));
  const both = [shared.put(record), shared.put({ ...record })];
  slow.answer({ ttlSeconds: 7 });
  expect(await Promise.all(both)).toEqual([{ ttlSeconds: 7 }, { ttlSeconds: 7 }]);
  expect(slow.puts).toBe(1);
  void shared.put(record);
  expect(slow.puts).toBe(2);
});

it("tells other bytes of one address apart", () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow, clock);
  const address = random.bytes(32);
  void shared.put(recordOf(address));
  void shared.put(recordOf(address));
  expect(slow.puts).toBe(2);
});

it("gives up when all have turned away, and not before", async () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow, clock);
  const record = recordOf(random.bytes(32));
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [first, second].map(({ signal }) => shared.put(record, { signal }));
  const ends = waits.map((wait) => expect(wait).rejects.toMatchObject({ name: "AbortError" }));
  first.abort();
  expect(slow.signals[0]?.aborted).toBe(false);
  second.abort();
  expect(slow.signals[0]?.aborted).toBe(true);
  await Promise.all(ends);
});

it("shares gets of one address", async () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow, clock);
  const address = random.bytes(32);
  const [a, b] = await Promise.all([shared.get(address), shared.get(address)]);
  expect(a).toBe(b);
  expect(slow.gets).toBe(1);
});

it("without a clock asks for nothing twice", async () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow);
  const record = recordOf(random.bytes(32));
  void shared.put(record);
  await clock.runUntil(clock.now() + 60_000);
  void shared.put(record);
  expect(slow.puts).toBe(1);
});

it("asks once more for what is asked for again when it is late, and no more often", async () => {
  const slow = new SlowCarrier();
  const shared = new SharedCarrier(slow, clock);
  const record = recordOf(random.bytes(32));
  const first = shared.put(record);
  const { answer: answerFirst } = slow;
  await clock.runUntil(clock.now() + 4_900);
  void shared.put(record);
  expect(slow.puts).toBe(1);
  await clock.runUntil(clock.now() + 200);
  const again = [shared.put(record), shared.put(record)];
  expect(slow.puts).toBe(2);
  slow.answer({ ttlSeconds: 8 });
  expect(await Promise.all(again)).toEqual([{ ttlSeconds: 8 }, { ttlSeconds: 8 }]);
  answerFirst({ ttlSeconds: 7 });
  expect(await first).toEqual({ ttlSeconds: 7 });
  // It is over: what comes now is the first again.
  void shared.put(record);
  void shared.put(record);
  expect(slow.puts).toBe(3);
});
