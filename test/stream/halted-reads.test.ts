import { Broadcast, generateSecret, Stream, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 60_000);
  return { clock, map, run };
}

/** What a reader gives that is halted in the moment in which its application begins to read. */
async function halted(
  reader: Stream | Subscription,
  { clock, run }: ReturnType<typeof place>,
): Promise<{ readonly text: string; readonly state: Uint8Array }> {
  await clock.runUntil(() => reader.readableLength === 5, 60_000);
  let text = "";
  reader.on("data", (piece: Uint8Array) => {
    text += piece;
  });
  const saving = reader.save();
  text += reader.read() ?? "";
  return { state: await run(saving), text };
}

it("a stream gives nothing when it is halted, and the next session gives all of it", async () => {
  const here = place();
  const { clock, map, run } = here;
  const secret = generateSecret();
  const writer = Stream.listen(map, secret, { clock });
  writer.write("hello");
  const { text, state } = await halted(Stream.dial(map, secret, { clock }), here);
  const again = await Stream.load(map, state, { clock });
  const rest = again[Symbol.asyncIterator]().next();
  expect([text, String((await run(rest)).value)]).toEqual(["", "hello"]);
  await Promise.all([writer.halt(), again.halt()]);
});

it("nor does a subscription", async () => {
  const here = place();
  const { clock, map, run } = here;
  const writer = new Broadcast(map, { clock });
  const reader = new Subscription(map, writer.capability(), { clock });
  writer.write("hello");
  const { text, state } = await halted(reader, here);
  const again = await Subscription.load(map, state, { clock });
  const rest = again[Symbol.asyncIterator]().next();
  expect([text, String((await run(rest)).value)]).toEqual(["", "hello"]);
  await Promise.all([writer.halt(), again.halt()]);
});
