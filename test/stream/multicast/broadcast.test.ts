import { once } from "node:events";
import {
  Broadcast,
  CulvertError,
  generateCapability,
  MemoryJournalStore,
  Subscription,
} from "culvert";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { ForgetfulTransport, Listener, listen, place } from "./multicast-place.ts";

const fails = (code: string) => expect.objectContaining({ code });

describe("a broadcast", () => {
  it("reaches every reader, early or late, by a capability, its bytes or its text", async () => {
    const world = place();
    const broadcast = new Broadcast(world.transport, world.at);
    const early = [listen(world, broadcast), listen(world, broadcast)];
    broadcast.write("one ");
    await world.elapse(broadcast.sync());
    const late = listen(world, broadcast);
    const fromStart = listen(world, broadcast, { atStart: true });
    const two = "two".repeat(200);
    broadcast.end(two);
    await world.elapse(broadcast.close());
    // Nothing more will come, and who asks now learns that.
    const tooLate = listen(world, broadcast);
    const all = [...early, late, fromStart, tooLate];
    await world.clock.runUntil(() => all.every((reader) => reader.isEnded), 60_000);
    for (const reader of [...early, fromStart]) expect(reader.text).toBe(`one ${two}`);
    expect(late.text).toBe(two);
    expect(two.endsWith(tooLate.text)).toBe(true);
  });

  it("may be ended when it is told that everything is stored", async () => {
    const world = place();
    const broadcast = new Broadcast(world.transport, world.at);
    broadcast.once("stored", () => broadcast.end("the end"));
    const finished = once(broadcast, "finish").then(() => broadcast.progress());
    broadcast.write("all. ");
    expect(await world.elapse(finished)).toMatchObject({ framedBytes: 12, isAllStored: true });
    await broadcast.halt();
  });

  it("waits for what is written when it is told that everything is stored", async () => {
    const world = place();
    const broadcast = new Broadcast(world.transport, world.at);
    const stored = new Promise<number>((resolve) => {
      broadcast.once("stored", () => {
        broadcast.write("more");
        resolve(broadcast.sync().then(() => broadcast.progress().storedBytes));
      });
    });
    broadcast.write("all, ");
    expect(await world.elapse(stored)).toBe(9);
    await broadcast.halt();
  });

  it("waits for what was written when it is asked, not for what is written on and on", async () => {
    const { transport, at, clock, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    const piece = "x".repeat(20_000);
    let written = 0;
    const writeOn = (): void => {
      if (broadcast.destroyed) return;
      written += piece.length;
      broadcast.write(piece, writeOn);
    };
    writeOn();
    await clock.runUntil(() => broadcast.writableLength > 0);
    const before = written;
    const stored = broadcast.sync().then(() => broadcast.progress().storedBytes);
    expect(await elapse(stored)).toBeGreaterThanOrEqual(before);
    expect(await stored).toBeLessThan(before + piece.length);
    await broadcast.halt();
  });

  it("waits for what Node has not handed on yet, too", async () => {
    const { transport, at, elapse, pass } = place();
    const broadcast = new Broadcast(transport, { ...at, writeBufferBytes: 1 });
    for (const piece of ["one", "two"]) broadcast.write(piece.repeat(100));
    broadcast.cork();
    const stored = broadcast.sync().then(() => broadcast.progress().storedBytes);
    await pass(60_000);
    broadcast.uncork();
    expect(await elapse(stored)).toBe(600);
    await broadcast.halt();
  });

  it("brings back what the Map has lost after a restart, too", async () => {
    const { memory, at, clock, elapse } = place();
    const forgetful = new ForgetfulTransport(memory, (put) => put === 3);
    const [store, capability] = [new MemoryJournalStore(), generateCapability()];
    const open = () => Broadcast.open({ transport: forgetful, store, capability, ...at });
    const broadcast = await open();
    const start = broadcast.capabilityAtStart();
    const text = "a word, ".repeat(100);
    broadcast.end(text);
    await elapse(broadcast.close());
    await broadcast.halt();
    const again = await open();
    await clock.runUntil(clock.now() + 25 * 3_600_000);
    const reader = new Listener(new Subscription(memory, start, at));
    await clock.runUntil(() => reader.isOver, 3_600_000);
    expect([reader.error, reader.text]).toEqual([undefined, text]);
    await again.halt();
  });

  it("says after a restart that everything is stored, in bytes too", async () => {
    const { transport, memory, at, elapse, pass } = place();
    let puts = 0;
    const deaf: Transport = {
      payloadSize: transport.payloadSize,
      put: (...put) => (puts++ === 0 ? memory.put(...put) : new Promise(() => {})),
      get: (...get) => memory.get(...get),
    };
    const [store, capability] = [new MemoryJournalStore(), generateCapability()];
    const broadcast = await Broadcast.open({ transport: deaf, store, capability, ...at });
    broadcast.end("a word, ".repeat(100));
    await pass(1_000);
    await elapse(broadcast.halt());
    const again = await Broadcast.open({ transport: memory, store, capability, ...at });
    await elapse(again.sync());
    expect(again.progress()).toMatchObject({ isAllStored: true, storedBytes: 800 });
    await elapse(again.halt());
  });

  it("that is over follows nobody any more", async () => {
    const { transport, at, clock, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    broadcast.write("all");
    await elapse(broadcast.sync());
    await broadcast.halt();
    const repair = generateCapability().readCapability();
    expect(() => broadcast.addReader(repair)).toThrow(fails("CULVERT_HALTED"));
    await clock.runUntil(clock.now() + 1_000);
    expect(clock.pending).toBe(0);
  });

  it("that was given up before it began takes nothing any more", async () => {
    const { transport, at, elapse, clock } = place();
    const [store, capability] = [new MemoryJournalStore(), generateCapability()];
    const open = () => Broadcast.open({ transport, store, capability, ...at });
    const broadcast = await open();
    broadcast.destroy();
    await broadcast.halt();
    await clock.runUntil(1_000);
    const again = await open();
    const failed = once(again, "error");
    again.write("nobody will ever read this");
    expect(await elapse(failed)).toEqual([fails("CULVERT_CLOSED")]);
    await again.halt();
  });

  it.each([true, false])(
    "tells its readers that it is given up before it starts, alone: %s",
    async (autoStart) => {
      const world = place();
      const broadcast = new Broadcast(world.transport, { ...world.at, autoStart });
      const reader = listen(world, broadcast);
      broadcast.on("error", () => {});
      broadcast.destroy(new Error("no such file"));
      await world.clock.runUntil(() => reader.isOver, 60_000);
      expect(reader.error).toEqual(fails("CULVERT_PEER_ABORTED"));
    },
  );

  it("closes after a write behind its end", async () => {
    const { transport, at, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    const failed = once(broadcast, "error");
    const closed = new Promise((resolve) => broadcast.once("close", resolve));
    broadcast.end("all");
    broadcast.write("more");
    expect(await failed).toEqual([fails("ERR_STREAM_WRITE_AFTER_END")]);
    await elapse(closed);
    await expect(broadcast.close()).rejects.toThrow(fails("CULVERT_CLOSED"));
  });

  it("has closed when it is stored, though nothing of it is kept any more by then", async () => {
    const { memory, at, clock, elapse } = place();
    const slow = new LossyTransport(memory, { rttMs: 3_000, clock });
    const broadcast = new Broadcast(slow, { ...at, retainSeconds: 1 });
    const closed = once(broadcast, "close");
    broadcast.end("hello");
    await elapse(broadcast.close());
    await elapse(closed);
    expect(broadcast.writableFinished).toBe(true);
  });

  it("reaches them at half of everything lost", async () => {
    const world = place({ loss: 0.5, seed: 7 });
    const broadcast = new Broadcast(world.transport, world.at);
    const readers = [1, 2, 3].map(() => listen(world, broadcast));
    const text = "some words ".repeat(1_000);
    broadcast.end(text);
    await world.clock.runUntil(() => readers.every((reader) => reader.isEnded), 3_600_000);
    for (const reader of readers) expect(reader.text).toBe(text);
  });

  it("waits for the Map and for nobody else", async () => {
    const { transport, at, clock } = place();
    const broadcast = new Broadcast(transport, {
      ...at,
      writeBufferBytes: 1_000,
      unstoredFramesMax: 10,
    });
    // A reader that never reads: it holds its own memory, and nothing else.
    const idle = new Subscription(transport, broadcast.capability(), {
      ...at,
      receiveFramesMax: 4,
    });
    let accepted = 0;
    for (let i = 0; i < 100; i++) {
      broadcast.write(new Uint8Array(1_000), () => {
        accepted += 1;
      });
    }
    await clock.runUntil(clock.now() + 60);
    // Ten frames without a receipt, and the buffer.
    expect(accepted).toBeLessThan(5);
    await clock.runUntil(() => accepted === 100, 600_000);
    expect(idle.progress().framesInMemory).toBeLessThanOrEqual(4);
    expect(idle.progress().deliveredBytes).toBeLessThan(1_000);
    await idle.close();
    await broadcast.halt();
  });

  it("stops at a Map that takes nothing, with bounded memory", async () => {
    const { clock, at } = place();
    const silent: Transport = {
      payloadSize: 200,
      put: () => new Promise(() => {}),
      get: () => new Promise(() => {}),
    };
    const broadcast = new Broadcast(silent, { ...at, writeBufferBytes: 1_000 });
    for (let i = 0; i < 1_000; i++) broadcast.write(new Uint8Array(1_000));
    await clock.runUntil(3_600_000);
    expect(broadcast.progress().framesInMemory).toBeLessThanOrEqual(256);
    expect(broadcast.writableNeedDrain).toBe(true);
    const closing = expect(broadcast.close()).rejects.toEqual(fails("CULVERT_HALTED"));
    await broadcast.halt();
    await closing;
  });

  it("warns once of a Map that is busy now and then", async () => {
    const { memory, at, elapse } = place();
    let puts = 0;
    const busy: Transport = {
      payloadSize: memory.payloadSize,
      put: async (frameId, cell, options) => {
        puts += 1;
        if (puts % 3 === 0) throw new CulvertError("CULVERT_BUSY");
        return memory.put(frameId, cell, options);
      },
      get: (frameId, options) => memory.get(frameId, options),
    };
    const broadcast = new Broadcast(busy, at);
    const warnings: string[] = [];
    broadcast.on("warning", ({ code }: CulvertError) => warnings.push(code));
    broadcast.end("x".repeat(3_000));
    await elapse(broadcast.close());
    expect(warnings).toEqual(["CULVERT_BUSY"]);
    await broadcast.halt();
  });

  it("keeps what is young, closes when nothing is, and puts nothing in between", async () => {
    const { transport, at, clock, elapse } = place();
    const broadcast = new Broadcast(transport, { ...at, retainSeconds: 3_600 });
    broadcast.end("x".repeat(1_000));
    await elapse(broadcast.close());
    const { puts, keptFrames } = broadcast.progress();
    expect(keptFrames).toBeGreaterThan(5);
    const closed = once(broadcast, "close");
    await clock.runUntil(clock.now() + 3_000_000);
    expect(broadcast.progress()).toMatchObject({ keptFrames, puts });
    await clock.runPromise(closed, 3_600_000);
    expect(broadcast.progress()).toMatchObject({ keptFrames: 0, puts });
    expect(clock.pending).toBe(0);
  });

  it("keeps the newest frames, and gives the keys of the others up", async () => {
    const { transport, at, elapse } = place();
    const broadcast = new Broadcast(transport, { ...at, retainFrames: 10 });
    const first = broadcast.capabilityAtStart();
    broadcast.write("x".repeat(5_000));
    await elapse(broadcast.sync());
    expect(broadcast.progress()).toMatchObject({ keptFrames: 10, framesInMemory: 10 });
    expect(broadcast.capabilityAtStart().index).toBe(broadcast.capability().index - 10n);
    expect(broadcast.capabilityAtStart().index).toBeGreaterThan(first.index);
    await broadcast.halt();
  });

  it("puts frames again before their time ends, while they are kept", async () => {
    const { transport, memory, at, clock, elapse } = place({ ttlSecondsMax: 600 });
    const broadcast = new Broadcast(transport, { ...at, retainSeconds: 7_200 });
    const capability = broadcast.capability();
    broadcast.end("still there");
    await elapse(broadcast.close());
    await clock.runUntil(7_000_000);
    const late = new Listener(new Subscription(memory, capability, at));
    await clock.runUntil(() => late.isEnded, 10_000);
    expect(late.text).toBe("still there");
    await clock.runUntil(() => broadcast.destroyed, 3_600_000);
  });

  it("tells its readers when it is destroyed, after what is in the Map", async () => {
    const world = place({ loss: 0.2 });
    const broadcast = new Broadcast(world.transport, world.at);
    const reader = listen(world, broadcast);
    broadcast.write("not all");
    await world.elapse(broadcast.sync());
    broadcast.on("error", () => undefined);
    broadcast.write(", and this is too late");
    const syncing = expect(broadcast.sync()).rejects.toEqual(fails("CULVERT_CLOSED"));
    await world.pass(10);
    broadcast.destroy(new Error("enough"));
    await syncing;
    await world.clock.runUntil(() => reader.isOver, 600_000);
    expect(reader.text).toMatch(/^not all/);
    expect(reader.error).toEqual(fails("CULVERT_PEER_ABORTED"));
    await world.clock.runUntil(world.clock.now() + 120_000);
  });

  it("refuses a second run of one capability, and cells of another size", async () => {
    const { transport, at, elapse } = place();
    const capability = generateCapability();
    const first = new Broadcast(transport, { ...at, capability });
    await elapse(new Promise((resolve) => first.end("one", () => resolve(undefined))));
    const second = new Broadcast(transport, { ...at, capability: capability.toBytes() });
    second.end("two");
    await expect(elapse(once(second, "finish"))).rejects.toEqual(fails("CULVERT_SECRET_USED"));
    const other = new MemoryTransport({ payloadSize: 300 });
    expect(() => first.setTransport(other)).toThrow(fails("CULVERT_GEOMETRY_CHANGED"));
    expect(() => new Broadcast(new MemoryTransport({ payloadSize: 20 }))).toThrow(
      fails("CULVERT_GEOMETRY_CHANGED"),
    );
    first.destroy();
  });
});
