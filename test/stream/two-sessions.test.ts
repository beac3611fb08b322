import { once } from "node:events";
import { Broadcast, generateCapability, generateSecret, Stream, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { pattern } from "./virtual-pair.ts";

const fails = (code: string) => expect.objectContaining({ code });

interface Place {
  readonly clock: VirtualClock;
  readonly map: MemoryTransport;
  readonly at: { readonly clock: VirtualClock };
  elapse<T>(promise: Promise<T>): Promise<T>;
}

function place(): Place {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 200 });
  onTestFinished(() => map.close());
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  return { clock, map, at: { clock }, elapse };
}

/** Loses one cell of all: whatever is put at the place of the first put, as often as it is. */
function losingTheFirst(map: Transport): Transport {
  let lost: Uint8Array | undefined;
  return {
    payloadSize: map.payloadSize,
    put: (frameId, cell, options) => {
      lost ??= frameId.slice();
      const isLost = Buffer.compare(lost, frameId) === 0;
      return isLost ? new Promise(() => {}) : map.put(frameId, cell, options);
    },
    get: (frameId, options) => map.get(frameId, options),
  };
}

/** All bytes that come before the error, and its code. */
async function readUntilError(stream: Stream | Subscription): Promise<[Buffer, unknown]> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [error] = await once(stream, "error");
  return [Buffer.concat(chunks), error];
}

const OLD = pattern(2_000, 1);
const NEW = pattern(2_000, 2);

describe("frames of two sessions of one writer, of which the Map has lost one", () => {
  it("are never joined by the reader of a stream", async () => {
    const { map, at, elapse, clock } = place();
    const secret = generateSecret();
    const first = Stream.listen(losingTheFirst(map), secret, at);
    first.write(OLD);
    await clock.runUntil(clock.now() + 5_000);
    await first.halt();
    const reader = Stream.dial(map, secret, at);
    const read = readUntilError(reader);
    const second = Stream.listen(map, secret, at);
    const told = once(second, "error").then(([error]) => error);
    second.write(NEW);
    const [bytes, error] = await elapse(read);
    expect(error).toEqual(fails("CULVERT_PROTOCOL"));
    expect(bytes.length).toBeGreaterThan(100);
    expect(bytes.equals(NEW.subarray(0, bytes.length))).toBe(true);
    expect(await elapse(told)).toEqual(fails("CULVERT_SECRET_USED"));
  });

  it("are never joined by the reader of a broadcast", async () => {
    const { map, at, elapse, clock } = place();
    const capability = generateCapability();
    const first = new Broadcast(losingTheFirst(map), { ...at, capability });
    first.write(OLD);
    await clock.runUntil(clock.now() + 5_000);
    await first.halt();
    const second = new Broadcast(map, { ...at, capability });
    const told = once(second, "error").then(([error]) => error);
    const reader = new Subscription(map, second.capability(), at);
    const read = readUntilError(reader);
    second.write(NEW);
    const [bytes, error] = await elapse(read);
    expect(error).toEqual(fails("CULVERT_PROTOCOL"));
    expect(bytes.length).toBeGreaterThan(100);
    expect(bytes.equals(NEW.subarray(0, bytes.length))).toBe(true);
    expect(await elapse(told)).toBeInstanceOf(Error);
  });
});
