import { once } from "node:events";
import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { readAll } from "./virtual-pair.ts";

const aborted = expect.objectContaining({ code: "CULVERT_PEER_ABORTED" });

function place() {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  const secret = generateSecret();
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 60_000);
  return { clock, transport, secret, elapse };
}

describe("a stream that waits to be started by hand", () => {
  it("tells its peer when it is destroyed", async () => {
    const { clock, transport, secret, elapse } = place();
    const b = Stream.dial(transport, secret, { clock });
    const failed = once(b, "error");
    const a = Stream.listen(transport, secret, { clock, autoStart: false });
    a.write("never");
    a.destroy();
    expect(await elapse(failed)).toEqual([aborted]);
    await a.halt();
  });

  it("gets its end through when it is destroyed after it", async () => {
    const { clock, transport, secret, elapse } = place();
    const b = Stream.dial(transport, secret, { clock });
    const a = Stream.listen(transport, secret, { clock, autoStart: false });
    a.end("last words");
    a.destroy();
    expect(`${await elapse(readAll(b))}`).toBe("last words");
    await Promise.all([a.halt(), b.halt()]);
  });

  it("tells the peer of an earlier session when it is destroyed", async () => {
    const { clock, transport, secret, elapse } = place();
    const store = new MemoryJournalStore();
    const open = (autoStart: boolean) =>
      Stream.open({ transport, store, secret, role: "listener", clock, autoStart });
    const b = Stream.dial(transport, secret, { clock });
    const failed = once(b.resume(), "error");
    const a = await open(true);
    a.write("hello");
    await elapse(a.sync());
    await a.halt();
    const again = await open(false);
    again.destroy();
    expect(await elapse(failed)).toEqual([aborted]);
    await again.halt();
  });

  it("tells what end was read before once it is started, though nobody reads", async () => {
    const { clock, transport, secret, elapse } = place();
    const store = new MemoryJournalStore();
    const open = (autoStart: boolean) =>
      Stream.open({ transport, store, secret, role: "listener", clock, autoStart });
    const b = Stream.dial(transport, secret, { clock });
    b.end("hello");
    const a = await open(true);
    expect(`${await elapse(readAll(a))}`).toBe("hello");
    await a.halt();
    const again = await open(false);
    const ended = once(again, "end");
    await clock.runUntil(clock.now() + 1_000);
    expect(again.readableEnded).toBe(false);
    again.start();
    await elapse(ended);
    await Promise.all([again.halt(), b.halt()]);
  });

  it("leaves nothing behind when it is halted", async () => {
    const { clock, transport, secret } = place();
    const stream = Stream.listen(transport, secret, { clock, autoStart: false });
    stream.end("never");
    await stream.halt();
    expect([clock.pending, transport.size]).toEqual([0, 0]);
  });
});
