import { once } from "node:events";
import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { pattern, virtualPair } from "./virtual-pair.ts";

describe("what an application does when it is handed bytes", () => {
  it("is what it waits for, if it waits at once", async () => {
    const { a, b, elapse } = await virtualPair();
    a.resume();
    const acknowledged = new Promise<number>((resolve) => {
      b.once("data", () => {
        b.write("answer");
        resolve(b.sync().then(() => b.progress().acknowledgedBytes));
      });
    });
    a.write("question");
    expect(await elapse(acknowledged)).toBe(6);
  });

  it("is in the Map when it is finished", async () => {
    const { a, b, elapse } = await virtualPair();
    b.once("data", () => b.end("answer"));
    const finished = once(b, "finish").then(() => b.progress());
    a.write("question");
    expect(await elapse(finished)).toMatchObject({ framedBytes: 6, isAllStored: true });
  });

  it("may be closing, which waits until everything is in the Map", async () => {
    const { a, b, elapse } = await virtualPair();
    const closed = new Promise<boolean>((resolve) => {
      b.once("data", () => resolve(b.close().then(() => b.progress().isAllStored)));
    });
    a.write("question");
    expect(await elapse(closed)).toBe(true);
  });

  it("is held back by a full buffer", async () => {
    const { a, b, elapse } = await virtualPair();
    const count = new Promise<number>((resolve) => {
      b.once("data", () => {
        let written = 0;
        while (written < 1_000 && b.write(pattern(10_000))) written += 1;
        resolve(written);
      });
    });
    a.write("question");
    expect(await elapse(count)).toBeLessThan(10);
  });

  it("is kept when it stops there, and so is that it was handed them", async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock });
    onTestFinished(() => map.close());
    const secret = generateSecret();
    const a = Stream.listen(map, secret, { clock });
    const b = Stream.dial(map, secret, { clock });
    const saved = new Promise<Uint8Array>((resolve) => {
      b.once("data", () => {
        for (let i = 0; i < 10; i++) b.write(pattern(20_000));
        resolve(b.save());
      });
    });
    a.write("question");
    const state = await clock.runPromise(saved, 60_000);
    const again = await Stream.load(map, state, { clock });
    expect([again.readOffset, again.writeOffset]).toEqual([8, 200_000]);
    await Promise.all([a.halt(), again.halt()]);
  });
});
