import { Broadcast, generateCapability, Subscription } from "culvert";
import { expect, it } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

/** More frames than a reader waits for beyond the next one, and than a single question is for. */
const LOST = { from: 5, to: 305 };

it("a reader has a long run of frames put again that it sees the end of from afar", async () => {
  const { memory, at, clock, elapse } = place();
  const forgetful = new ForgetfulTransport(memory, (put) => put > LOST.from && put <= LOST.to);
  const first = new Broadcast(forgetful, at);
  const repair = generateCapability();
  first.addReader(repair.readCapability());
  const text = "a word, ".repeat(6_500);
  first.write(text);
  await elapse(first.sync());
  expect(forgetful.puts).toBeGreaterThan(LOST.to + 16);
  const options = { ...at, repair };
  const reader = new Listener(new Subscription(memory, first.capabilityAtStart(), options));
  // While its writer is away, it looks around.
  const state = await first.save();
  await clock.runUntil(clock.now() + 180_000);
  const broadcast = await Broadcast.load(forgetful, state, at);
  await clock.runUntil(() => reader.isOver || reader.text.length === text.length, 3_600_000);
  expect(reader.error).toBeUndefined();
  expect(reader.text).toBe(text);
  expect(broadcast.progress().repairs).toBe(LOST.to - LOST.from);
  await broadcast.halt();
});
