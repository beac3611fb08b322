import { once } from "node:events";
import { CulvertError, MemoryJournalStore, Stream } from "culvert";
import { MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { withoutChecksum } from "../../src/io/checksum.ts";
import { decodeWholeState } from "../../src/stream/saved/state-codec.ts";
import { place } from "./stream-place.ts";
import { pattern, readAll } from "./virtual-pair.ts";

const fails = (code: string) => expect.objectContaining({ code });

/** A reader that has everything in its buffer, of which a part has just been read. */
async function readPartly() {
  const here = place();
  const { transport, secret, options, elapse, clock } = here;
  const a = Stream.listen(transport, secret, options);
  const b = Stream.dial(transport, secret, options);
  a.end(pattern(50_000));
  await elapse(once(b, "readable"));
  await clock.runUntil(() => b.readableLength === 50_000, 10_000);
  return { ...here, a, b, first: b.read(12_345) as Buffer };
}

describe("a stream that is halted, saved and loaded", () => {
  it("goes on in the middle, as often as one likes, and loses and doubles nothing", async () => {
    const { transport, secret, options, elapse, clock } = place({ loss: 0.1 });
    const bytes = pattern(400_000);
    const received: Buffer[] = [];
    let a = Stream.listen(transport, secret, options);
    let b = Stream.dial(transport, secret, options);
    const collect = (stream: Stream): void => {
      expect(stream.readOffset).toBe(lengthOf(received));
      stream.on("data", (chunk: Buffer) => received.push(chunk));
    };
    collect(b);
    a.end(bytes);
    for (let round = 1; round <= 5; round++) {
      const goal = (bytes.length / 6) * round;
      await clock.runUntil(() => lengthOf(received) >= goal, 60_000);
      if (round % 2 === 0) a = await Stream.load(transport, await elapse(a.save()), options);
      else {
        b = await Stream.load(transport, await elapse(b.save()), options);
        collect(b);
      }
    }
    const ended = once(b, "end");
    await elapse(ended);
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
    await elapse(a.sync());
    await Promise.all([a.halt(), b.halt()]);
  });

  it("keeps what was written and not sent, also what Node had buffered", async () => {
    const { transport, secret, options, elapse } = place();
    const a = Stream.listen(transport, secret, { ...options, autoStart: false });
    const outcomes: unknown[] = [];
    for (let i = 0; i < 10; i++) a.write(pattern(100_000, i), (error) => outcomes.push(error));
    a.cork();
    a.end("the last words");
    expect(a.writableLength).toBeGreaterThan(0);
    const state = await a.save();
    expect(outcomes.filter((error) => error instanceof Error)).toEqual([]);
    const again = await Stream.load(transport, state, options);
    expect([again.writeOffset, again.writable]).toEqual([1_000_014, false]);
    const b = Stream.dial(transport, secret, options);
    const all = Buffer.concat(Array.from({ length: 10 }, (_, i) => pattern(100_000, i)));
    expect(
      (await elapse(readAll(b))).equals(Buffer.concat([all, Buffer.from("the last words")])),
    ).toBe(true);
    await Promise.all([again.halt(), b.halt()]);
  });

  it("is held back by its reader as before it was: what it keeps is in memory", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const a = Stream.listen(transport, secret, options);
    a.write("x");
    const again = await Stream.load(transport, await elapse(a.save()), options);
    again.write(pattern(600_000));
    await clock.runUntil(clock.now() + 10_000);
    expect(again.progress().unacknowledgedFrames).toBeLessThan(256);
    await again.halt();
  });

  it("takes no frame along that its reader has taken", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const a = Stream.listen(transport, secret, { ...options, autoStart: false });
    a.write(pattern(150_000));
    const again = await Stream.load(transport, await elapse(a.save()), options);
    const b = Stream.dial(transport, secret, { ...options, readableHighWaterMark: 1 });
    await clock.runUntil(() => b.readableLength > 140_000, 60_000);
    b.read(60_000);
    await clock.runUntil(() => again.progress().acknowledgedBytes > 50_000, 60_000);
    const unread = await Stream.load(transport, await again.save(), { autoStart: false });
    const { frames } = decodeWholeState(withoutChecksum(await unread.save()));
    expect(frames.size).toBe(unread.progress().unacknowledgedFrames);
    await b.halt();
  });

  it("tells those who waited for it that what nobody read has left the Map", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const a = Stream.listen(transport, secret, { ...options, ttlSeconds: 60 });
    a.end("not read in time");
    await clock.runUntil(() => a.progress().isAllStored, 10_000);
    const state = await a.save();
    await clock.runUntil(clock.now() + 61_000);
    const load = async () => await Stream.load(transport, state, options);
    const again = await (async () => await load())();
    const warning = once(again, "warning");
    expect(await elapse(warning)).toEqual([fails("CULVERT_DATA_EXPIRED")]);
    await again.halt();
  });

  it("delivers again what was in the readable buffer, and nothing else", async () => {
    const { a, b, first, transport, options, elapse, clock } = await readPartly();
    await clock.runUntil(clock.now() + 1);
    const again = await Stream.load(transport, await b.save(), options);
    expect([again.readOffset, again.bytesRead]).toEqual([12_345, 12_345]);
    const rest = await elapse(readAll(again));
    expect(Buffer.concat([first, rest]).equals(pattern(50_000))).toBe(true);
    await Promise.all([a.halt(), again.halt()]);
  });

  it("does not deliver again what was read in the moment in which it stops", async () => {
    const { a, b, first, transport, options, elapse } = await readPartly();
    const again = await Stream.load(transport, await b.save(), options);
    expect(again.readOffset).toBe(12_345);
    expect(Buffer.concat([first, await elapse(readAll(again))]).equals(pattern(50_000))).toBe(true);
    await Promise.all([a.halt(), again.halt()]);
  });

  it("refuses writes from that moment on, and what waits is told", async () => {
    const { transport, secret, options, elapse } = place();
    const a = Stream.listen(transport, secret, options);
    a.write("x");
    const synced = a.sync();
    const halting = a.halt();
    await expect(elapse(synced)).rejects.toThrow(fails("CULVERT_HALTED"));
    const refused = new Promise((resolve) => a.write("late", resolve));
    a.on("error", () => {});
    expect(await refused).toMatchObject({ code: "ERR_STREAM_DESTROYED" });
    await halting;
    expect(a.closed).toBe(true);
    await expect(a.sync()).rejects.toThrow(fails("CULVERT_HALTED"));
    await a.halt();
  });

  it("gives the same state when it is asked again, and when it was loaded", async () => {
    const { transport, secret, options } = place();
    const a = Stream.listen(transport, secret, { ...options, autoStart: false });
    a.write("abc");
    const state = await a.save();
    expect(await a.save()).toEqual(state);
    const again = await Stream.load(transport, state, { ...options, autoStart: false });
    expect(await again.save()).toEqual(state);
  });
});

describe("what earlier sessions have ended", () => {
  it("stays ended: the peer's side", async () => {
    const { transport, secret, options, elapse } = place();
    const a = Stream.listen(transport, secret, options);
    const b = Stream.dial(transport, secret, options);
    a.end("all");
    expect(`${await elapse(readAll(b))}`).toBe("all");
    await elapse(a.sync());
    const again = await Stream.load(transport, await b.save(), options);
    expect((await elapse(readAll(again))).length).toBe(0);
    again.end("answer");
    expect(`${await elapse(readAll(a))}`).toBe("answer");
    await Promise.all([a.halt(), again.halt()]);
  });

  it("stays ended: our side", async () => {
    const { transport, secret, options, elapse } = place();
    const a = Stream.listen(transport, secret, options);
    a.end("all");
    await elapse(once(a, "finish"));
    const again = await Stream.load(transport, await a.save(), options);
    expect(again.writable).toBe(false);
    await elapse(again.close());
    const b = Stream.dial(transport, secret, options);
    expect(`${await elapse(readAll(b))}`).toBe("all");
    await Promise.all([again.halt(), b.halt()]);
  });

  it("stays ended: both, and the stream closes by itself", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const a = Stream.listen(transport, secret, options);
    const b = Stream.dial(transport, secret, options);
    a.resume().end("a");
    b.resume().end("b");
    await clock.runUntil(() => a.closed && b.closed);
    const again = await Stream.load(transport, await a.save(), options);
    const closed = once(again, "close");
    again.resume();
    await elapse(closed);
    expect([again.readableEnded, again.writableFinished]).toEqual([true, true]);
  });
});

describe("states that must not be used", () => {
  it("an old copy seals one frame while it does not know, whatever happens", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const a = Stream.listen(transport, secret, options);
    a.write("one");
    await clock.runUntil(() => a.progress().isAllStored, 60_000);
    const state = await a.save();
    const { unacknowledgedFrames } = a.progress();
    const nowhere: Transport = {
      payloadSize: transport.payloadSize,
      put: () => Promise.reject(new CulvertError("CULVERT_UNREACHABLE")),
      get: () => Promise.reject(new CulvertError("CULVERT_UNREACHABLE")),
    };
    const older = await Stream.load(nowhere, state, options);
    // It asks for a sign of life all the time, and at last it gives up.
    await clock.runUntil(clock.now() + 3_600_000);
    const asking = older.progress().unacknowledgedFrames;
    older.destroy();
    await clock.runUntil(clock.now() + 10_000);
    const leaving = older.progress().unacknowledgedFrames;
    expect([asking, leaving]).toEqual([unacknowledgedFrames + 1, unacknowledgedFrames + 1]);
    await older.halt();
    const newer = await Stream.load(transport, state, options);
    const b = Stream.dial(transport, secret, options);
    newer.end(" two");
    expect(`${await elapse(readAll(b))}`).toBe("one two");
    await Promise.all([newer.halt(), b.halt()]);
  });

  it("an old copy is found out", async () => {
    const { transport, secret, options, elapse } = place();
    const a = Stream.listen(transport, secret, options);
    const b = Stream.dial(transport, secret, options);
    b.resume();
    a.write("one");
    await elapse(a.sync());
    const state = await a.save();
    const newer = await Stream.load(transport, state, options);
    newer.write("two");
    await elapse(newer.sync());
    await newer.halt();
    const older = await Stream.load(transport, state, options);
    older.write("three");
    expect(await elapse(once(older, "error"))).toEqual([fails("CULVERT_STALE_STATE")]);
    await expect(older.save()).rejects.toThrow(fails("CULVERT_STALE_STATE"));
    await b.halt();
  });

  it("a state of other cells, of nonsense, or with a bit that a disk has turned", async () => {
    const { transport, secret, options, clock } = place();
    const state = await Stream.listen(transport, secret, options).save();
    const other = new MemoryTransport({ payloadSize: 4_000, clock });
    await expect(Stream.load(other, state)).rejects.toThrow(fails("CULVERT_GEOMETRY_CHANGED"));
    for (const bytes of [new Uint8Array(0), state.subarray(0, 100), Buffer.from("state")]) {
      await expect(Stream.load(transport, bytes)).rejects.toThrow(fails("CULVERT_BAD_STATE"));
    }
    for (let at = 0; at < state.length; at++) {
      const turned = state.with(at, (state[at] ?? 0) ^ (1 << (at % 8)));
      await expect(Stream.load(transport, turned)).rejects.toThrow(fails("CULVERT_BAD_STATE"));
    }
    const tiny = new MemoryTransport({ payloadSize: 64, clock });
    expect(() => Stream.listen(tiny, secret)).toThrow(fails("CULVERT_GEOMETRY_CHANGED"));
    expect(() => Stream.listen(transport, "culvertsecret1typo")).toThrow(
      fails("CULVERT_BAD_TICKET"),
    );
  });
});

describe("a stream in a store", () => {
  it("goes on where the last process stopped, and is held by one at a time", async () => {
    const { transport, secret, options, elapse, clock } = place({ loss: 0.1 });
    const store = new MemoryJournalStore();
    const open = () => Stream.open({ transport, secret, role: "listener", store, ...options });
    const b = Stream.dial(transport, secret, options);
    const received: Buffer[] = [];
    b.on("data", (chunk: Buffer) => received.push(chunk));
    const bytes = pattern(300_000);
    for (let stop = 100_000; stop <= bytes.length; stop += 100_000) {
      const a = await open();
      await expect(open()).rejects.toThrow(fails("CULVERT_STATE_IN_USE"));
      a.write(bytes.subarray(a.writeOffset, stop));
      await clock.runUntil(() => lengthOf(received) >= stop - 60_000, 60_000);
      await elapse(a.halt());
    }
    const a = await open();
    expect(a.writeOffset).toBe(bytes.length);
    a.end();
    await elapse(once(b, "end"));
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
    expect((await a.save()).length).toBeGreaterThan(0);
    await b.halt();
  });

  it("has lost nothing that it called back about, after a crash", async () => {
    const { transport, secret, options, elapse, clock } = place({ loss: 0.1 });
    const store = new MemoryJournalStore();
    const open = () => Stream.open({ transport, secret, role: "listener", store, ...options });
    const a = await open();
    a.write(pattern(50_000));
    await elapse(a.close());
    store.crash();
    a.on("error", () => {});
    const again = await open();
    expect(again.writeOffset).toBe(50_000);
    const b = Stream.dial(transport, secret, options);
    expect((await elapse(readAll(b))).equals(pattern(50_000))).toBe(true);
    await clock.runUntil(clock.now() + 1_000);
    await Promise.all([again.halt(), b.halt(), a.halt().catch(() => {})]);
  });

  it("takes in manual mode what was confirmed, and delivers the rest again", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const shared = { transport, secret, role: "dialer", store, ...options } as const;
    const a = Stream.listen(transport, secret, options);
    a.end(pattern(30_000));
    const b = await Stream.open({ ...shared, confirm: "manual" });
    expect((await elapse(readAll(b))).length).toBe(30_000);
    b.confirm(10_000);
    expect(() => b.confirm(30_001)).toThrow(RangeError);
    await clock.runUntil(clock.now() + 5_000);
    expect(a.progress().isEndTaken).toBe(false);
    await b.halt();
    const again = await Stream.open({ ...shared, confirm: "manual" });
    expect(again.readOffset).toBe(10_000);
    expect((await elapse(readAll(again))).equals(pattern(30_000).subarray(10_000))).toBe(true);
    again.confirm(30_000);
    await elapse(a.sync());
    await Promise.all([a.halt(), again.halt()]);
  });

  it("fails when its journal does", async () => {
    const { transport, secret, options, elapse } = place();
    const store = new MemoryJournalStore();
    const a = await Stream.open({ transport, secret, role: "listener", store, ...options });
    store.crash();
    a.write("this cannot be made durable");
    const [error] = await elapse(once(a, "error"));
    expect(error).toEqual(fails("CULVERT_JOURNAL"));
    expect(error).toBeInstanceOf(CulvertError);
    await a.halt();
  });
});

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
