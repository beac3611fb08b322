import { encode } from "cbor-x";
import {
  BufferedStream,
  type CborValue,
  generateSecret,
  MemoryJournalStore,
  Stream,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";

const LIMIT_MS = 60_000;

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const secret = generateSecret();
  const writer = Stream.dial(map, secret, { clock, noDelay: true, unacknowledgedFramesMax: 4 });
  const reader = Stream.listen(map, secret, { clock });
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, LIMIT_MS);
  /** Another session of the reader, from what the one before has saved. */
  const resume = async (stream: Stream): Promise<Stream> =>
    Stream.load(map, await run(stream.save()), { clock });
  return { clock, map, secret, writer, reader, run, resume };
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

it("gives a value of which many frames have come to the next session whole", async () => {
  const { clock, writer, reader, run, resume } = place();
  const value = { text: "long".repeat(1_000), bytes: new Uint8Array(2_000).fill(7) };
  const sent = new BufferedStream(writer);
  await run(sent.write("short"));
  const writing = run(sent.write(value));
  const first = new BufferedStream(reader);
  expect(await run(first.read())).toBe("short");
  const reading = first.read().catch(() => undefined);
  await clock.runUntil(() => reader.progress().takenBytes > 3_000, LIMIT_MS);
  const second = await resume(reader);
  expect([await reading, second.readOffset]).toEqual([undefined, 6]);
  const again = new BufferedStream(second).read().catch(() => undefined);
  await clock.runUntil(() => second.progress().takenBytes > 5_000, LIMIT_MS);
  const third = await resume(second);
  expect([await again, third.readOffset]).toEqual([undefined, 6]);
  expect(await run(new BufferedStream(third).read())).toEqual(value);
  await writing;
  await Promise.all([writer.halt(), third.halt()]);
});

it("gives bytes that were begun as values to whoever reads bytes next", async () => {
  const { clock, writer, reader, resume } = place();
  const bytes = encode("long".repeat(500));
  writer.write(bytes);
  const reading = new BufferedStream(reader).read().catch(() => undefined);
  await clock.runUntil(() => reader.progress().takenBytes > 1_000, LIMIT_MS);
  const again = await resume(reader);
  await reading;
  const seen: Uint8Array[] = [];
  again.on("data", (piece: Uint8Array) => seen.push(piece));
  await clock.runUntil(() => again.progress().takenBytes === bytes.length, LIMIT_MS);
  const last = await resume(again);
  expect(Buffer.concat(seen).equals(bytes)).toBe(true);
  expect([last.readOffset, last.readableLength]).toEqual([bytes.length, 0]);
  await Promise.all([writer.halt(), last.halt()]);
});

it.each([1, 2, 3])("loses no value when its reader crashes, seed %i", async (seed) => {
  const { clock, map, secret, writer, reader, run } = place();
  await reader.halt();
  const random = new SeededRandom(seed);
  const store = new MemoryJournalStore();
  const values = Array.from({ length: 20 }, (_, at) => [at, random.bytes(random.below(900))]);
  const sent = new BufferedStream(writer);
  const writing = (async () => {
    for (const value of values) await sent.write(value);
    writer.end();
  })();
  const seen: (CborValue | undefined)[] = [];
  for (let isOver = false; !isOver; ) {
    const stream = await run(
      Stream.open({ transport: map, secret, role: "listener", store, clock }),
    );
    const received = new BufferedStream(stream);
    const crashAt = clock.now() + random.below(100);
    let hasCrashed = false;
    let failure: unknown;
    const session = (async () => {
      for (;;) {
        const value = await received.read();
        if (hasCrashed) return;
        if (value === undefined) break;
        // What the journal did not learn before the crash comes again: nothing before that does.
        const [at] = value as [number];
        expect(at).toBeLessThanOrEqual(seen.length);
        expect(value).toEqual(values[at]);
        seen[at] = value;
      }
      isOver = true;
    })();
    session.catch((error) => {
      if (!hasCrashed) failure = error;
    });
    await clock.runUntil(() => isOver || failure !== undefined || clock.now() >= crashAt, LIMIT_MS);
    expect(failure).toBe(undefined);
    hasCrashed = true;
    store.crash();
  }
  expect(seen).toEqual(values);
  await run(writing);
  await writer.halt();
});

it("refuses a state without all of what was begun", async () => {
  const { clock, map, secret, writer, reader, run } = place();
  await reader.halt();
  const store = new MemoryJournalStore();
  const open = () => run(Stream.open({ transport: map, secret, role: "listener", store, clock }));
  const stream = await open();
  writer.write(encode("long".repeat(500)));
  const reading = new BufferedStream(stream).read().catch(() => undefined);
  await clock.runUntil(() => stream.progress().takenBytes > 1_000, LIMIT_MS);
  await stream.halt();
  await reading;
  const journal = await store.open(stream.localAddress);
  const lost = (await journal.names()).find((name) => name.startsWith("b"));
  await journal.commit({
    head: (await journal.load()) as Uint8Array,
    put: [],
    remove: [lost as string],
  });
  await journal.close();
  await expect(open()).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
  await writer.halt();
});
