import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

it("what its reader has, without a receipt, is not said to have left the Map", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  const secret = generateSecret();
  // The Map has what it is given, and its answers are lost but for the first.
  let answers = 1;
  const deaf: Transport = {
    payloadSize: map.payloadSize,
    put: async (frameId, cell, options) => {
      const receipt = await map.put(frameId, cell, options);
      answers -= 1;
      return answers >= 0 ? receipt : await new Promise(() => {});
    },
    get: (frameId, options) => map.get(frameId, options),
  };
  const writer = Stream.listen(deaf, secret, { clock, noDelay: true });
  writer.resume();
  const reader = Stream.dial(map, secret, { clock, confirm: "manual", noDelay: true });
  onTestFinished(() => reader.halt());
  reader.on("data", () => {});
  const size = writer.payloadSize;
  writer.write(new Uint8Array(4 * size));
  await pass(50);
  // What it has to say of them travels on its data, twice, before an acknowledgement does.
  reader.write("I have");
  await pass(5);
  reader.confirm(size);
  reader.write("some");
  await pass(5);
  const { storedBytes, acknowledgedBytes } = writer.progress();
  expect([storedBytes, acknowledgedBytes]).toEqual([4 * size, size - 1]);
  const again = await Stream.load(deaf, await writer.save(), { clock });
  onTestFinished(() => again.halt());
  const warnings: string[] = [];
  again.on("warning", ({ code }) => warnings.push(code));
  await pass(0);
  expect([warnings, again.progress().storedBytes]).toEqual([[], storedBytes]);
  again.setTransport(map);
  await pass(60_000);
  expect([warnings, again.progress().isAllStored]).toEqual([[], true]);
});
