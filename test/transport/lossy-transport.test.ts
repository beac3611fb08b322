import {
  CountingTransport,
  LossyTransport,
  MemoryTransport,
  type Transport,
} from "culvert/transport";
import { describe, expect, it, test } from "vitest";
import {
  type TransportFixture,
  transportCompliance,
  VirtualClock,
} from "../../src/testing/index.ts";

const RTT_MS = 2_000;
const id = (n: number): Uint8Array => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
};
const CELL = new Uint8Array(8).fill(7);

type Options = ConstructorParameters<typeof LossyTransport>[1];

function world(options: Options = {}): {
  clock: VirtualClock;
  map: CountingTransport;
  lossy: LossyTransport;
} {
  const clock = new VirtualClock();
  const map = new CountingTransport(new MemoryTransport({ payloadSize: 8, clock }));
  return { clock, map, lossy: new LossyTransport(map, { rttMs: RTT_MS, clock, ...options }) };
}

/** When each promise was fulfilled; those that never were have no entry. */
async function arrivals(
  clock: VirtualClock,
  promises: Promise<unknown>[],
): Promise<Map<number, number>> {
  const at = new Map<number, number>();
  for (const [index, promise] of promises.entries()) {
    promise.then(
      () => at.set(index, clock.now()),
      () => {},
    );
  }
  await clock.runUntil(100 * RTT_MS);
  return at;
}

function compliance(options: Options): () => Promise<TransportFixture> {
  return async () => {
    const { clock, lossy } = world(options);
    return {
      writer: lossy,
      reader: lossy,
      elapse: (promise) => clock.runPromise(promise),
      teardown: async () => {},
    };
  };
}

describe("LossyTransport without loss keeps the contract of Transport", () => {
  transportCompliance(test, compliance({}));
});

describe("LossyTransport without loss or delay keeps the contract of Transport", () => {
  transportCompliance(test, compliance({ rttMs: 0 }));
});

describe("LossyTransport", () => {
  it("takes half the round trip for each leg", async () => {
    const { clock, map, lossy } = world();
    const put = lossy.put(id(1), CELL);
    await clock.runUntil(RTT_MS / 2 - 1);
    expect(map.counts.puts).toBe(0);
    await clock.runUntil(RTT_MS / 2);
    expect(map.counts.stored).toBe(1);
    await clock.runPromise(put);
    expect(clock.now()).toBe(RTT_MS);
  });

  it("answers a get that waited half a round trip after the put arrived", async () => {
    const { clock, lossy } = world();
    const got = lossy.get(id(1), { waitMs: 60_000 });
    await clock.runUntil(10_000);
    const put = lossy.put(id(1), CELL);
    await clock.runPromise(got);
    expect(clock.now()).toBe(10_000 + RTT_MS);
    await clock.runPromise(put);
  });

  it("loses requests and replies independently: a lost reply has had its effect", async () => {
    const { clock, map, lossy } = world({ loss: 0.3, seed: 11 });
    const count = 4_000;
    const puts = Array.from({ length: count }, (_, n) => lossy.put(id(n), CELL));
    const answered = await arrivals(clock, puts);
    expect(map.counts.stored / count).toBeCloseTo(0.7, 1);
    expect(answered.size / count).toBeCloseTo(0.49, 1);
    expect(map.counts.stored).toBeGreaterThan(answered.size);
  });

  it("repeats its weather with its seed, and changes it with another one", async () => {
    const run = async (seed: number): Promise<number[]> => {
      const { clock, lossy } = world({ loss: 0.5, jitterMs: 300, seed });
      const puts = Array.from({ length: 50 }, (_, n) => lossy.put(id(n), CELL));
      return [...(await arrivals(clock, puts)).entries()].flat();
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  it("lets a delayed leg be overtaken by later ones", async () => {
    const { clock, lossy } = world({ reorder: 0.3, seed: 3 });
    const puts = Array.from({ length: 100 }, (_, n) => lossy.put(id(n), CELL));
    const at = [...(await arrivals(clock, puts)).values()];
    expect(at).toHaveLength(100);
    expect(Math.max(...at)).toBeLessThanOrEqual(3 * RTT_MS);
    expect(at.filter((time) => time > RTT_MS).length).toBeGreaterThan(30);
  });

  it("delivers a duplicated request twice and answers once", async () => {
    const { clock, map, lossy } = world({ duplicate: 1 });
    await clock.runPromise(lossy.put(id(1), CELL));
    await clock.runUntil(10 * RTT_MS);
    expect(map.counts.puts).toBe(2);
  });

  it("changes one bit of a cell on its way back, never the Map's copy", async () => {
    const { clock, map, lossy } = world({ corrupt: 1 });
    await clock.runPromise(lossy.put(id(1), CELL));
    const cell = await clock.runPromise(lossy.get(id(1)));
    const bits = cell.reduce(
      (sum, byte) => sum + (byte ^ 7).toString(2).replaceAll("0", "").length,
      0,
    );
    expect(bits).toBe(1);
    expect(await map.get(id(1))).toEqual(CELL);
  });

  it("borrows no cell, which is under way for a while", async () => {
    const { clock, map } = world();
    const asked: unknown[] = [];
    const inner: Transport = {
      payloadSize: map.payloadSize,
      put: (...args) => map.put(...args),
      get: (frameId, options) => {
        asked.push(options?.isBorrowed);
        return map.get(frameId, options);
      },
    };
    await map.put(id(1), CELL);
    const lossy = new LossyTransport(inner, { rttMs: RTT_MS, clock });
    await clock.runPromise(lossy.get(id(1), { isBorrowed: true }));
    expect(asked).toEqual([false]);
  });

  it("never answers a lost get, but lets go of it when it is aborted", async () => {
    const { clock, lossy } = world({ loss: 1 });
    const controller = new AbortController();
    const got = lossy.get(id(1), { waitMs: 100, signal: controller.signal });
    const outcome = expect(got).rejects.toMatchObject({ name: "AbortError" });
    await clock.runUntil(1e9);
    controller.abort();
    await outcome;
  });

  it("lets a put that has left take effect after its abort, with the bytes of then", async () => {
    const { clock, map, lossy } = world();
    const controller = new AbortController();
    const cell = CELL.slice();
    const put = expect(lossy.put(id(1), cell, { signal: controller.signal })).rejects.toMatchObject(
      {
        name: "AbortError",
      },
    );
    controller.abort();
    await put;
    cell.fill(0);
    await clock.runUntil(RTT_MS);
    expect(await map.get(id(1))).toEqual(CELL);
  });

  it("takes back a get that waits at the Map when it is aborted", async () => {
    const { clock, map, lossy } = world();
    const controller = new AbortController();
    const got = expect(
      lossy.get(id(1), { waitMs: 60_000, signal: controller.signal }),
    ).rejects.toMatchObject({ name: "AbortError" });
    await clock.runUntil(RTT_MS);
    controller.abort();
    await got;
    await clock.runUntil(2 * RTT_MS);
    expect(clock.pending).toBe(0);
    expect(map.counts.failed).toBe(1);
  });

  it("binds what it wraps, under one weather", () => {
    const bound: Uint8Array[] = [];
    const inner: Transport = new MemoryTransport({ payloadSize: 8 });
    inner.bind = (keys) => {
      bound.push(keys.readRoot ?? new Uint8Array());
      return new MemoryTransport({ payloadSize: 8 });
    };
    const lossy = new LossyTransport(inner, { loss: 0.5 });
    const view = lossy.bind({ readRoot: id(9) });
    expect(view).toBeInstanceOf(LossyTransport);
    expect(view).not.toBe(lossy);
    expect(bound).toEqual([id(9)]);
    const plain = new LossyTransport(new MemoryTransport());
    expect(plain.bind({})).toBe(plain);
  });

  it("refuses weather that cannot be", () => {
    const inner = new MemoryTransport();
    for (const loss of [-0.1, 1.1, Number.NaN]) {
      expect(() => new LossyTransport(inner, { loss })).toThrow(RangeError);
    }
    expect(() => new LossyTransport(inner, { rttMs: -1 })).toThrow(RangeError);
    for (const value of ["0.5", "", null, true, [], 1n, undefined]) {
      for (const name of ["loss", "reorder", "duplicate", "corrupt", "rttMs", "jitterMs"]) {
        const options = { [name]: value };
        expect(() => new LossyTransport(inner, options)).toThrow(new RegExp(`^${name} must be`));
      }
    }
    expect(() => new LossyTransport(inner, { jitterMs: Number.POSITIVE_INFINITY })).toThrow(
      RangeError,
    );
  });
});

/** Throws where it should reject. */
const RASH: Transport = {
  payloadSize: 8,
  put: () => {
    throw new Error("rash");
  },
  get: () => {
    throw new Error("rash");
  },
};

it("rejects when the transport behind it throws, and no timer does", async () => {
  const clock = new VirtualClock();
  const counting = new CountingTransport(RASH);
  const lossy = new LossyTransport(RASH, { rttMs: RTT_MS, clock });
  for (const transport of [counting, lossy]) {
    await expect(clock.runPromise(transport.put(id(1), CELL))).rejects.toThrow("rash");
    await expect(clock.runPromise(transport.get(id(1)))).rejects.toThrow("rash");
  }
  expect(counting.counts.failed).toBe(2);
  // The clock is not the one who asked.
  const asked = lossy.put(id(2), CELL).catch((error: unknown) => error);
  clock.advance(10 * RTT_MS);
  await Promise.resolve();
  clock.advance(10 * RTT_MS);
  expect(await clock.runPromise(asked)).toEqual(new Error("rash"));
});
