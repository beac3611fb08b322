import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { Broadcast, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { virtualPair } from "./virtual-pair.ts";

/** More than gets that are under way from the beginning. */
const ROUNDS = 100;

it("tells of all that comes in the context in which it was opened, as a socket does", async () => {
  const context = new AsyncLocalStorage<string>();
  const { a, b, elapse } = await context.run("opens", () => virtualPair());
  const heard = new Set<unknown>();
  for (const event of ["data", "end", "acknowledged"]) {
    a.on(event, () => heard.add(context.getStore()));
  }
  b.resume();
  for (let round = 0; round < ROUNDS; round++) {
    context.run("asks", () => a.write("question"));
    await elapse(once(b, "data"));
    b.write("answer");
    await elapse(once(a, "data"));
  }
  const ended = once(a, "end");
  b.end();
  await elapse(ended);
  context.run("asks", () => a.end());
  await elapse(a.sync());
  expect(heard).toEqual(new Set(["opens"]));
});

it("does so of a broadcast and of who follows it", async () => {
  const context = new AsyncLocalStorage<string>();
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const heard = new Set<unknown>();
  const note = (): void => void heard.add(context.getStore());
  const broadcast = context.run("opens", () => new Broadcast(map, { clock }));
  const capability = broadcast.capability();
  const reader = context.run("opens", () => new Subscription(map, capability, { clock }));
  broadcast.on("stored", note);
  reader.on("data", note).on("end", note);
  for (let round = 0; round < ROUNDS; round++) {
    context.run("tells", () => broadcast.write("news"));
    await clock.runPromise(once(reader, "data"), 60_000);
  }
  const ended = once(reader, "end");
  context.run("tells", () => broadcast.end());
  await clock.runPromise(ended, 60_000);
  await clock.runPromise(broadcast.sync(), 60_000);
  expect(heard).toEqual(new Set(["opens"]));
  await Promise.all([broadcast.halt(), reader.close()]);
});
