import { Broadcast, generateCapability, Subscription } from "culvert";
import { expect, it } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

const MINUTE_MS = 60_000;

it("a writer that was away while questions expired hears those that are asked now", async () => {
  // Frames live for as long as they are kept: none is put again but for who asks.
  const { memory, at, clock, elapse, pass } = place();
  let isForgetful = false;
  let lost = 0;
  const forgetful = new ForgetfulTransport(memory, () => isForgetful && lost++ < 1);
  const broadcast = new Broadcast(forgetful, at);
  const capability = broadcast.capability();
  const repair = generateCapability();
  broadcast.addReader(repair.readCapability());
  isForgetful = true;
  const text = "a word, ".repeat(400);
  broadcast.write(text);
  await elapse(broadcast.sync());
  const state = await elapse(broadcast.save());
  const patient = { ...at, repair, ttlSeconds: 3_600, gapLimitMs: 86_400_000 };
  const reader = new Listener(new Subscription(memory, capability, patient));
  await pass(600 * MINUTE_MS);
  expect(reader.text).toBe("");
  const again = await Broadcast.load(memory, state, at);
  await clock.runUntil(() => reader.text === text, 120 * MINUTE_MS);
  expect(reader.text).toBe(text);
  expect(again.progress().repairs).toBe(1);
  await again.halt();
});
