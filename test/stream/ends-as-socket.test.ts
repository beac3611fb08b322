import { once } from "node:events";
import { finished } from "node:stream";
import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { pattern, readAll, virtualPair } from "./virtual-pair.ts";

const ABORTED = { code: "CULVERT_PEER_ABORTED" };
const socketPair = (weather: { rtt?: number; loss?: number; seed?: number } = {}) =>
  virtualPair({ ...weather, open: { endsAsSocket: true } });

describe("a stream that ends as a socket does", () => {
  it("finishes when it has taken over what was written; close waits for the Map", async () => {
    const { a, b, clock, elapse } = await socketPair({ rtt: 100 });
    const read = readAll(b);
    const ended = clock.now();
    a.end(pattern(3_000));
    await once(a, "finish");
    expect([clock.now() - ended, a.progress().isAllStored]).toEqual([0, false]);
    await elapse(a.close());
    expect(a.progress().isAllStored).toBe(true);
    expect(await elapse(read)).toEqual(pattern(3_000));
  });

  it.each([
    ["", undefined],
    [" with an error", new Error("enough")],
  ])("ends when it is destroyed%s: its peer gets all, and no error", async (_, error) => {
    for (const seed of [1, 2, 3]) {
      const { a, b, elapse } = await socketPair({ loss: 0.3, seed });
      const seen: unknown[] = [];
      for (const event of ["error", "close"]) a.on(event, (told) => seen.push(told));
      const read = readAll(b);
      a.cork();
      a.write(pattern(100_000));
      finished(a, (reason) => seen.push(reason?.code));
      a.destroy(error);
      expect(await elapse(read)).toEqual(pattern(100_000));
      // Whoever wrote is not told that it had come to its end.
      const premature = "ERR_STREAM_PREMATURE_CLOSE";
      expect(seen).toEqual(error === undefined ? [false, premature] : [error, undefined, true]);
      await elapse(a.close());
    }
  });

  it("gives up what its peer has not read when it is reset, before the end and after", async () => {
    for (const isEnded of [false, true]) {
      const { a, b, elapse } = await socketPair();
      const failed = once(b, "error");
      a.write(pattern(100_000));
      if (isEnded) a.end();
      a.resetAndDestroy();
      expect(await elapse(failed)).toMatchObject([ABORTED]);
    }
  });

  it("is not ended by a halt, nor by its peer's error", async () => {
    const { a } = await socketPair();
    a.write("and so on");
    await a.halt();
    const again = await Stream.load(new MemoryTransport(), await a.save());
    expect(again.writable).toBe(true);
    await again.halt();

    const other = await socketPair();
    other.a.reset(1);
    await expect(other.elapse(once(other.b, "end"))).rejects.toMatchObject(ABORTED);
    await expect(other.b.close()).rejects.toMatchObject(ABORTED);
  });

  it("tells the peer that an earlier session has given up", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    onTestFinished(() => transport.close());
    const [store, secret] = [new MemoryJournalStore(), generateSecret()];
    const open = () =>
      Stream.open({ transport, store, secret, role: "listener", clock, endsAsSocket: true });
    const first = await open();
    first.on("error", () => {});
    first.write("hello");
    first.reset(7);
    await first.halt();
    const again = await open();
    again.on("error", () => {});
    again.destroy();
    const b = Stream.dial(transport, secret, { clock });
    const [error] = await clock.runPromise(once(b.resume(), "error"), 60_000);
    expect(error).toMatchObject({ ...ABORTED, detail: { code: 7 } });
    await Promise.all([again.halt(), b.halt()]);
  });
});
