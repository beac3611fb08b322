import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, test } from "vitest";
import { pattern, readAll } from "./virtual-pair.ts";

/** Gives the cells of another transport, and keeps each of them with what was in it. */
function keepingTransport(inner: Transport, handsOver: boolean, kind = plain) {
  const given: { readonly cell: Uint8Array; readonly before: Uint8Array }[] = [];
  const transport: Transport = {
    payloadSize: inner.payloadSize,
    ...(handsOver && { handsOver }),
    put: (frameId, cell, options) => inner.put(frameId, cell, options),
    async get(frameId, options) {
      const cell = kind(await inner.get(frameId, options));
      given.push({ cell, before: Uint8Array.from(cell) });
      return cell;
    },
  };
  const changed = (): number =>
    given.filter(({ cell, before }) => Buffer.compare(cell, before) !== 0).length;
  return { transport, changed, count: () => given.length };
}

const plain = (cell: Uint8Array): Uint8Array => cell;
const asBuffer = (cell: Uint8Array): Uint8Array => Buffer.from(cell.buffer);

async function carry(a: Transport, b: Transport, clock: VirtualClock): Promise<void> {
  const secret = generateSecret();
  const writer = Stream.listen(a, secret, { clock });
  const reader = Stream.dial(b, secret, { clock });
  const bytes = pattern(100 * a.payloadSize);
  writer.end(bytes);
  reader.end();
  expect(bytes.equals(await clock.runPromise(readAll(reader), 600_000))).toBe(true);
  await Promise.all([writer.halt(), reader.halt()]);
}

describe("a cell that a stream was given", () => {
  test.each([
    [1_024, "a plain array", plain],
    [1_024, "a Buffer", asBuffer],
    [32_768, "a plain array", plain],
    [32_768, "a Buffer", asBuffer],
  ])("is not written to unless it is handed over (%i bytes, %s)", async (size, _name, kind) => {
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ payloadSize: size, clock });
    const lent = keepingTransport(inner, false, kind);
    await carry(inner, lent.transport, clock);
    expect(lent.count()).toBeGreaterThan(100);
    expect(lent.changed()).toBe(0);
  });

  test("is not written to behind bad weather either", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ payloadSize: 1_024, clock });
    const lent = keepingTransport(inner, false);
    await carry(inner, new LossyTransport(lent.transport, { clock, rttMs: 10 }), clock);
    expect(lent.changed()).toBe(0);
  });

  test("is not written to when its transport was replaced before it came", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ payloadSize: 1_024, clock });
    const lent = keepingTransport(inner, false);
    const slow: Transport = {
      ...lent.transport,
      async get(frameId, options) {
        const cell = await lent.transport.get(frameId, options);
        await new Promise<void>((resolve) => clock.schedule(clock.now() + 50, resolve));
        return cell;
      },
    };
    const secret = generateSecret();
    const writer = Stream.listen(inner, secret, { clock });
    const reader = Stream.dial(slow, secret, { clock });
    writer.end("before");
    reader.end();
    const reading = readAll(reader);
    await clock.runUntil(clock.now() + 20);
    expect(lent.count()).toBeGreaterThan(0);
    reader.setTransport(inner);
    expect(String(await clock.runPromise(reading, 600_000))).toBe("before");
    expect(lent.changed()).toBe(0);
    await Promise.all([writer.halt(), reader.halt()]);
  });

  test("is opened where it lies when it is", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ payloadSize: 1_024, clock });
    const kept = keepingTransport(inner, true);
    await carry(inner, kept.transport, clock);
    expect(kept.changed()).toBeGreaterThan(100);
  });
});
