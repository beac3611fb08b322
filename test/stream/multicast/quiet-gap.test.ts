import { Broadcast, Subscription } from "culvert";
import { expect, it } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

const MINUTE_MS = 60_000;

it("a quiet reader finds a few frames of which the Map has lost the first", async () => {
  const { memory, at, clock, elapse } = place();
  let isForgetful = false;
  let lost = 0;
  const forgetful = new ForgetfulTransport(memory, () => isForgetful && lost++ < 3);
  const broadcast = new Broadcast(forgetful, at);
  const options = { ...at, onLag: "skip", gapLimitMs: MINUTE_MS } as const;
  const reader = new Listener(new Subscription(memory, broadcast.capability(), options));
  broadcast.write("some ");
  await clock.runUntil(clock.now() + 5 * MINUTE_MS);
  expect(reader.text).toBe("some ");
  isForgetful = true;
  broadcast.write("x".repeat(3 * reader.subscription.payloadSize));
  broadcast.write("y".repeat(3 * reader.subscription.payloadSize));
  await elapse(broadcast.sync());
  await clock.runUntil(clock.now() + 30 * MINUTE_MS);
  expect(reader.lags).toEqual([3]);
  expect(reader.text).toBe(`some ${"y".repeat(3 * reader.subscription.payloadSize)}`);
  lost = 0;
  broadcast.write("z".repeat(5 * reader.subscription.payloadSize));
  await elapse(broadcast.sync());
  await clock.runUntil(clock.now() + 120 * MINUTE_MS);
  expect(reader.lags).toEqual([3, 3]);
  expect(reader.subscription.progress().skippedFrames).toBe(6);
  await broadcast.halt();
});
