import {
  Broadcast,
  generateCapability,
  generateSecret,
  type JournalChanges,
  type JournalStore,
  MemoryJournalStore,
  Stream,
  Subscription,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { pattern, readAll } from "./virtual-pair.ts";

const BYTES = pattern(1_000_000);

/** A store in memory that counts what is written to it, and tells what it has. */
class CountingStore implements JournalStore {
  readonly #memory = new MemoryJournalStore();
  readonly lengths = new Map<string, number>();
  written = 0;
  lastId = "";

  async open(id: string) {
    this.lastId = id;
    const journal = await this.#memory.open(id);
    const commit = journal.commit.bind(journal);
    journal.commit = (changes) => {
      this.#note(changes);
      return commit(changes);
    };
    return journal;
  }

  #note({ head, put, remove }: JournalChanges): void {
    this.written += head.length;
    for (const { name, bytes } of put) {
      this.written += bytes.length;
      this.lengths.set(name, bytes.length);
    }
    for (const name of remove) this.lengths.delete(name);
  }
}

function place() {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock });
  onTestFinished(() => transport.close());
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  return { clock, transport, store: new CountingStore(), elapse };
}

it("a stream writes what a halt has kept once, and not with every frame", async () => {
  const { clock, transport, store, elapse } = place();
  const secret = generateSecret();
  const shared = { transport, store, secret, role: "listener", clock } as const;
  const first = await Stream.open({ ...shared, autoStart: false });
  first.end(BYTES);
  await first.halt();
  const again = await Stream.open(shared);
  const b = Stream.dial(transport, secret, { clock });
  b.end();
  expect((await elapse(readAll(b))).equals(BYTES)).toBe(true);
  await elapse(again.sync());
  expect(store.written).toBeLessThan(4 * BYTES.length);
  expect(Math.max(...store.lengths.values(), 0)).toBeLessThan(4_000);
  await Promise.all([again.halt(), b.halt()]);
});

it("a broadcast does so, too", async () => {
  const { clock, transport, store, elapse } = place();
  const shared = { transport, store, capability: generateCapability(), clock };
  const first = await Broadcast.open({ ...shared, autoStart: false });
  first.end(BYTES);
  await first.halt();
  const again = await Broadcast.open(shared);
  await elapse(again.close());
  expect([again.writeOffset, again.progress().storedBytes]).toEqual([1_000_000, 1_000_000]);
  expect(store.written).toBeLessThan(4 * BYTES.length);
  expect(Math.max(...store.lengths.values())).toBeLessThan(4_000);
  await again.halt();
});

it("what a halt has kept and the store has lost is missed", async () => {
  const { clock, transport, store } = place();
  const shared = { transport, store, secret: generateSecret(), role: "listener", clock } as const;
  const first = await Stream.open({ ...shared, autoStart: false });
  first.end("all that was written");
  await first.halt();
  const journal = await store.open(store.lastId);
  const head = (await journal.load()) as Uint8Array;
  await journal.commit({ head, put: [], remove: await journal.names() });
  await journal.close();
  const refused = expect.objectContaining({ code: "CULVERT_BAD_STATE" });
  await expect(Stream.open(shared)).rejects.toThrow(refused);
});

type Opened = Stream | Broadcast;
type Open = (shared: ReturnType<typeof place>) => () => Promise<Opened>;

const openStream: Open = ({ transport, store, clock }) => {
  const secret = generateSecret();
  const role = "listener";
  return () => Stream.open({ transport, store, clock, secret, role, endsAsSocket: true });
};
const openBroadcast: Open = ({ transport, store, clock }) => {
  const capability = generateCapability();
  return () => Broadcast.open({ transport, store, clock, capability });
};

it.each<[string, Open, (opened: Opened) => Promise<unknown>]>([
  ["halt of a stream", openStream, (stream) => stream.halt()],
  ["destroy as a socket", openStream, async (stream) => stream.destroy()],
  ["halt of a broadcast", openBroadcast, (broadcast) => broadcast.halt()],
])("%s takes what was written, not all that comes of it", async (_what, opener, end) => {
  const shared = place();
  const { clock, elapse } = shared;
  const open = opener(shared);
  const writer = await open();
  const piece = pattern(5_000);
  let calls = 0;
  let written = 0;
  const write = (called?: (error?: Error | null) => void): void => {
    written += piece.length;
    writer.write(piece, called);
  };
  const next = (error?: Error | null): void => {
    if (error) return;
    if (++calls > 5_000) throw new Error("it has no end");
    write(next);
  };
  next();
  await clock.runUntil(() => writer.writableLength > 0, 1_000);
  for (let more = 0; more < 5; more++) write();
  const before = written;
  await elapse(end(writer));
  await elapse(writer.halt());
  const again = await open();
  expect(again.writeOffset).toBeGreaterThanOrEqual(before);
  await elapse(again.halt());
});

it("a stream that is corked keeps what Node holds back of it", async () => {
  const { clock, transport, elapse } = place();
  const secret = generateSecret();
  const first = Stream.listen(transport, secret, { clock });
  for (const word of ["some ", "words"]) {
    first.cork();
    first.write(word);
  }
  await first.halt();
  const again = await Stream.load(transport, await elapse(first.save()), { clock });
  const b = Stream.dial(transport, secret, { clock });
  again.end();
  expect(`${await elapse(readAll(b))}`).toBe("some words");
  await Promise.all([again.halt(), b.halt()]);
});

it("a stream makes one commit after the other, the last one too", async () => {
  const { clock, transport, elapse } = place();
  const memory = new MemoryJournalStore();
  let [open, most] = [0, 0];
  const store: JournalStore = {
    open: async (id) => {
      const journal = await memory.open(id);
      const commit = journal.commit.bind(journal);
      journal.commit = async (changes) => {
        most = Math.max(most, ++open);
        await new Promise<void>((resolve) => clock.schedule(clock.now() + 50, resolve));
        await commit(changes);
        open -= 1;
      };
      return journal;
    },
  };
  const secret = generateSecret();
  const opening = Stream.open({ transport, store, secret, role: "listener", clock });
  const stream = await elapse(opening);
  stream.write("some");
  await clock.runUntil(() => open > 0, 1_000);
  await elapse(stream.halt());
  expect([most, open]).toEqual([1, 0]);
});

it.each([0, 3])(
  "a broadcast that ends behind %d chunks and is halted at once has ended",
  async (count) => {
    const { clock, transport, elapse } = place();
    const options = { clock, writeBufferBytes: 1_000, autoStart: false };
    const first = new Broadcast(transport, options);
    const capability = first.capability();
    for (let i = 0; i < count; i++) first.write(new Uint8Array(2_000));
    first.end();
    const again = await Broadcast.load(transport, await elapse(first.save()), { clock });
    expect(again.writableEnded).toBe(true);
    const reader = new Subscription(transport, capability, { clock });
    const chunks: Buffer[] = await elapse(reader.toArray());
    expect(Buffer.concat(chunks)).toHaveLength(2_000 * count);
    await again.halt();
  },
);

it("a broadcast is not in the Map before its end is", async () => {
  const { clock, transport, elapse } = place();
  const slow = new LossyTransport(transport, { rttMs: 100, jitterMs: 400, seed: 3, clock });
  for (let i = 0; i < 5; i++) {
    const broadcast = new Broadcast(slow, { clock });
    broadcast.end("some");
    const isFinished = broadcast.sync().then(() => broadcast.writableFinished);
    expect(await elapse(isFinished)).toBe(true);
    await broadcast.halt();
  }
});
