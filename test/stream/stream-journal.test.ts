import {
  Broadcast,
  generateCapability,
  generateSecret,
  type JournalStore,
  MemoryJournalStore,
  Stream,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { streamIdOf } from "../../src/stream/secret.ts";
import { pattern, readAll } from "./virtual-pair.ts";

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const transport = new LossyTransport(map, { rttMs: 20, seed: 3, clock });
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  return { clock, transport, secret: generateSecret(), options: { clock }, elapse };
}

describe("the journal of a stream", () => {
  it("keeps nothing that nobody needs, however often the stream stops", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const b = Stream.dial(transport, secret, options);
    b.resume();
    const open = () => Stream.open({ transport, secret, role: "listener", store, ...options });
    for (let session = 0; session < 10; session++) {
      const a = await open();
      a.write(pattern(60_000));
      const already = a.progress().acknowledgedBytes;
      await clock.runUntil(() => a.progress().acknowledgedBytes > already, 60_000);
      await a.halt();
    }
    const last = await open();
    await elapse(last.sync());
    await last.halt();
    const again = await open();
    expect((await again.save()).length).toBeLessThan(4_000);
    await b.halt();
  });

  it("is read by one `save` after the other, when two are asked for at once", async () => {
    const { transport, secret, options, elapse } = place();
    const store = new MemoryJournalStore();
    const a = await Stream.open({ transport, secret, role: "listener", store, ...options });
    a.end(pattern(10_000));
    const states = await Promise.all([a.save(), a.save()]);
    expect(states[0]).toEqual(states[1]);
    states[1].fill(0); // as whoever is done with a secret does
    const again = await Stream.load(transport, states[0], options);
    const b = Stream.dial(transport, secret, options);
    expect((await elapse(readAll(b))).equals(pattern(10_000))).toBe(true);
    await Promise.all([again.halt(), b.halt()]);
  });

  it("has the frames, and not with each of them all that waits for one", async () => {
    const { transport, secret, options, elapse } = place();
    const memory = new MemoryJournalStore();
    let longest = 0;
    const store: JournalStore = {
      open: async (id) => {
        const journal = await memory.open(id);
        const commit = journal.commit.bind(journal);
        journal.commit = (changes) => {
          longest = Math.max(longest, changes.head.length);
          return commit(changes);
        };
        return journal;
      },
    };
    const a = await Stream.open({ transport, secret, role: "listener", store, ...options });
    a.end(pattern(2_000_000));
    await elapse(a.close());
    expect(longest).toBeLessThan(4_000);
    await a.halt();
  });

  it("keeps what a halt has kept until it is in frames, however often it crashes", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const shared = { transport, secret, role: "listener", store, ...options } as const;
    const open = () => Stream.open({ ...shared, unacknowledgedFramesMax: 4 });
    const first = await open();
    first.end(pattern(20_000));
    await clock.runUntil(clock.now() + 1_000);
    await first.halt();
    for (let session = 0; session < 3; session++) {
      const again = await open();
      again.on("error", () => {});
      expect([again.writeOffset, again.writableEnded]).toEqual([20_000, true]);
      await clock.runUntil(clock.now() + 1_000);
      store.crash();
    }
    const last = await open();
    const b = Stream.dial(transport, secret, options);
    b.end();
    expect((await elapse(readAll(b))).equals(pattern(20_000))).toBe(true);
    await Promise.all([last.halt(), b.halt()]);
  });

  it("keeps all of the frames alive after a restart, not only the first", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const ttlSeconds = 10_000;
    const shared = { transport, secret, role: "listener", store, ttlSeconds, ...options } as const;
    const a = await Stream.open(shared);
    a.end(pattern(100_000));
    // Nobody reads. The first frame is put again whenever the writer asks for a sign of life.
    await clock.runUntil(5_000_000);
    await a.halt();
    const again = await Stream.open(shared);
    await clock.runUntil(10_500_000);
    await again.halt();
    const b = Stream.dial(transport, secret, options);
    expect((await elapse(readAll(b))).equals(pattern(100_000))).toBe(true);
    await b.halt();
  });
});

describe("a stream that was destroyed after its end, and could not say all in time", () => {
  it("has left all of it in its store", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const shared = { secret, role: "listener", store, ...options } as const;
    const deaf = new LossyTransport(new MemoryTransport(options), { loss: 1, ...options });
    const first = await Stream.open({ transport: deaf, ...shared });
    first.end(pattern(500_000));
    first.destroy();
    await clock.runUntil(clock.now() + 120_000);
    expect(clock.pending).toBe(0);
    const again = await Stream.open({ transport, ...shared });
    expect([again.writeOffset, again.writableEnded]).toEqual([500_000, true]);
    const b = Stream.dial(transport, secret, options);
    b.end();
    expect((await elapse(readAll(b))).equals(pattern(500_000))).toBe(true);
    await Promise.all([again.halt(), b.halt()]);
  });
});

it("what a crash has left in a journal, and no state needs, does not stay there", async () => {
  const { transport, secret, options } = place();
  const store = new MemoryJournalStore();
  const capability = generateCapability();
  const sessions = [
    () => Stream.open({ transport, secret, role: "listener", store, ...options }),
    () => Broadcast.open({ transport, store, capability, ...options }),
  ];
  const ids = [capabilitiesOf(secret, "listener").write, capability].map(({ root }) =>
    streamIdOf(root),
  );
  for (const [at, open] of sessions.entries()) {
    await (await open()).halt();
    const journal = await store.open(ids[at] ?? "");
    const head = (await journal.load()) ?? new Uint8Array(0);
    await journal.commit({ head, put: [{ name: "d99", bytes: new Uint8Array(1) }], remove: [] });
    await journal.close();
    await (await open()).halt();
    const after = await store.open(ids[at] ?? "");
    expect(await after.names()).not.toContain("d99");
    await after.close();
  }
});
