import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

it("puts again what another Map had though what this one has is refreshed always", async () => {
  const clock = new VirtualClock();
  const secret = generateSecret();
  const wayTo = (ttlSecondsMax: number): Transport => {
    const map = new MemoryTransport({ clock, payloadSize: 120, ttlSecondsMax });
    onTestFinished(() => map.close());
    return new LossyTransport(map, { clock, rttMs: 10_000 });
  };
  const [lasting, brief] = [wayTo(604_800), wayTo(120)];
  const writer = Stream.listen(lasting, secret, { clock, noDelay: true });
  const reader = Stream.dial(lasting, secret, { clock });
  let text = "";
  reader.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const write = async (...bytes: number[]): Promise<void> => {
    writer.write(Uint8Array.from(bytes));
    await clock.runUntil(clock.now() + 2_000);
  };
  // Its reader gets the first frame, which is of no use to it without the next one.
  const [first = 0, ...rest] = Buffer.from("€");
  await write(first);
  await clock.runUntil(() => reader.progress().deliveredBytes === 1, 60_000);
  reader.setTransport(brief);
  // Until what it had asked the first Map for has been answered.
  await clock.runUntil(clock.now() + 120_000);
  await write(...rest);
  for (let i = 0; i < 40; i++) await write(111);
  await clock.runUntil(() => writer.progress().isAllStored, 60_000);
  writer.setTransport(brief);
  // It sees none of these before the others.
  for (let i = 0; i < 60; i++) await write(110);
  await clock.runUntil(clock.now() + 6 * 3_600_000);
  expect(text).toHaveLength(101);
  await Promise.all([writer.halt(), reader.halt()]);
});
