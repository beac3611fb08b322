import { Broadcast, generateCapability, Subscription } from "culvert";
import { describe, expect, it } from "vitest";
import { place } from "./multicast-place.ts";

describe("a subscription without room", () => {
  it("rests while nobody reads it, though it may ask", async () => {
    const { transport, at, clock, elapse } = place();
    const repair = generateCapability();
    const broadcast = new Broadcast(transport, at);
    broadcast.addReader(repair.readCapability());
    const idle = { ...at, repair, readableHighWaterMark: 1, receiveFramesMax: 8 };
    const subscription = new Subscription(transport, broadcast.capability(), idle);
    broadcast.end("x".repeat(5_000));
    await elapse(broadcast.close());
    await clock.runUntil(clock.now() + 30_000);
    // Long enough for a question about the silence; a timer in the past would stop the clock.
    const until = clock.now() + 120_000;
    let timers = 0;
    for (; clock.deadline <= until && timers < 1_000; timers++) clock.step();
    expect(timers).toBeLessThan(100);
    await subscription.close();
    await broadcast.halt();
  });

  it("is told of the end when it reads on, though it has taken all before it", async () => {
    const { transport, at, clock, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    const subscription = new Subscription(transport, broadcast.capability(), at);
    broadcast.end("all");
    await elapse(broadcast.close());
    await clock.runUntil(() => subscription.readableLength === 3, 10_000);
    expect(`${subscription.read()}`).toBe("all");
    await clock.runUntil(clock.now() + 10_000);
    let isEnded = false;
    subscription.once("end", () => {
      isEnded = true;
    });
    subscription.resume();
    await clock.runUntil(clock.now() + 10_000);
    expect(isEnded).toBe(true);
    await broadcast.halt();
  });
});
