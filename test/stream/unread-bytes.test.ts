import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const HOUR_MS = 3_600_000;

/** A writer, and a reader that is there. */
function place(
  given: { unacknowledgedFramesMax?: number } = {},
  ofReader: { creditFrames?: number } = {},
) {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const secret = generateSecret();
  const writer = Stream.dial(map, secret, { clock, ...given });
  const reader = Stream.listen(map, secret, { clock, ...ofReader });
  onTestFinished(async () => void (await Promise.all([writer.halt(), reader.halt()])));
  return { clock, writer, reader };
}

it("cost a writer few probes, although the reader answers each of them", async () => {
  const { clock, writer, reader } = place();
  writer.write("nobody reads this for an hour");
  await clock.runUntil(HOUR_MS);
  expect(writer.progress().puts).toBeLessThan(50);
  reader.resume();
  await clock.runPromise(writer.sync(), 60_000);
});

it("keep a writer that may go little ahead from nothing that makes them whole", async () => {
  const { clock, writer, reader } = place({ unacknowledgedFramesMax: 4 });
  const heard: string[] = [];
  reader.setEncoding("utf8").on("data", (text: string) => heard.push(text));
  const [first, ...rest] = new TextEncoder().encode("é");
  writer.write(Uint8Array.of(first ?? 0));
  await clock.runUntil(HOUR_MS);
  writer.write(Uint8Array.from(rest));
  await clock.runPromise(writer.sync(), 60_000);
  expect(heard.join("")).toBe("é");
});

it("stop a writer at the credit that the reader has given", async () => {
  const { clock, writer, reader } = place({}, { creditFrames: 5 });
  reader.read(0);
  writer.write("so that the credit is known");
  await clock.runUntil(10_000);
  const { framedBytes } = writer.progress();
  writer.write(new Uint8Array(50 * writer.payloadSize));
  await clock.runUntil(HOUR_MS);
  expect(writer.progress().framedBytes - framedBytes).toBeLessThanOrEqual(5 * writer.payloadSize);
  reader.resume();
  await clock.runPromise(writer.sync(), 600_000);
});
