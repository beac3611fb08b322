import { once } from "node:events";
import type { Socket } from "node:net";
import type { Broadcast, CulvertError, Stream, Subscription } from "culvert";
import type { LinkStream } from "culvert/link";
import { describe, expect, expectTypeOf, it } from "vitest";
import { pattern, readAll, virtualPair } from "./virtual-pair.ts";

describe("a stream in the place of a socket", () => {
  it("is connected from the start, and says so to whoever connects it", async () => {
    const { a } = await virtualPair();
    expect([a.connecting, a.pending, a.readyState]).toEqual([false, false, "open"]);
    const seen: string[] = [];
    for (const event of ["connect", "ready"]) a.on(event, () => seen.push(event));
    expect(a.connect(80, "example.org", () => seen.push("listener"))).toBe(a);
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(["connect", "listener", "ready"]);
  });

  it("is one by its type, and tells its events by theirs", async () => {
    const { a } = await virtualPair();
    expectTypeOf<Stream>().toExtend<Socket>();
    expectTypeOf<LinkStream>().toExtend<Socket>();
    expectTypeOf<Stream>().toExtend<NodeJS.ReadWriteStream>();
    expectTypeOf<Subscription>().toExtend<NodeJS.ReadableStream>();
    expect([a.bufferSize, a.autoSelectFamilyAttemptedAddresses]).toEqual([0, []]);
    expect([a.getTypeOfService(), a.setTypeOfService(4), a.server]).toEqual([0, a, null]);
    a.on("warning", (warning) => expectTypeOf(warning).toEqualTypeOf<CulvertError>());
    a.once("close", (hadError) => expectTypeOf(hadError).toEqualTypeOf<boolean>());
    // What comes with other names is anything, as of any emitter.
    expectTypeOf(a.on("of a library", (what: number) => what)).toEqualTypeOf<Stream>();
    const name = "end" as string;
    expect(a.addListener(name, (what) => what.code)).toBe(a);
    expectTypeOf<Broadcast["on"]>().toBeCallableWith("stored", () => {});
    expectTypeOf<Subscription["on"]>().toBeCallableWith("lag", (frames: number) => frames);
  });

  it("calls who waits for the connection as a listener, which can be taken back", async () => {
    const { a } = await virtualPair();
    const called: unknown[] = [];
    function onConnect(this: Stream): void {
      called.push(this);
    }
    a.connect(80, onConnect);
    a.removeListener("connect", onConnect);
    await Promise.resolve();
    expect(called).toEqual([]);
    a.connect({ port: 80 }, onConnect);
    await Promise.resolve();
    expect(called).toEqual([a]);
  });

  it("says nothing of a connection after it was destroyed", async () => {
    const { a, b } = await virtualPair();
    b.on("error", () => {});
    let isConnected = false;
    a.connect(() => {
      isConnected = true;
    });
    a.destroy();
    await once(a, "close");
    expect(isConnected).toBe(false);
  });

  it("has addresses: each side's own is the other's remote one", async () => {
    const { a, b } = await virtualPair();
    expect([a.localAddress, a.remoteAddress]).toEqual([b.remoteAddress, b.localAddress]);
    expect(a.localAddress).toMatch(/^[0-9a-f]{32}$/);
    expect(a.localAddress).not.toBe(a.remoteAddress);
    expect(a.address()).toEqual({ address: a.localAddress, family: "culvert", port: 0 });
    expect([a.remotePort, a.localPort, a.remoteFamily]).toEqual([0, 0, "culvert"]);
  });

  it("counts bytes, those that wait included", async () => {
    const { a, b, elapse } = await virtualPair();
    b.resume();
    a.write(pattern(1_000));
    for (let i = 0; i < 10; i++) a.write(pattern(100_000));
    expect(a.bytesWritten).toBe(1_001_000);
    await elapse(a.sync());
    expect([a.bytesWritten, b.bytesRead, b.bytesWritten]).toEqual([1_001_000, 1_001_000, 0]);
  });

  it("tells in which directions it is open", async () => {
    const { a, b, elapse } = await virtualPair();
    a.end();
    expect(a.readyState).toBe("readOnly");
    const ended = once(b.resume(), "end");
    await elapse(ended);
    expect(b.readyState).toBe("writeOnly");
    const closed = once(a.resume(), "close");
    b.end();
    await elapse(closed);
    expect(a.readyState).toBe("closed");
  });

  it("tells, when it closes, whether an error has ended it", async () => {
    const { a, b, elapse } = await virtualPair();
    const clean = once(a.resume(), "close");
    a.end();
    b.resume().end();
    expect(await elapse(clean)).toEqual([false]);

    const cut = await virtualPair();
    const seen: unknown[] = [];
    cut.a
      .on("error", () => seen.push("error"))
      .on("close", (hadError: boolean) => seen.push(hadError));
    cut.b.on("close", (hadError: boolean) => seen.push("given up", hadError)).destroy();
    await cut.elapse(once(cut.a, "error"));
    await cut.pass(1);
    expect(seen).toEqual(["given up", false, "error", true]);
  });

  it.each([false, true])("is reset although it has ended (and was left: %s)", async (isLeft) => {
    const { a, b, elapse } = await virtualPair();
    const failed = once(b, "error");
    const closed = once(a, "close");
    a.end(pattern(200_000));
    if (isLeft) a.destroy();
    expect(a.resetAndDestroy()).toBe(a);
    expect(await elapse(closed)).toEqual([false]);
    expect(await elapse(failed)).toMatchObject([
      { code: "CULVERT_PEER_ABORTED", detail: { code: 0 } },
    ]);
  });

  it("tells why it is reset, on the frame and on the acknowledgements beside it", async () => {
    for (const seed of [1, 2, 3, 4]) {
      const { a, b, elapse } = await virtualPair({ loss: 0.4, seed });
      const failed = once(b.resume(), "error");
      a.write(pattern(50_000));
      b.write(pattern(50_000));
      await elapse(once(a, "data"));
      a.reset(1_000 + seed);
      expect(await elapse(failed)).toMatchObject([{ detail: { code: 1_000 + seed } }]);
    }
  });

  it("takes no code that a frame cannot carry", async () => {
    const { a } = await virtualPair();
    for (const odd of [-1, 65_536, 1.5, Number.NaN, "1"]) {
      expect(() => a.reset(odd as number)).toThrow(RangeError);
    }
    expect(a.destroyed).toBe(false);
  });

  it("refuses a time-out that is no number, rather than never coming to it", async () => {
    const { a } = await virtualPair();
    for (const odd of ["5", null, undefined]) {
      expect(() => a.setTimeout(odd as never)).toThrow(TypeError);
    }
    expect(a.timeout).toBe(undefined);
  });

  it("takes the settings of a connection that it does not have", async () => {
    const { a } = await virtualPair();
    expect(a.setKeepAlive(true, 1_000)).toBe(a);
    expect(a.setNoDelay().setNoDelay(false).ref().unref()).toBe(a);
  });

  it("holds small writes back while one is under way, unless told not to", async () => {
    const frames = async (noDelay: boolean): Promise<number> => {
      const { a, b, elapse, pass } = await virtualPair({ rtt: 100 });
      a.setNoDelay(noDelay);
      b.resume();
      a.write("first");
      await elapse(a.sync());
      const before = a.progress().puts;
      for (let i = 0; i < 10; i++) {
        a.write("more");
        await pass(1);
      }
      await elapse(a.sync());
      return a.progress().puts - before;
    };
    expect(await frames(true)).toBe(10);
    expect(await frames(false)).toBe(2);
  });

  it("ends and destroys itself once everything is in the Map", async () => {
    const { a, b, elapse } = await virtualPair();
    const received: Buffer[] = [];
    b.on("data", (chunk: Buffer) => received.push(chunk)).on("end", () => b.end());
    a.write(pattern(30_000));
    const closed = Promise.all([once(a, "close"), once(b, "close")]);
    a.destroySoon();
    expect(a.destroyed).toBe(false);
    await elapse(closed);
    expect(Buffer.concat(received)).toEqual(pattern(30_000));
    a.destroySoon();
  });
});

describe("an error that Node finds", () => {
  it.each([
    ["a write behind the end", "ERR_STREAM_WRITE_AFTER_END", (a: Stream) => a.write("more")],
    ["an end behind the end", "ERR_STREAM_WRITE_AFTER_END", (a: Stream) => a.end("more")],
    ["bytes put back late", "ERR_STREAM_UNSHIFT_AFTER_END_EVENT", (a: Stream) => a.unshift("x")],
    ["a pushed end, and more", "ERR_STREAM_PUSH_AFTER_EOF", (a: Stream) => a.push("more")],
  ])("closes a stream as it does a socket: %s", async (_, code, mistake) => {
    const { a, b, elapse } = await virtualPair();
    const seen: unknown[] = [];
    a.on("error", (error: NodeJS.ErrnoException) => seen.push(error.code, a.destroyed));
    a.on("close", () => seen.push("close"));
    b.on("error", () => {});
    const ended = once(a.resume(), "end");
    b.end();
    await elapse(ended);
    a.end("all");
    const closed = new Promise((resolve) => a.once("close", resolve));
    mistake(a);
    await elapse(closed);
    expect(seen).toEqual([code, true, "close"]);
  });

  it("is none that a library emits", async () => {
    const { a, b, elapse } = await virtualPair();
    a.on("error", () => {});
    a.emit("error", new Error("of the layer above"));
    expect(a.destroyed).toBe(false);
    b.end("still there");
    expect(`${await elapse(readAll(a))}`).toBe("still there");
  });
});

describe("the end of a stream that nobody reads", () => {
  it("comes as that of a socket does, and closes it", async () => {
    const { a, b, elapse } = await virtualPair();
    const closed = once(a, "close");
    a.end("x");
    b.resume().end();
    await elapse(closed);
    expect([a.readableEnded, a.writableFinished]).toEqual([true, true]);
  });

  it("waits behind bytes that nobody has read", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    a.end("x");
    b.resume().end("y");
    await pass(60_000);
    expect([a.readableEnded, a.closed]).toEqual([false, false]);
    const closed = once(a.resume(), "close");
    await elapse(closed);
  });
});

describe("the idle time-out", () => {
  it("comes once when no byte has moved, and again after some have", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    b.resume();
    let count = 0;
    a.setTimeout(1_000).on("timeout", () => count++);
    expect(a.timeout).toBe(1_000);
    for (let i = 0; i < 5; i++) {
      await pass(800);
      a.write("x");
    }
    expect(count).toBe(0);
    await pass(5_000);
    expect(count).toBe(1);
    b.write("y");
    a.resume();
    await elapse(once(a, "data"));
    await pass(999);
    expect(count).toBe(1);
    await pass(5_000);
    expect([count, a.destroyed]).toEqual([2, false]);
  });

  it("can be written as a socket's property, and is kept when the stream closes", async () => {
    const { a, b, pass } = await virtualPair();
    b.on("error", () => {});
    expect(a.timeout).toBe(undefined);
    a.timeout = 0;
    const seen: unknown[] = [];
    // An agent of http destroys a socket that nobody uses; the next listener asks for how long.
    a.setTimeout(50, () => a.destroy()).on("timeout", () => seen.push(a.timeout));
    await pass(100);
    expect(seen).toEqual([50]);
  });

  it("does not come while a long chunk moves", async () => {
    const { a, b, clock } = await virtualPair({ rtt: 100 });
    let timeouts = 0;
    a.setTimeout(1_000);
    a.on("timeout", () => {
      timeouts += 1;
    });
    b.resume();
    a.write(new Uint8Array(4_000_000));
    await clock.runUntil(() => a.progress().isAllStored, 60_000);
    expect(clock.now()).toBeGreaterThan(2_000);
    expect(timeouts).toBe(0);
  });

  it("is turned off by zero, with its listener, and by the end of the stream", async () => {
    const { a, b, pass } = await virtualPair();
    b.on("error", () => {});
    let count = 0;
    const listener = (): void => {
      count++;
    };
    a.setTimeout(1_000, listener);
    a.setTimeout(0, listener);
    expect([a.timeout, a.listenerCount("timeout")]).toEqual([0, 0]);
    a.setTimeout(1_000, listener);
    a.destroy();
    a.setTimeout(2_000);
    await pass(5_000);
    expect([count, a.timeout]).toEqual([0, 1_000]);
    expect(() => a.setTimeout(-1)).toThrow(RangeError);
  });
});
