import { CountingTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, test } from "vitest";
import { transportCompliance, VirtualClock } from "../../src/testing/index.ts";

const id = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const CELL = new Uint8Array(8).fill(7);

describe("CountingTransport keeps the contract of Transport", () => {
  transportCompliance(test, async () => {
    const clock = new VirtualClock();
    const counting = new CountingTransport(new MemoryTransport({ payloadSize: 64, clock }));
    return {
      writer: counting,
      reader: counting,
      elapse: (promise) => clock.runPromise(promise),
      teardown: async () => {},
    };
  });
});

describe("CountingTransport", () => {
  it("counts requests, answers, bytes and kinds of cells", async () => {
    const counting = new CountingTransport(new MemoryTransport({ payloadSize: 8 }));
    await counting.put(id(1), CELL);
    await counting.put(id(2), CELL);
    await counting.get(id(1));
    await expect(counting.get(id(3))).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
    await expect(counting.put(id(3), new Uint8Array(3))).rejects.toThrow();
    expect(counting.counts).toEqual({
      puts: 3,
      gets: 2,
      stored: 2,
      got: 1,
      failed: 2,
      bytesPut: 19,
      bytesGot: 8,
      cellLengths: new Set([8, 3]),
    });
  });

  it("shows every request and answer as it passes", async () => {
    const seen: string[] = [];
    const counting = new CountingTransport(new MemoryTransport({ payloadSize: 8 }), {
      observe: (event) =>
        seen.push(`${event.kind} ${event.frameId[0]} ${event.cell?.length ?? "-"}`),
    });
    await counting.put(id(1), CELL);
    await counting.get(id(1));
    await expect(counting.get(id(2))).rejects.toThrow();
    expect(seen).toEqual(["put 1 8", "stored 1 -", "get 1 -", "got 1 8", "get 2 -", "failed 2 -"]);
  });

  it("counts what its bound views do", async () => {
    const inner: Transport = new MemoryTransport({ payloadSize: 8 });
    inner.bind = () => new MemoryTransport({ payloadSize: 8 });
    const counting = new CountingTransport(inner);
    await counting.bind({}).put(id(1), CELL);
    expect(counting.counts.stored).toBe(1);
    const plain = new CountingTransport(new MemoryTransport());
    expect(plain.bind({})).toBe(plain);
  });
});
