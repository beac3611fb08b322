import { Broadcast, CulvertError, generateCapability, Subscription } from "culvert";
import type { Transport } from "culvert/transport";
import { expect, it } from "vitest";
import { ForgetfulTransport, Listener, place } from "./multicast-place.ts";

const RTT_MS = 5;

it("a question that is told that nothing is there is not repeated without end", async () => {
  const { memory, at, clock, elapse, pass } = place();
  const forgetful = new ForgetfulTransport(memory, (put) => put === 3);
  const broadcast = new Broadcast(forgetful, at);
  const [capability, repair] = [broadcast.capability(), generateCapability()];
  const text = "a word, ".repeat(400);
  broadcast.end(text);
  await elapse(broadcast.close());

  let [isMisplaced, questions] = [true, 0];
  const way: Transport = {
    payloadSize: memory.payloadSize,
    get: (...args) => memory.get(...args),
    put: async (...args) => {
      questions += 1;
      if (!isMisplaced) return await memory.put(...args);
      await new Promise<void>((resolve) => clock.schedule(clock.now() + RTT_MS, resolve));
      throw new CulvertError("CULVERT_NOT_FOUND", undefined, { remote: true });
    },
  };
  const reader = new Listener(new Subscription(way, capability, { ...at, repair }));
  await clock.runUntil(() => questions > 0, 300_000);
  await pass(60_000);
  expect(questions).toBeLessThan(300);
  isMisplaced = false;
  broadcast.addReader(repair.readCapability());
  await clock.runUntil(() => reader.isOver, 300_000);
  expect(reader.text).toBe(text);
  await broadcast.halt();
});
