import {
  Broadcast,
  generateCapability,
  generateSecret,
  MemoryJournalStore,
  Stream,
  Subscription,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";

const TEXT = "x€𐍈y";

/** All places at which a frame may end in the middle of a character. */
const CUTS = [2, 3, 5, 6, 7];

function place() {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  const pass = (ms: number): Promise<unknown> => clock.runUntil(clock.now() + ms);
  return { clock, transport, pass };
}

/** What a reader is handed, in the sessions that it has, one after the other. */
class Reading {
  text = "";

  begin(reader: Stream | Subscription): void {
    reader.setEncoding("utf8");
    reader.on("error", () => {});
    reader.on("data", (piece: string) => {
      this.text += piece;
    });
  }
}

describe("text that is read in two sessions", () => {
  it.each(CUTS)("is whole, if the first one is halted after %i bytes", async (cut) => {
    const { clock, transport, pass } = place();
    const secret = generateSecret();
    const reading = new Reading();
    const a = Stream.listen(transport, secret, { clock });
    const first = Stream.dial(transport, secret, { clock });
    reading.begin(first);
    a.write(Buffer.from(TEXT).subarray(0, cut));
    await pass(5_000);
    const again = await Stream.load(transport, await first.save(), { clock });
    reading.begin(again);
    a.end(Buffer.from(TEXT).subarray(cut));
    await clock.runPromise(a.sync(), 60_000);
    expect(reading.text).toBe(TEXT);
    await Promise.all([a.halt(), again.halt()]);
  });

  it.each(CUTS)("is whole, if the first one crashes after %i bytes", async (cut) => {
    const { clock, transport, pass } = place();
    const [secret, store] = [generateSecret(), new MemoryJournalStore()];
    const open = () => Stream.open({ transport, store, secret, role: "dialer", clock });
    const reading = new Reading();
    const a = Stream.listen(transport, secret, { clock });
    const first = await open();
    reading.begin(first);
    a.write(Buffer.from(TEXT).subarray(0, cut));
    await pass(5_000);
    store.crash();
    await first.halt().catch(() => {});
    const again = await open();
    reading.begin(again);
    a.end(Buffer.from(TEXT).subarray(cut));
    await clock.runPromise(a.sync(), 60_000);
    expect(reading.text).toBe(TEXT);
    await Promise.all([a.halt(), again.halt()]);
  });

  it("is whole, if it is that of a broadcast", async () => {
    const { clock, transport, pass } = place();
    const capability = generateCapability();
    const reading = new Reading();
    const broadcast = new Broadcast(transport, { capability, clock });
    const first = new Subscription(transport, capability.readCapability(), { clock });
    reading.begin(first);
    broadcast.write(Buffer.from(TEXT).subarray(0, 2));
    await pass(5_000);
    const again = await Subscription.load(transport, await first.save(), { clock });
    reading.begin(again);
    broadcast.end(Buffer.from(TEXT).subarray(2));
    await pass(5_000);
    expect(reading.text).toBe(TEXT);
    await Promise.all([broadcast.halt(), again.close()]);
  });

  it("is taken to its end, which may be in the middle of a character", async () => {
    const { clock, transport, pass } = place();
    const secret = generateSecret();
    const reading = new Reading();
    const a = Stream.listen(transport, secret, { clock });
    const b = Stream.dial(transport, secret, { clock });
    reading.begin(b);
    a.write(Buffer.from(TEXT).subarray(0, 2));
    await pass(60_000);
    expect(a.progress().acknowledgedBytes).toBe(0);
    a.end();
    await clock.runPromise(a.sync(), 60_000);
    expect(reading.text).toBe("x\ufffd");
    await Promise.all([a.halt(), b.halt()]);
  });
});
