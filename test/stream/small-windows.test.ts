import { Broadcast, generateSecret, Stream, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";

/** Characters of one to four bytes: of none of them a reader of text takes a part. */
const TEXT = "x€𐍈yé𐍈𐍈z€€w";

/** Without a break between two bytes, and with time for many probes. */
const GAPS_MS = [200, 100_000];

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 120 });
  onTestFinished(() => map.close());
  const pass = (ms: number): Promise<unknown> => clock.runUntil(clock.now() + ms);
  /** What `reader` is given when each byte is written for itself. */
  const read = async (writer: Stream | Broadcast, reader: Stream | Subscription, gapMs: number) => {
    let text = "";
    reader.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    for (const byte of Buffer.from(TEXT)) {
      writer.write(Uint8Array.of(byte));
      await pass(gapMs);
    }
    writer.end();
    await pass(100_000);
    await Promise.all([writer.halt(), reader.halt()]);
    return text;
  };
  return { clock, map, read };
}

const atGaps = (windows: readonly number[][]): number[][] =>
  windows.flatMap((window) => GAPS_MS.map((gapMs) => [...window, gapMs]));

describe("text in frames of a byte", () => {
  it.each(
    atGaps([
      [2, 4, 4],
      [2, 208, 65_535],
      [3, 208, 65_535],
      [224, 4, 65_535],
      [224, 208, 4],
    ]),
  )(
    "gets through: %i frames ahead of the reader, %i of the writer, credit %i, a byte in %i ms",
    async (receiveFramesMax, unacknowledgedFramesMax, creditFrames, gapMs) => {
      const { clock, map, read } = place();
      const secret = generateSecret();
      const ahead = { noDelay: true, unacknowledgedFramesMax };
      const writer = Stream.listen(map, secret, { clock, ...ahead });
      const reader = Stream.dial(map, secret, { clock, receiveFramesMax, creditFrames });
      expect(await read(writer, reader, gapMs)).toBe(TEXT);
    },
  );

  it.each(atGaps([[2], [3]]))(
    "gets through a broadcast: %i frames ahead of the reader, a byte in %i ms",
    async (receiveFramesMax, gapMs) => {
      const { clock, map, read } = place();
      const writer = new Broadcast(map, { clock, noDelay: true });
      const options = { clock, receiveFramesMax };
      const reader = new Subscription(map, writer.capabilityAtStart(), options);
      expect(await read(writer, reader, gapMs)).toBe(TEXT);
    },
  );
});

describe("a reader that takes nothing", () => {
  it("is given no more frames than there is room for", async () => {
    const { clock, map } = place();
    const writer = new Broadcast(map, { clock });
    const options = { clock, receiveFramesMax: 2 };
    const reader = new Subscription(map, writer.capabilityAtStart(), options);
    writer.write(Buffer.alloc(1_000));
    await clock.runUntil(clock.now() + 10_000);
    // The first byte of all is the mode.
    expect(reader.progress().deliveredBytes).toBe(2 * reader.payloadSize - 1);
    await Promise.all([writer.halt(), reader.halt()]);
  });
});
