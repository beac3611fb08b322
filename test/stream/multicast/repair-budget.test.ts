import { Broadcast, generateCapability, Subscription } from "culvert";
import { expect, it } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

it("a reader's question is answered by so many frames, and no more", async () => {
  const { memory, at, clock, elapse } = place();
  const lost = new Set([3, 7, 8, 20]);
  const forgetful = new ForgetfulTransport(memory, (put) => lost.delete(put));
  const broadcast = new Broadcast(forgetful, { ...at, repairFramesMax: 2 });
  const [capability, repair] = [broadcast.capability(), generateCapability()];
  const text = "a word, ".repeat(400);
  broadcast.end(text);
  await elapse(broadcast.close());
  const reader = new Listener(new Subscription(memory, capability, { ...at, repair }));
  broadcast.addReader(repair.readCapability());
  await clock.runUntil(() => broadcast.progress().repairs > 0, 300_000);
  expect(broadcast.progress().repairs).toBe(2);
  await clock.runUntil(() => reader.isOver, 300_000);
  expect(reader.text).toBe(text);
  await broadcast.halt();
});
