import { once } from "node:events";
import {
  Broadcast,
  CulvertError,
  capabilityToText,
  generateCapability,
  generateSecret,
  type Journal,
  type JournalChanges,
  type JournalStore,
  MemoryJournalStore,
  Stream,
  Subscription,
} from "culvert";
import { CountingTransport, type Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { deriveDirection, ReadCapability } from "../../../src/crypto/index.ts";
import { openFrame } from "../../../src/stream/frame/cell.ts";
import { DATA_CONTEXT, FrameKeys } from "../../../src/stream/frame/frame-keys.ts";
import { ForgetfulTransport, Listener, listen, place } from "./multicast-place.ts";

const fails = (code: string) => expect.objectContaining({ code });

describe("a subscription", () => {
  it("reads by text and bytes, and refuses what is neither", async () => {
    const world = place();
    const { transport, at } = world;
    const broadcast = new Broadcast(transport, at);
    const capability = broadcast.capability();
    const text = capabilityToText(capability);
    const folded = `${text.slice(0, 80).toUpperCase()}\n  ${text.slice(80).toUpperCase()}\n`;
    const readers = [text, folded, capability.toBytes()].map(
      (given) => new Listener(new Subscription(transport, given, at)),
    );
    broadcast.end("hello");
    await world.clock.runUntil(() => readers.every((reader) => reader.isEnded), 10_000);
    expect(readers.map((reader) => reader.text)).toEqual(["hello", "hello", "hello"]);
    const typo = `${text.slice(0, 30)}${text[30] === "q" ? "p" : "q"}${text.slice(31)}`;
    for (const bad of [typo, "", text.slice(0, -1), "culvertread1qqqq"]) {
      expect(() => new Subscription(transport, bad)).toThrow(fails("CULVERT_BAD_TICKET"));
    }
    const short = capability.toBytes().subarray(1);
    expect(() => new Subscription(transport, short)).toThrow(fails("CULVERT_BAD_CAPABILITY"));
    await broadcast.halt();
  });

  it("opens no frame from before it was given the right to", async () => {
    const { memory, at, elapse } = place();
    const cells: Uint8Array[] = [];
    const watched: Transport = {
      payloadSize: memory.payloadSize,
      put: (frameId, cell, options) => {
        cells.push(cell.slice());
        return memory.put(frameId, cell, options);
      },
      get: (frameId, options) => memory.get(frameId, options),
    };
    const broadcast = new Broadcast(watched, at);
    broadcast.write("x".repeat(3_000));
    await elapse(broadcast.sync());
    const earlier = cells.length;
    const keys = new FrameKeys(broadcast.capability().chain, 0, DATA_CONTEXT);
    broadcast.write("y".repeat(3_000));
    await elapse(broadcast.sync());
    const opens = (cell: Uint8Array): boolean => {
      const indexes = Array.from({ length: 50 }, (_, index) => index);
      return indexes.some((index) => openFrame(cell, keys.at(index), 200).kind !== "closed");
    };
    expect(earlier).toBeGreaterThan(20);
    expect(cells.slice(0, earlier).filter(opens)).toEqual([]);
    expect(cells.slice(earlier).every(opens)).toBe(true);
    await broadcast.halt();
  });

  it("puts nothing at all", async () => {
    const world = place({ loss: 0.3 });
    const broadcast = new Broadcast(world.transport, world.at);
    const counting = new CountingTransport(world.transport);
    const reader = new Listener(new Subscription(counting, broadcast.capability(), world.at));
    broadcast.end("z".repeat(5_000));
    await world.clock.runUntil(() => reader.isEnded, 600_000);
    expect(counting.counts.puts).toBe(0);
    await broadcast.halt();
  });

  it("refuses the stream of two peers", async () => {
    const { transport, at, clock, elapse } = place();
    const secret = generateSecret();
    const stream = Stream.listen(transport, secret, at);
    stream.write("for one pair of eyes");
    await elapse(new Promise((resolve) => stream.end(() => resolve(undefined))));
    const { seed: _, chain } = deriveDirection(secret, "listener");
    const root = generateCapability().root;
    for (const place of [chain, chain.next()]) {
      const capability = ReadCapability.of(root, place);
      const reader = new Listener(new Subscription(transport, capability, at));
      await clock.runUntil(() => reader.isOver, 10_000);
      expect(reader.error).toEqual(fails("CULVERT_PROTOCOL"));
      expect(reader.text).toBe("");
    }
    await stream.halt();
  });

  it("may close at any time, and nobody notices", async () => {
    const world = place();
    const broadcast = new Broadcast(world.transport, world.at);
    const [stays, leaves] = [listen(world, broadcast), listen(world, broadcast)];
    const text = "word ".repeat(2_000);
    broadcast.end(text);
    await world.clock.runUntil(() => leaves.text.length > 0, 10_000);
    await leaves.subscription.close();
    await world.clock.runUntil(() => stays.isEnded, 60_000);
    expect(stays.text).toBe(text);
    expect(leaves.text.length).toBeLessThan(text.length);
    await broadcast.halt();
    await stays.subscription.close();
    await world.pass(1_000);
    expect(world.clock.pending).toBe(0);
  });

  it("says behind which byte some are missing, though that is not read yet", async () => {
    const { memory, at, clock, elapse } = place();
    const forgetful = new ForgetfulTransport(memory, (put) => put === 2);
    const broadcast = new Broadcast(forgetful, at);
    const capability = broadcast.capability();
    for (const word of ["first ", "second ", "third "]) {
      broadcast.write(word);
      await elapse(broadcast.sync());
    }
    const options = { ...at, onLag: "skip" as const, gapLimitMs: 30_000 };
    const reader = new Subscription(memory, capability, options);
    const lags: number[][] = [];
    reader.on("lag", (...lag: number[]) => lags.push(lag));
    await clock.runUntil(() => reader.readableLength === 12, 3_600_000);
    expect(lags).toEqual([[1, 6]]);
    expect(String(reader.read(12))).toBe("first third ");
    await elapse(Promise.all([reader.close(), broadcast.halt()]));
  });

  it("says how many frames are gone, and ends or goes on", async () => {
    const world = place({ ttlSecondsMax: 600 });
    const { transport, at, clock, elapse } = world;
    const broadcast = new Broadcast(transport, { ...at, retainFrames: 5, retainSeconds: 86_400 });
    const capability = broadcast.capability();
    broadcast.write("old".repeat(1_000));
    await elapse(broadcast.sync());
    await clock.runUntil(clock.now() + 1_200_000);
    const kept = broadcast.capability().index - broadcast.capabilityAtStart().index;
    const frames = Number(broadcast.capabilityAtStart().index - capability.index);
    const strict = new Listener(new Subscription(transport, capability, at));
    const options = { ...at, onLag: "skip" as const, gapLimitMs: 30_000 };
    const lenient = new Listener(new Subscription(transport, capability, options));
    await clock.runUntil(() => strict.isOver && lenient.text.length > 0, 3_600_000);
    expect(kept).toBe(5n);
    expect(strict.error).toMatchObject({ code: "CULVERT_LAGGED", detail: { frames } });
    expect(lenient.lags).toEqual([frames]);
    expect(lenient.subscription.progress()).toMatchObject({
      skippedFrames: frames,
      isWhole: false,
    });
    broadcast.end("new");
    await clock.runUntil(() => lenient.isEnded, 60_000);
    expect("old".repeat(1_000).concat("new").endsWith(lenient.text)).toBe(true);
    await broadcast.halt();
  });

  it("gets what the Map has lost from the writer, if it may ask", async () => {
    const { memory, at, clock, elapse } = place();
    const lost = new Set([3, 7, 8, 20]);
    const forgetful = new ForgetfulTransport(memory, (put) => lost.delete(put));
    const broadcast = new Broadcast(forgetful, at);
    const capability = broadcast.capability();
    const text = "a word, ".repeat(400);
    broadcast.end(text);
    await elapse(broadcast.close());
    expect(forgetful.puts).toBe(broadcast.progress().keptFrames);
    const repair = generateCapability();
    const reader = new Listener(new Subscription(memory, capability, { ...at, repair }));
    broadcast.addReader(repair.readCapability());
    await clock.runUntil(() => reader.isOver, 300_000);
    expect(reader.text).toBe(text);
    expect(broadcast.progress().repairs).toBe(4);
    await broadcast.halt();
  });
});

describe("a subscription whose Map is out of reach for a while", () => {
  it("takes nothing for gone that it could not ask for", async () => {
    const world = place({ loss: 0.3 });
    const { transport, at, clock } = world;
    const way = { isOpen: true };
    const unreachable = () => Promise.reject(new CulvertError("CULVERT_UNREACHABLE"));
    const mobile: Transport = {
      payloadSize: transport.payloadSize,
      put: unreachable,
      get: async (frameId, options) => {
        const cell = way.isOpen ? await transport.get(frameId, options) : await unreachable();
        return way.isOpen ? cell : await unreachable();
      },
    };
    const broadcast = new Broadcast(transport, at);
    const text = "some words ".repeat(2_000);
    const capability = broadcast.capability();
    broadcast.end(text);
    await clock.runUntil(() => broadcast.progress().isAllStored, 3_600_000);
    const reader = new Listener(new Subscription(mobile, capability, at));
    const { subscription } = reader;
    await clock.runUntil(() => subscription.progress().framesInMemory > 3, 60_000);
    way.isOpen = false;
    await clock.runUntil(clock.now() + 3_600_000);
    way.isOpen = true;
    await clock.runUntil(() => reader.isOver, 3_600_000);
    expect([reader.error, reader.text === text]).toEqual([undefined, true]);
    await broadcast.halt();
  });
});

describe("a subscription that stops and goes on", () => {
  it("keeps a question that the Map has not answered", async () => {
    const { memory, at, clock } = place();
    const lost = new Set([3, 7]);
    const forgetful = new ForgetfulTransport(memory, (put) => lost.delete(put));
    const deaf: Transport = {
      payloadSize: memory.payloadSize,
      put: () => new Promise(() => {}),
      get: (frameId, options) => memory.get(frameId, options),
    };
    const broadcast = new Broadcast(forgetful, at);
    const capability = broadcast.capability();
    const text = "a word, ".repeat(200);
    broadcast.end(text);
    const repair = generateCapability();
    broadcast.addReader(repair.readCapability());
    const before = new Listener(new Subscription(deaf, capability, { ...at, repair }));
    // All the places that it may use without a receipt.
    await clock.runUntil(clock.now() + 500_000);
    const state = await before.subscription.save();
    const after = new Listener(await Subscription.load(memory, state, at));
    await clock.runUntil(() => after.isOver, 3_600_000);
    expect([after.error, before.text + after.text]).toEqual([undefined, text]);
    await broadcast.halt();
  });

  it("has taken what it was handed when it stops there", async () => {
    const { transport, at, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    const subscription = new Subscription(transport, broadcast.capability(), at);
    const saved = new Promise<Uint8Array>((resolve) => {
      subscription.once("data", () => resolve(subscription.save()));
    });
    broadcast.write("hello");
    const again = await Subscription.load(transport, await elapse(saved), at);
    expect(again.readOffset).toBe(5);
    await again.close();
    await broadcast.halt();
  });

  it("goes on where it was, and a copy of its state does no harm", async () => {
    const world = place({ loss: 0.2 });
    const { transport, at, clock } = world;
    const broadcast = new Broadcast(transport, at);
    const text = Array.from({ length: 800 }, (_, i) => `line ${i}\n`).join("");
    let subscription = new Subscription(transport, broadcast.capability(), {
      ...at,
      repair: generateCapability(),
    });
    broadcast.end(text);
    let got = "";
    const states: { state: Uint8Array; at: number }[] = [];
    for (let part = 1; part < 5; part++) {
      const piece = new Listener(subscription);
      await clock.runUntil(
        () => got.length + piece.text.length >= (text.length * part) / 5,
        60_000,
      );
      const state = await subscription.save();
      got += piece.text;
      states.push({ state, at: got.length });
      subscription = await Subscription.load(transport, state, at);
      expect(subscription.readOffset).toBe(got.length);
    }
    await subscription.close();
    for (const { state, at: offset } of [...states, ...states]) {
      const copy = new Listener(await Subscription.load(transport, state, at));
      await clock.runUntil(() => copy.isOver, 60_000);
      expect(copy.text).toBe(text.slice(offset));
    }
    await broadcast.halt();
  });

  it("lives in a store, delivers what was not confirmed again, and stays ended", async () => {
    const world = place();
    const { transport, at, clock } = world;
    const store = new MemoryJournalStore();
    const broadcast = new Broadcast(transport, at);
    const capability = broadcast.capability();
    const options = { transport, store, capability, ...at, confirm: "manual" as const };
    const text = "0123456789".repeat(100);
    broadcast.write(text);
    const first = await Subscription.open(options);
    await expect(Subscription.open(options)).rejects.toEqual(fails("CULVERT_STATE_IN_USE"));
    const one = new Listener(first);
    await clock.runUntil(() => one.text === text, 10_000);
    first.confirm(333);
    await clock.runUntil(clock.now() + 10);
    store.crash();
    const second = await Subscription.open(options);
    expect(second.readOffset).toBe(333);
    const two = new Listener(second);
    broadcast.end();
    await clock.runUntil(() => two.isEnded, 10_000);
    expect(two.text).toBe(text.slice(333));
    second.confirm(1_000);
    await clock.runUntil(() => second.destroyed, 10_000);
    const third = new Listener(await Subscription.open(options));
    await clock.runUntil(() => third.isEnded, 10_000);
    expect(third.text).toBe("");
    await broadcast.halt();
  });

  it("ends, wherever it crashed", async () => {
    const { transport, at, elapse } = place();
    const broadcast = new Broadcast(transport, at);
    const [capability, text] = [broadcast.capability(), "all of it. ".repeat(50)];
    broadcast.end(text);
    const heads: Uint8Array[] = [];
    const store = storeOf(undefined, ({ head }) => heads.push(head.slice()));
    const whole = await Subscription.open({ transport, capability, store, ...at });
    const closed = once(whole, "close");
    expect(await elapse(textOf(whole))).toBe(text);
    await elapse(closed);
    expect(heads.length).toBeGreaterThan(2);
    for (const head of heads) {
      const options = { transport, capability, store: storeOf(head), ...at };
      const again = await Subscription.open(options);
      const taken = text.slice(0, again.readOffset);
      expect(taken + (await elapse(textOf(again)))).toBe(text);
    }
    await broadcast.halt();
  });

  it("goes on after its place has been asked on by an older copy of itself", async () => {
    const { memory, at, clock, elapse } = place();
    const broadcast = new Broadcast(memory, at);
    const [capability, repair] = [broadcast.capability(), generateCapability()];
    broadcast.addReader(repair.readCapability());
    broadcast.write("x");
    await elapse(broadcast.sync());
    // Silence makes each of them ask, on the same places of one chain.
    for (let i = 0; i < 2; i++) {
      const reader = new Listener(new Subscription(memory, capability, { ...at, repair }));
      await clock.runUntil(clock.now() + 600_000);
      expect([reader.text, reader.error]).toEqual(["x", undefined]);
      await reader.subscription.close();
    }
    await broadcast.halt();
  });
});

/** A store with one journal in it, which begins with this head; tells what is committed. */
function storeOf(
  head: Uint8Array | undefined,
  committed: (changes: JournalChanges) => void = () => {},
): JournalStore {
  const open = async (): Promise<Journal> => {
    const journal = await new MemoryJournalStore().open("it");
    if (head !== undefined) await journal.commit({ head, put: [], remove: [] });
    return {
      load: () => journal.load(),
      read: (name) => journal.read(name),
      names: () => journal.names(),
      close: () => journal.close(),
      commit: (changes) => {
        committed(changes);
        return journal.commit(changes);
      },
    };
  };
  return { open };
}

async function textOf(subscription: Subscription): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of subscription) chunks.push(chunk);
  return `${Buffer.concat(chunks)}`;
}
