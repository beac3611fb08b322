import { once } from "node:events";
import { Duplex, Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type CulvertError, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { pattern, readAll, virtualPair } from "../virtual-pair.ts";

const aborted = expect.objectContaining({ code: "CULVERT_PEER_ABORTED", remote: true });

describe("a stream as a Duplex", () => {
  it("is the end of a pipeline, and its beginning", async () => {
    const { a, b, elapse } = await virtualPair({ loss: 0.1 });
    const bytes = pattern(300_000);
    const received: Buffer[] = [];
    const sink = new Transform({
      transform(chunk, _encoding, done) {
        received.push(chunk);
        done();
      },
    });
    const there = pipeline(Readable.from([bytes.subarray(0, 99_999), bytes.subarray(99_999)]), a);
    const back = pipeline(b, sink.resume());
    await elapse(Promise.all([there, back]));
    expect(Buffer.concat(received)).toEqual(bytes);
  });

  it("lets go of each chunk before it calls back, from whatever turn it is written", async () => {
    const { a, b, elapse } = await virtualPair({ loss: 0.1 });
    const bytes = pattern(400_000);
    const buffer = Buffer.alloc(30_000);
    /** Writes all of it out of one buffer, which is used again as soon as that is allowed. */
    const writeFrom = (stream: Stream, at: number): void => {
      const chunk = buffer.subarray(0, bytes.copy(buffer, 0, at));
      stream.write(chunk, () => {
        buffer.fill(0xff);
        if (at + chunk.length < bytes.length) writeFrom(stream, at + chunk.length);
        else stream.end();
      });
    };
    // An echo is written while its core is at work.
    b.on("data", (chunk: Buffer) => b.write(chunk, () => chunk.fill(0xff)));
    b.on("end", () => b.end());
    writeFrom(a, 0);
    const echoed = await elapse(readAll(a));
    expect(echoed.equals(bytes)).toBe(true);
  });

  it("is aborted by a pipeline whose source fails, and the peer learns of it", async () => {
    const { a, b, elapse } = await virtualPair();
    async function* source(): AsyncGenerator<Buffer> {
      yield pattern(10_000);
      await once(b, "data");
      throw new Error("the source broke");
    }
    const failed = once(b, "error");
    b.resume();
    await expect(elapse(pipeline(source(), a))).rejects.toThrow("the source broke");
    expect(a.destroyed).toBe(true);
    expect(await elapse(failed)).toEqual([aborted]);
  });

  it("is left open by an iteration that ends, and aborted by one that is left", async () => {
    const { a, b, elapse } = await virtualPair();
    b.end(pattern(10));
    expect(await elapse(readAll(a))).toEqual(pattern(10));
    expect(a.destroyed).toBe(false);
    a.write(pattern(50_000));
    const failed = once(a, "error");
    const leave = async (): Promise<void> => {
      for await (const _ of b) break;
    };
    await elapse(leave());
    expect(b.destroyed).toBe(true);
    // Its own end is in the Map: what is aborted is the reading, and that is told when it matters.
    a.write(pattern(500_000));
    expect(await elapse(failed)).toEqual([aborted]);
  });

  it("ends by itself when the peer does, unless half-open is allowed", async () => {
    const { a, b, elapse } = await virtualPair({ open: { allowHalfOpen: false } });
    const closed = Promise.all([once(a, "close"), once(b, "close")]);
    b.resume();
    a.resume().end("over");
    await elapse(closed);
    expect([a, b].every((stream) => stream.writableFinished && stream.readableEnded)).toBe(true);
  });

  it("is a pair of web streams", async () => {
    const { a, b, elapse } = await virtualPair();
    // Node 20 ends each web stream when both directions have ended: read and write at once.
    const talk = async (stream: Stream, bytes: Buffer): Promise<Buffer> => {
      const { readable, writable } = Duplex.toWeb(stream);
      const writer = writable.getWriter();
      const written = writer.write(bytes).then(() => writer.close());
      const chunks: Uint8Array[] = [];
      for await (const chunk of readable) chunks.push(chunk);
      await written;
      return Buffer.concat(chunks);
    };
    const both = Promise.all([talk(a, pattern(90_000, 1)), talk(b, pattern(5_000, 2))]);
    expect(await elapse(both)).toEqual([pattern(5_000, 2), pattern(90_000, 1)]);
  });

  it("decodes text across frames", async () => {
    const { a, b, elapse } = await virtualPair();
    const text = "zażółć gęślą jaźń ".repeat(2_000);
    b.setEncoding("utf8");
    a.end(text);
    let read = "";
    const ended = once(b, "end");
    b.on("data", (chunk: string) => {
      read += chunk;
    });
    await elapse(ended);
    expect(read).toBe(text);
    await elapse(a.sync());
  });

  it("says once that everything is acknowledged", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    let count = 0;
    a.on("acknowledged", () => count++);
    b.resume();
    a.write("one");
    await elapse(a.sync());
    await pass(60_000);
    expect(count).toBe(1);
  });

  it("finds a fast path at once, although its first requests are lost", async () => {
    const times: number[] = [];
    for (let seed = 1; seed <= 30; seed++) {
      const { a, b, clock, elapse } = await virtualPair({ loss: 0.2, seed });
      b.pipe(b);
      const answered = once(a, "data");
      a.write("hello");
      await elapse(answered);
      times.push(clock.now());
    }
    // One of a hundred loses every request of the first seconds.
    expect(times.filter((ms) => ms >= 3_000).length).toBeLessThanOrEqual(1);
    expect(times.filter((ms) => ms < 700).length).toBeGreaterThan(20);
  });

  it("puts nothing while it is idle", async () => {
    const { a, b, elapse, pass } = await virtualPair();
    b.resume();
    a.write("one");
    await elapse(a.sync());
    await pass(5_000);
    const before = [a.progress().puts, b.progress().puts];
    await pass(3_600_000);
    expect([a.progress().puts, b.progress().puts]).toEqual(before);
  });

  it("sends in one frame what was corked together", async () => {
    const { a, b, elapse } = await virtualPair();
    b.resume();
    a.cork();
    for (let i = 0; i < 100; i++) a.write("a word ");
    a.uncork();
    await elapse(a.sync());
    expect(a.progress().unacknowledgedFrames).toBe(0);
    expect(a.progress().puts).toBe(1);
  });
});

describe("a reader that stops reading", () => {
  it("stops the writer, and both keep little", async () => {
    const { a, b, pass, elapse } = await virtualPair();
    let accepted = 0;
    const write = (): void => {
      a.write(pattern(10_000), (error) => {
        if (error) return;
        accepted += 10_000;
        write();
      });
    };
    write();
    await pass(10_000);
    const held = a.progress().writtenBytes - b.progress().deliveredBytes;
    expect(accepted).toBeLessThan(1_200_000);
    expect(b.readableLength).toBeLessThan(256 * 1_900);
    expect(held).toBeLessThan(1_000_000);
    const before = accepted;
    await pass(100_000);
    expect(accepted).toBe(before);
    b.resume();
    await pass(1_000);
    expect(accepted).toBeGreaterThan(before);
    a.destroy();
    await elapse(once(b, "error"));
  });
});

describe("a stream that is destroyed", () => {
  it("has closed once everything is in the Map, if it had ended", async () => {
    const { a, elapse, clock } = await virtualPair();
    const closing = a.close();
    a.destroy();
    await elapse(closing);
    expect(a.progress().isAllStored).toBe(true);
    expect(clock.now()).toBeLessThan(10_000);
  });

  it("tells a peer that goes on writing after its end, once it has waited", async () => {
    const { a, b, elapse, pass } = await virtualPair({ open: { lingerMs: 1_000 } });
    b.resume().end();
    await elapse(once(b, "finish"));
    b.destroy();
    const failed = once(a, "error");
    a.write("is anybody there?");
    await pass(500);
    expect(a.destroyed).toBe(false);
    expect(await elapse(failed)).toEqual([aborted]);
  });

  it("leaves nothing running", async () => {
    const { a, b, clock, elapse, pass } = await virtualPair();
    a.end(pattern(5_000));
    await elapse(once(a, "finish"));
    a.destroy();
    b.on("error", () => {}).end();
    expect(await elapse(readAll(b))).toEqual(pattern(5_000));
    if (!b.closed) await elapse(once(b, "close"));
    await pass(60_000);
    expect(clock.pending).toBe(0);
  });

  it("lets the last frames through in the background, and not for ever", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    const lonely = Stream.listen(transport, new Uint8Array(32).fill(5), { clock, lingerMs: 2_000 });
    lonely.end("nobody is there yet");
    await clock.runPromise(once(lonely, "finish"));
    lonely.destroy();
    await clock.runUntil(clock.now() + 2_500);
    expect(clock.pending).toBe(0);
    const late = Stream.dial(transport, new Uint8Array(32).fill(5), { clock });
    late.end();
    expect(`${await clock.runPromise(readAll(late))}`).toBe("nobody is there yet");
    await late.halt();
  });

  it("in the moment in which it was made still delivers what it ended with", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    const secret = new Uint8Array(32).fill(6);
    const hasty = Stream.listen(transport, secret, { clock });
    hasty.cork();
    hasty.end("in haste");
    // Libraries give null where they have no error.
    Reflect.apply(hasty.destroy, hasty, [null]);
    const b = Stream.dial(transport, secret, { clock });
    b.end();
    expect(`${await clock.runPromise(readAll(b), 60_000)}`).toBe("in haste");
    await Promise.all([hasty.halt(), b.halt()]);
  });

  it("in the moment in which it was made tells its peer, and its next session", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    const [store, secret] = [new MemoryJournalStore(), new Uint8Array(32).fill(7)];
    const open = () => Stream.open({ transport, store, secret, role: "listener", clock });
    const b = Stream.dial(transport, secret, { clock });
    const failed = once(b, "error");
    const hasty = await open();
    const reason = once(hasty, "error");
    hasty.destroy(new Error("no such file"));
    expect(await clock.runPromise(failed, 60_000)).toEqual([aborted]);
    expect(await reason).toEqual([new Error("no such file")]);
    await hasty.halt();
    const again = await open();
    // Its own reason, though an earlier session has given up for another one.
    const later = once(again, "error");
    again.destroy(new Error("still no such file"));
    expect(await clock.runPromise(later, 60_000)).toEqual([new Error("still no such file")]);
    await again.halt();
  });

  it("in the moment in which it was opened again tells a peer that knows it", async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    const [store, secret] = [new MemoryJournalStore(), new Uint8Array(32).fill(8)];
    const open = () => Stream.open({ transport, store, secret, role: "listener", clock });
    const b = Stream.dial(transport, secret, { clock });
    const failed = once(b.resume(), "error");
    const a = await open();
    a.write("hello");
    await clock.runPromise(a.sync(), 60_000);
    await clock.runPromise(a.halt(), 60_000);
    const again = await open();
    again.on("error", () => {});
    again.destroy(new Error("no such file"));
    expect(await clock.runPromise(failed, 60_000)).toEqual([aborted]);
    await again.halt();
  });
});

describe("a Map in trouble", () => {
  it("is told as a warning, once, and the stream goes on", async () => {
    const clock = new VirtualClock();
    const [map, secret] = [new MemoryTransport({ clock }), new Uint8Array(32).fill(1)];
    let isDown = true;
    const flaky = {
      payloadSize: map.payloadSize,
      put: async (...args: Parameters<MemoryTransport["put"]>) => {
        if (isDown) throw new Error("no route");
        return map.put(...args);
      },
      get: async (...args: Parameters<MemoryTransport["get"]>) => map.get(...args),
    };
    const a = Stream.listen(flaky, secret, { clock });
    const b = Stream.dial(map, secret, { clock });
    const warnings: CulvertError[] = [];
    a.on("warning", (warning) => warnings.push(warning));
    a.end("patience");
    await clock.runUntil(20_000);
    expect(warnings.map(({ code }) => code)).toEqual(["CULVERT_UNREACHABLE"]);
    expect(warnings[0]?.message).toBe("the Map cannot be reached; it is tried again");
    isDown = false;
    expect(`${await clock.runPromise(readAll(b))}`).toBe("patience");
    await Promise.all([a.halt(), b.halt()]);
  });

  it("can be replaced by another way to it, of the same cells", async () => {
    const { a, b, clock, elapse } = await virtualPair();
    const map = new MemoryTransport({ clock });
    a.setTransport(map);
    b.setTransport(map);
    a.end("over there");
    expect(`${await elapse(readAll(b))}`).toBe("over there");
    const other = new MemoryTransport({ clock, payloadSize: 1_024 });
    expect(() => a.setTransport(other)).toThrow(
      expect.objectContaining({ code: "CULVERT_GEOMETRY_CHANGED" }),
    );
  });

  it("whose places are taken means a secret that was used before", async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock });
    const secret = new Uint8Array(32).fill(9);
    for (const [text, outcome] of [
      ["first", "finish"],
      ["second", "error"],
    ] as const) {
      const stream = Stream.listen(map, secret, { clock });
      stream.end(text);
      const [error] = await clock.runPromise(once(stream, outcome));
      expect(error?.code).toBe(outcome === "error" ? "CULVERT_SECRET_USED" : undefined);
      await stream.halt();
    }
  });
});
