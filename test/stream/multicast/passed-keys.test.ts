import { Broadcast, Subscription } from "culvert";
import { ReadCapability } from "culvert/mapservice";
import { describe, expect, it } from "vitest";
import { statesFrom, watchChains } from "../watch-chains.ts";
import { place } from "./multicast-place.ts";

describe("a broadcast has no key of a frame that it has given up", () => {
  it.each(["begun", "loaded"])("when it was %s", async (how) => {
    const { transport, at, clock, elapse } = place();
    const options = { ...at, retainFrames: 2 };
    const state = await new Broadcast(transport, options).save();
    const kept = watchChains();
    const broadcast =
      how === "begun"
        ? new Broadcast(transport, options)
        : await Broadcast.load(transport, state, options);
    const first = broadcast.capabilityAtStart();
    const states = statesFrom(first.chain.toBytes(), 30);
    expect(await kept()).toContain(states[0]);
    broadcast.write("x".repeat(3_000));
    await elapse(broadcast.sync());
    await clock.runUntil(clock.now() + 10_000);
    const oldest = broadcast.capabilityAtStart().index;
    expect(oldest).toBeGreaterThan(first.index);
    first.chain.wipe();
    const passed = states.slice(0, Number(oldest - first.index));
    expect((await kept()).filter((state) => passed.includes(state))).toEqual([]);
    await broadcast.halt();
  });
});

it("a subscription has no key of a frame that was taken", async () => {
  const { transport, at, clock, elapse } = place();
  const broadcast = new Broadcast(transport, at);
  const capability = broadcast.capabilityAtStart().toBytes();
  const given = ReadCapability.fromBytes(capability).chain;
  const passed = statesFrom(given.toBytes(), 3);
  const kept = watchChains();
  const reader = new Subscription(transport, capability, at);
  expect(await kept()).toContain(passed[0]);
  reader.resume();
  broadcast.write("x".repeat(3_000));
  await elapse(broadcast.sync());
  await clock.runUntil(() => reader.progress().deliveredBytes === 3_000, 600_000);
  const state = await reader.save();
  const again = await Subscription.load(transport, state, at);
  again.resume();
  broadcast.write("x".repeat(3_000));
  await elapse(broadcast.sync());
  await clock.runUntil(() => again.progress().deliveredBytes === 6_000, 600_000);
  expect((await kept()).filter((state) => passed.includes(state))).toEqual([]);
  await Promise.all([again.halt(), broadcast.halt()]);
});
