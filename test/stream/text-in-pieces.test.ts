import { Broadcast, generateSecret, Stream, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const TEXT = "x€𐍈y".repeat(20_000);

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  return { clock, map };
}

type Ends = readonly [Stream, Stream] | readonly [Broadcast, Subscription];

const ENDS: [string, (at: ReturnType<typeof place>) => Ends][] = [
  [
    "a stream",
    ({ clock, map }) => {
      const secret = generateSecret();
      return [Stream.listen(map, secret, { clock }), Stream.dial(map, secret, { clock })];
    },
  ],
  [
    "a broadcast",
    ({ clock, map }) => {
      const writer = new Broadcast(map, { clock });
      return [writer, new Subscription(map, writer.capabilityAtStart(), { clock })];
    },
  ],
];

/** Reads so many characters at once that some always wait. */
function readInSevens(reader: Stream | Subscription): { text: string } {
  const seen = { text: "" };
  reader.setEncoding("utf8").on("readable", () => {
    for (let piece = reader.read(7); piece !== null; piece = reader.read(7)) seen.text += piece;
  });
  return seen;
}

it.each(ENDS)(
  "text of %s is read to its end, though some of it always waits",
  async (_of, open) => {
    const at = place();
    const [writer, reader] = open(at);
    const seen = readInSevens(reader);
    writer.end(TEXT);
    await at.clock.runUntil(at.clock.now() + 600_000);
    await Promise.all([writer.halt(), reader.halt()]);
    expect(seen.text.length).toBe(TEXT.length);
    expect(seen.text).toBe(TEXT);
  },
);

it("the next session begins with the frames of which some text waited", async () => {
  const { clock, map } = place();
  const writer = new Broadcast(map, { clock });
  const first = new Subscription(map, writer.capabilityAtStart(), { clock });
  const seen = readInSevens(first);
  writer.write(TEXT.slice(0, 50_000));
  await clock.runUntil(clock.now() + 600_000);
  const again = await Subscription.load(map, await first.save(), { clock });
  const handed = seen.text;
  const repeated = readInSevens(again);
  writer.end(TEXT.slice(50_000));
  await clock.runUntil(clock.now() + 600_000);
  await Promise.all([writer.halt(), again.halt()]);
  // Six characters at most waited: they came in two frames at most.
  const begin = TEXT.length - repeated.text.length;
  expect(begin).toBeLessThanOrEqual(handed.length);
  expect(begin).toBeGreaterThan(handed.length - 2 * first.payloadSize);
  expect(TEXT.slice(begin)).toBe(repeated.text);
});

it("text that was waiting as bytes when its encoding was told is read as any other", async () => {
  const { clock, map } = place();
  const writer = new Broadcast(map, { clock });
  const reader = new Subscription(map, writer.capabilityAtStart(), { clock });
  writer.write(TEXT.slice(0, 5_000));
  await clock.runUntil(clock.now() + 60_000);
  expect(reader.readableLength).toBeGreaterThan(5_000);
  const seen = readInSevens(reader);
  writer.end(TEXT.slice(5_000));
  await clock.runUntil(clock.now() + 600_000);
  await Promise.all([writer.halt(), reader.halt()]);
  expect(seen.text).toBe(TEXT);
});
