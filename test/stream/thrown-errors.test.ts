import { once } from "node:events";
import {
  Broadcast,
  generateCapability,
  generateSecret,
  type JournalStore,
  MemoryJournalStore,
  Stream,
} from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { readAll } from "./virtual-pair.ts";

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 60_000);
  return { clock, map, secret: generateSecret(), elapse };
}

it("a transport that throws instead of rejecting is in trouble, and asked again", async () => {
  const { clock, map, secret, elapse } = place();
  let isDown = true;
  const mayAsk = (): void => {
    if (isDown) throw new Error("not connected");
  };
  const flaky: Transport = {
    payloadSize: map.payloadSize,
    put: (...args) => {
      mayAsk();
      return map.put(...args);
    },
    get: (...args) => {
      mayAsk();
      return map.get(...args);
    },
  };
  const a = Stream.listen(flaky, secret, { clock });
  const warned = once(a, "warning");
  a.end("patience");
  expect(await elapse(warned)).toMatchObject([{ code: "CULVERT_UNREACHABLE" }]);
  isDown = false;
  const b = Stream.dial(map, secret, { clock });
  expect(`${await elapse(readAll(b))}`).toBe("patience");
  await Promise.all([a.halt(), b.halt()]);
});

it.each<[string, () => unknown]>([
  ["a promise of nothing", async () => undefined],
  ["a promise of null", async () => null],
  ["no promise", () => undefined],
])("a get that gives %s ends nothing, and is asked again", async (_, odd) => {
  const { clock, map, secret, elapse } = place();
  let gets = 0;
  const careless: Transport = {
    payloadSize: map.payloadSize,
    put: (...args) => map.put(...args),
    get: (...args) => (gets++ % 2 === 0 ? (odd() as Promise<Uint8Array>) : map.get(...args)),
  };
  const a = Stream.listen(careless, secret, { clock });
  const b = Stream.dial(careless, secret, { clock });
  const warned = once(b, "warning");
  a.end("patience");
  expect(`${await elapse(readAll(b))}`).toBe("patience");
  await elapse(warned);
  await Promise.all([a.halt(), b.halt()]);
});

it("a put that gives no promise has been done", async () => {
  const { clock, map, secret, elapse } = place();
  const careless: Transport = {
    payloadSize: map.payloadSize,
    put: (...args) => void map.put(...args) as unknown as Promise<never>,
    get: (...args) => map.get(...args),
  };
  const a = Stream.listen(careless, secret, { clock });
  const b = Stream.dial(careless, secret, { clock });
  a.end("patience");
  expect(`${await elapse(readAll(b))}`).toBe("patience");
  await Promise.all([a.halt(), b.halt()]);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, "100"])(
  "a put that grants %s is put again when what was asked for is over",
  async (ttlSeconds) => {
    const { clock, map, secret } = place();
    let puts = 0;
    const careless: Transport = {
      payloadSize: map.payloadSize,
      put: async (...args) => {
        puts += 1;
        await map.put(...args);
        return { ttlSeconds: ttlSeconds as number };
      },
      get: (...args) => map.get(...args),
    };
    const a = Stream.listen(careless, secret, { clock, ttlSeconds: 3_600 });
    a.write("unread");
    await clock.runUntil(clock.now() + 1_000);
    expect(a.progress().expiresAt).toBeLessThanOrEqual(clock.now() + 3_600_000);
    const before = puts;
    await clock.runUntil(clock.now() + 3_600_000);
    expect(puts).toBeGreaterThan(before);
    expect(puts).toBeLessThan(before + 100);
    await a.halt();
  },
);

it("a journal that breaks when its stream is halted says so by a code", async () => {
  const { clock, map, secret } = place();
  const memory = new MemoryJournalStore();
  const store: JournalStore = {
    open: async (id) => {
      const journal = await memory.open(id);
      journal.commit = () => Promise.reject(new Error("disk full"));
      return journal;
    },
  };
  const idle = { transport: map, store, clock, autoStart: false } as const;
  const capability = generateCapability();
  for (const one of [
    await Stream.open({ ...idle, secret, role: "listener" }),
    await Broadcast.open({ ...idle, capability }),
  ]) {
    one.on("error", () => undefined);
    await expect(one.halt()).rejects.toMatchObject({ code: "CULVERT_JOURNAL" });
  }
});

it("a journal that throws instead of rejecting ends the stream", async () => {
  const { clock, map, secret, elapse } = place();
  const memory = new MemoryJournalStore();
  const store: JournalStore = {
    open: async (id) => {
      const journal = await memory.open(id);
      journal.commit = () => {
        throw new Error("disk full");
      };
      return journal;
    },
  };
  const a = await Stream.open({ transport: map, store, secret, role: "listener", clock });
  const failed = once(a, "error");
  a.end("never");
  expect(await elapse(failed)).toMatchObject([{ code: "CULVERT_JOURNAL" }]);
  await a.halt();
});
