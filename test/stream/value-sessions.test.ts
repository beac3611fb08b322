import { BufferedStream, type CborValue, generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const LIMIT_MS = 60_000;

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const secret = generateSecret();
  const writer = Stream.dial(map, secret, { clock, noDelay: true, unacknowledgedFramesMax: 2 });
  const reader = Stream.listen(map, secret, { clock });
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, LIMIT_MS);
  /** Another session of the reader, from what the one before has saved. */
  const resume = async (stream: Stream): Promise<Stream> =>
    Stream.load(map, await run(stream.save()), { clock });
  return { clock, writer, reader, run, resume };
}

it("gives the values that no read has taken to the next session", async () => {
  const { writer, reader, run, resume } = place();
  const sent = new BufferedStream(writer);
  for (const value of [1, "two", [3]]) await run(sent.write(value));
  const seen: (CborValue | undefined)[] = [await run(new BufferedStream(reader).read())];
  const again = new BufferedStream(await resume(reader));
  writer.end();
  for (let i = 0; i < 3; i++) seen.push(await run(again.read()));
  expect(seen).toEqual([1, "two", [3], undefined]);
  await Promise.all([writer.halt(), again.stream.halt()]);
});

it("gives a value of which a part has come to the next session whole", async () => {
  const { clock, writer, reader, run, resume } = place();
  const text = new TextEncoder().encode("\x65hello"); // five characters of text, as CBOR has them
  writer.write(text.subarray(0, 3));
  const reading = new BufferedStream(reader).read().catch(() => undefined);
  await clock.runUntil(1_000);
  const again = new BufferedStream(await resume(reader));
  expect(await reading).toBe(undefined);
  writer.write(text.subarray(3));
  expect(await run(again.read())).toBe("hello");
  await run(writer.sync());
  await Promise.all([writer.halt(), again.stream.halt()]);
});

it("takes a long value from a writer that may go little ahead", async () => {
  const { writer, reader, run } = place();
  const value = { bytes: new Uint8Array(10_000).fill(7) };
  await run(new BufferedStream(writer).write("short"));
  const received = new BufferedStream(reader);
  const writing = run(new BufferedStream(writer).write(value));
  expect(await run(received.read())).toBe("short");
  expect(await run(received.read())).toEqual(value);
  await writing;
  await Promise.all([writer.halt(), reader.halt()]);
});

it("acknowledges a value when it was read, and no later", async () => {
  const { writer, reader, run } = place();
  const sent = new BufferedStream(writer);
  await run(sent.write("one"));
  await run(sent.write("two"));
  const received = new BufferedStream(reader);
  let isAcknowledged = false;
  writer.on("acknowledged", () => {
    isAcknowledged = true;
  });
  await run(received.read());
  await run(sent.stream.close().catch(() => undefined));
  expect(isAcknowledged).toBe(false);
  expect(await run(received.read())).toBe("two");
  expect(await run(received.read())).toBe(undefined);
  await run(writer.sync());
  await Promise.all([writer.halt(), reader.halt()]);
});
