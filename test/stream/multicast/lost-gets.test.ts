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

it("looks around as quickly where some answers are lost and others say no", async () => {
  const { memory, at, clock, capability } = await withoutItsBeginning();
  let looks = 0;
  const way = losing(memory, (_, { waitMs }) => waitMs === 0 && looks++ % 2 === 0);
  const reader = new Listener(new Subscription(way, capability, { ...at, onLag: "skip" }));
  await clock.runUntil(() => reader.isEnded, 60_000 + 600_000 + 300_000);
  expect(reader.lags).toEqual([20]);
});
