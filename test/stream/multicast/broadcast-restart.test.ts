import { once } from "node:events";
import { Broadcast, generateCapability, MemoryJournalStore, Subscription } from "culvert";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/base/index.ts";
import { type CborValue, decodeCbor, encodeCbor } from "../../../src/codec/index.ts";
import { withChecksum, withoutChecksum } from "../../../src/io/checksum.ts";
import { Listener, listen, place } from "./multicast-place.ts";

const fails = (code: string) => expect.objectContaining({ code });

describe("a broadcast that stops and goes on", () => {
  it("is halted, saved and loaded, and loses and doubles nothing", async () => {
    const world = place({ loss: 0.2 });
    let broadcast = new Broadcast(world.transport, world.at);
    const reader = listen(world, broadcast);
    const written: string[] = [];
    for (let round = 0; round < 5; round++) {
      written.push(`round ${round} `.repeat(100));
      broadcast.write(written.at(-1));
      await world.pass(150);
      const state = await broadcast.save();
      broadcast = await Broadcast.load(world.transport, state, world.at);
      expect(broadcast.writeOffset).toBe(written.join("").length);
    }
    broadcast.end();
    await world.clock.runUntil(() => reader.isEnded, 600_000);
    expect(reader.text).toBe(written.join(""));
    await world.elapse(broadcast.close());
    const over = await Broadcast.load(world.transport, await broadcast.save(), world.at);
    // Whoever goes on has to know before anything has happened.
    expect(over.writableEnded).toBe(true);
    await world.elapse(once(over, "finish"));
    await over.halt();
  });

  it("keeps no more frames than before, as they are in memory", async () => {
    const { transport, at, elapse } = place();
    const state = await new Broadcast(transport, at).save();
    const broadcast = await Broadcast.load(transport, state, at);
    broadcast.write(new Uint8Array(150_000));
    await elapse(broadcast.sync());
    expect(broadcast.progress().keptFrames).toBe(1_024);
    await broadcast.halt();
  });

  it("finds out that its state is an old copy, and puts no frame behind the other's", async () => {
    const world = place();
    const { transport, at, elapse } = world;
    const broadcast = new Broadcast(transport, at);
    const reader = listen(world, broadcast);
    broadcast.write("a".repeat(500));
    await elapse(broadcast.sync());
    const state = await broadcast.save();
    const again = await Broadcast.load(transport, state, at);
    again.write("b".repeat(500));
    await elapse(again.sync());
    const stale = await Broadcast.load(transport, state, at);
    stale.write("c".repeat(5_000));
    await expect(elapse(once(stale, "finish"))).rejects.toEqual(fails("CULVERT_STALE_STATE"));
    again.end();
    await world.clock.runUntil(() => reader.isEnded, 60_000);
    expect(reader.text).toBe("a".repeat(500) + "b".repeat(500));
    await again.halt();
  });

  it("lives in a store, held by one process", async () => {
    const world = place();
    const { transport, at, elapse } = world;
    const [store, capability] = [new MemoryJournalStore(), generateCapability()];
    const options = { transport, store, capability, ...at };
    const first = await Broadcast.open(options);
    await expect(Broadcast.open(options)).rejects.toEqual(fails("CULVERT_STATE_IN_USE"));
    const reader = listen(world, first);
    const repair = generateCapability();
    const id = first.addReader(repair.readCapability());
    first.write("one ");
    await elapse(first.sync());
    expect(first.progress().framesInMemory).toBe(0);
    await first.halt();
    const second = await Broadcast.open(options);
    expect(second.writeOffset).toBe(4);
    expect(second.progress().readers).toBe(1);
    expect(second.addReader(repair.readCapability().toBytes())).toBe(id);
    expect([second.removeReader(id), second.removeReader(id)]).toEqual([true, false]);
    second.end("two");
    await world.clock.runUntil(() => reader.isEnded, 60_000);
    expect(reader.text).toBe("one two");
    await second.halt();
  });

  it("keeps what a halt has kept, though the next session crashes", async () => {
    const { transport, memory, at, pass } = place();
    const store = new MemoryJournalStore();
    const capability = generateCapability();
    const open = (way: Transport) => Broadcast.open({ transport: way, store, capability, ...at });
    const first = await Broadcast.open({ transport, store, capability, ...at, autoStart: false });
    first.end(Buffer.alloc(5_000));
    await first.halt();
    const deaf = new LossyTransport(memory, { rttMs: 20, loss: 1, ...at });
    const second = await open(deaf);
    second.on("error", () => {});
    await pass(1_000);
    store.crash();
    const third = await open(transport);
    await pass(1_000);
    expect([third.writeOffset, third.writableEnded]).toEqual([5_000, true]);
    await third.halt();
  });

  it.each([86_399.5, 0.25, -1])("goes on after a Map has granted %d seconds", async (granted) => {
    const { memory, at, elapse } = place();
    const odd: Transport = {
      payloadSize: memory.payloadSize,
      put: async (frameId, cell, options) => {
        await memory.put(frameId, cell, options);
        return { ttlSeconds: granted };
      },
      get: (frameId, options) => memory.get(frameId, options),
    };
    const broadcast = new Broadcast(odd, at);
    broadcast.write("some");
    await elapse(broadcast.sync());
    const again = await Broadcast.load(odd, await broadcast.save(), at);
    expect(again.writeOffset).toBe(4);
    await again.halt();
  });

  it("keeps its frames alive though its machine's clock was set back meanwhile", async () => {
    const ttlSeconds = 100_000;
    const world = place({ ttlSecondsMax: ttlSeconds });
    const { memory, clock, at, elapse } = world;
    const options = { refreshSeconds: 0 };
    const first = new Broadcast(memory, { ...at, ...options });
    const start = first.capabilityAtStart();
    first.write("x".repeat(3_000));
    await elapse(first.sync());
    const state = await first.save();
    const setBack: Clock = {
      now: () => clock.now(),
      unixMs: () => clock.unixMs() - 400 * 86_400_000,
      schedule: (instant, run) => clock.schedule(instant, run),
    };
    const again = await Broadcast.load(memory, state, { clock: setBack, ...options });
    await clock.runUntil(clock.now() + 3_000 * ttlSeconds);
    const reader = new Listener(new Subscription(memory, start, at));
    await clock.runUntil(clock.now() + 10_000);
    expect(reader.text).toBe("x".repeat(3_000));
    await again.halt();
  });

  it("refuses a state that is none", async () => {
    const { transport, at } = place();
    const broadcast = new Broadcast(transport, at);
    broadcast.write("x");
    const state = await broadcast.save();
    const other = new MemoryTransport({ payloadSize: 300 });
    await expect(Broadcast.load(other, state)).rejects.toEqual(fails("CULVERT_GEOMETRY_CHANGED"));
    for (let at = 0; at < state.length; at += 7) {
      const cut = Broadcast.load(transport, state.slice(0, at));
      await expect(cut).rejects.toEqual(fails("CULVERT_BAD_STATE"));
      const turned = Broadcast.load(transport, withBitTurned(state, at));
      await expect(turned).rejects.toEqual(fails("CULVERT_BAD_STATE"));
    }
    const subscription = new Subscription(transport, broadcast.capability(), at);
    const position = await subscription.save();
    const notOurs = Broadcast.load(transport, position);
    await expect(notOurs).rejects.toEqual(fails("CULVERT_BAD_STATE"));
    for (let at = 0; at < position.length; at++) {
      const turned = Subscription.load(transport, withBitTurned(position, at));
      await expect(turned).rejects.toEqual(fails("CULVERT_BAD_STATE"));
    }
  });

  it("refuses a state that counts further than frames can be counted", async () => {
    const { transport, at } = place();
    const broadcast = new Broadcast(transport, at);
    const subscription = new Subscription(transport, broadcast.capability(), at);
    const beyond = Number.MAX_SAFE_INTEGER;
    const counts = { next: beyond, base: beyond, storedBelow: beyond };
    const written = Broadcast.load(transport, withFields(await broadcast.save(), counts));
    await expect(written).rejects.toEqual(fails("CULVERT_BAD_STATE"));
    const read = Subscription.load(transport, withFields(await subscription.save(), counts));
    await expect(read).rejects.toEqual(fails("CULVERT_BAD_STATE"));
  });

  it("is saved, as its readers are, by several who ask for it at once", async () => {
    const { transport, at } = place();
    const capability = generateCapability();
    const broadcast = await Broadcast.open({ ...at, transport, store: store(), capability });
    const read = capability.readCapability();
    const reader = await Subscription.open({ ...at, transport, store: store(), capability: read });
    for (const one of [broadcast, reader]) {
      const [first, second] = await Promise.all([one.save(), one.save()]);
      expect(second).toEqual(first);
    }
  });

  it("follows so many repair chains and no more", async () => {
    const { transport, at } = place();
    const broadcast = new Broadcast(transport, { ...at, repairReadersMax: 2 });
    const add = (): string => broadcast.addReader(generateCapability().readCapability());
    const id = add();
    add();
    expect(add).toThrow(fails("CULVERT_BUSY"));
    broadcast.removeReader(id);
    add();
    await broadcast.halt();
  });
});

const store = (): MemoryJournalStore => new MemoryJournalStore();

function withBitTurned(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)));
}

/** A saved state that says something else. */
function withFields(state: Uint8Array, changes: { [name: string]: CborValue }): Uint8Array {
  const fields = decodeCbor(withoutChecksum(state)) as { [name: string]: CborValue };
  return withChecksum(encodeCbor({ ...fields, ...changes }));
}
