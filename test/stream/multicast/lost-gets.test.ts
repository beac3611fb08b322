import { Broadcast, Subscription } from "culvert";
import { type GetOptions, LossyTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

/** The way to a Map from which some gets bring nothing, as if they had been lost. */
function losing(
  inner: Transport,
  isLost: (get: number, options: GetOptions) => boolean,
): Transport {
  let gets = 0;
  return {
    payloadSize: inner.payloadSize,
    put: (id, cell, options) => inner.put(id, cell, options),
    get: (id, options = {}) => {
      gets += 1;
      return isLost(gets, options) ? new Promise(() => {}) : inner.get(id, options);
    },
  };
}

/** A broadcast that is over, and whose first twenty frames the Map has forgotten. */
async function withoutItsBeginning() {
  const { memory, at, clock, elapse } = place();
  const broadcast = new Broadcast(new ForgetfulTransport(memory, (put) => put <= 20), at);
  onTestFinished(() => broadcast.halt());
  const capability = broadcast.capability();
  broadcast.end(Buffer.alloc(4_000));
  await elapse(broadcast.close());
  return { memory, at, clock, capability };
}

it("asks often over a slow way, and hears the answers", async () => {
  const { memory, at, clock } = place();
  const slow = new LossyTransport(memory, { rttMs: 3_000, ...at });
  const broadcast = new Broadcast(memory, at);
  onTestFinished(() => broadcast.halt());
  const capability = broadcast.capability();
  const reader = new Listener(new Subscription(slow, capability, { ...at, quietAskMsMax: 100 }));
  await clock.runUntil(120_000);
  broadcast.end("hello");
  await clock.runUntil(() => reader.isEnded, 60_000);
  expect(reader.text).toBe("hello");
});

it("asks often for what is missing over a slow way, and hears the answers", async () => {
  const { memory, at, clock } = place();
  const slow = new LossyTransport(memory, { rttMs: 20_000, ...at });
  const broadcast = new Broadcast(memory, at);
  onTestFinished(() => broadcast.halt());
  const capability = broadcast.capability();
  broadcast.end(Buffer.alloc(10 * 128));
  const way = losing(slow, (get) => get === 1);
  const reader = new Listener(new Subscription(way, capability, { ...at, quietAskMsMax: 200 }));
  await clock.runUntil(() => reader.isOver, 3_600_000);
  expect(reader.error).toBeUndefined();
});

it("knows that the Map is there when only the gets for the next frame are answered", async () => {
  const { memory, at, clock, capability } = await withoutItsBeginning();
  const way = losing(memory, (get, { waitMs }) => get > 1 && get <= 16 && waitMs !== 0);
  const reader = new Listener(new Subscription(way, capability, { ...at, onLag: "skip" }));
  await clock.runUntil(() => reader.isEnded, 7_200_000);
  expect(reader.lags).toEqual([20]);
});

it("asks for what is missing as long as it may come, however rare its questions are", async () => {
  const { memory, at, clock, elapse } = place();
  const broadcast = new Broadcast(memory, at);
  onTestFinished(() => broadcast.halt());
  const capability = broadcast.capability();
  let isAway = false;
  const way = losing(memory, (_, { waitMs }) => isAway && waitMs !== 0);
  const rarely = { quietAskMsMax: 3_600_000, gapLimitMs: 60_000 };
  const reader = new Listener(new Subscription(way, capability, { ...at, ...rarely }));
  broadcast.write("hello, ");
  await clock.runUntil(() => reader.text !== "", 60_000);
  isAway = true;
  await clock.runUntil(535_000);
  broadcast.end("everybody");
  await elapse(broadcast.close());
  isAway = false;
  await clock.runUntil(() => reader.isOver, 86_400_000);
  expect(reader).toMatchObject({ text: "hello, everybody", error: undefined });
});

it.each([{ paceMeanMs: 60_000 }, { paceMeanMs: 20, window: 2, gapLimitMs: 30_000 }])(
  "asks again in time for a frame whose get was lost: %o",
  async (options) => {
    const { memory, at, clock } = place();
    const broadcast = new Broadcast(memory, { ...at, retainFrames: 2_000 });
    onTestFinished(() => broadcast.halt());
    const capability = broadcast.capability();
    broadcast.end(Buffer.alloc(60 * 128));
    const slow = new LossyTransport(memory, { rttMs: 3_000, ...at });
    const way = losing(slow, (get) => get === 3);
    const reader = new Listener(new Subscription(way, capability, { ...at, ...options }));
    await clock.runUntil(() => reader.isOver, 86_400_000);
    expect(reader.error).toBeUndefined();
  },
);

it("asks eight times for what is missing, however long an answer takes", async () => {
  const { memory, at, clock } = place();
  const broadcast = new Broadcast(memory, at);
  onTestFinished(() => broadcast.halt());
  const capability = broadcast.capability();
  broadcast.end(Buffer.alloc(60 * 128));
  const slow = new LossyTransport(memory, { rttMs: 3_000, ...at });
  const asks: number[] = [];
  const ids: string[] = [];
  const way: Transport = {
    payloadSize: slow.payloadSize,
    put: (id, cell, options) => slow.put(id, cell, options),
    get: (id, options) => {
      const name = Buffer.from(id).toString("hex");
      const frame = ids.includes(name) ? ids.indexOf(name) : ids.push(name) - 1;
      asks[frame] = (asks[frame] ?? 0) + 1;
      const isLost = frame === 2 && asks[frame] < 8;
      return isLost ? new Promise(() => {}) : slow.get(id, options);
    },
  };
  const slowly = { rtoInitialMs: 10_000, paceMeanMs: 20, window: 2 };
  const options = { ...at, ...slowly, gapLimitMs: 30_000 };
  const reader = new Listener(new Subscription(way, capability, options));
  await clock.runUntil(() => reader.isOver, 3_600_000);
  expect(reader.error).toBeUndefined();
  expect(asks[2]).toBe(8);
});

it("looks around as quickly where some answers are lost and others say no", async () => {
  const { memory, at, clock, capability } = await withoutItsBeginning();
  let looks = 0;
  const way = losing(memory, (_, { waitMs }) => waitMs === 0 && looks++ % 2 === 0);
  const reader = new Listener(new Subscription(way, capability, { ...at, onLag: "skip" }));
  await clock.runUntil(() => reader.isEnded, 60_000 + 600_000 + 300_000);
  expect(reader.lags).toEqual([20]);
});
