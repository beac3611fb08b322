import { once } from "node:events";
import { Broadcast, CulvertError, generateCapability, MemoryJournalStore, Stream } from "culvert";
import type { Transport } from "culvert/transport";
import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../src/base/index.ts";
import { withChecksum } from "../../src/io/checksum.ts";
import { StreamCore } from "../../src/stream/core/stream-core.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { BroadcastCore } from "../../src/stream/multicast/broadcast-core.ts";
import { encodeWholeBroadcast } from "../../src/stream/multicast/broadcast-state.ts";
import { resolveBroadcastOptions } from "../../src/stream/multicast/options.ts";
import { resolveOptions } from "../../src/stream/options.ts";
import { encodeWholeState } from "../../src/stream/saved/state-codec.ts";
import { place } from "./stream-place.ts";

describe("a stream that was given up, and is opened again", () => {
  it.each([
    ["with a code", 7],
    ["with the largest", 0xffff],
    ["without", 0],
  ])("stays aborted, %s, and the peer still learns of it", async (_, code) => {
    const { transport, secret, options, elapse } = place();
    const store = new MemoryJournalStore();
    const a = await Stream.open({ transport, secret, role: "listener", store, ...options });
    const b = Stream.dial(transport, secret, options);
    a.write("some");
    await elapse(once(b, "readable"));
    if (code === 0) a.destroy();
    else a.reset(code);
    await a.halt();
    const again = await Stream.open({ transport, secret, role: "listener", store, ...options });
    const [error, peer] = await elapse(Promise.all([once(again, "error"), once(b, "error")]));
    expect(error).toEqual([expect.objectContaining({ code: "CULVERT_CLOSED" })]);
    expect(peer).toMatchObject([{ code: "CULVERT_PEER_ABORTED", remote: true, detail: { code } }]);
    await Promise.all([again.halt(), b.halt()]);
  });

  it("tells why on what this session seals, if the Map had no word of it before", async () => {
    const { transport, secret, options, elapse, clock } = place();
    const store = new MemoryJournalStore();
    const sealed = new Set<string>();
    const lost = (): Promise<never> => Promise.reject(new CulvertError("CULVERT_UNREACHABLE"));
    const nowhere: Transport = {
      payloadSize: transport.payloadSize,
      put: (_, cell) => {
        sealed.add(toHex(cell));
        return lost();
      },
      get: lost,
    };
    const withoutThose: Transport = {
      payloadSize: transport.payloadSize,
      put: (id, cell, how) => (sealed.has(toHex(cell)) ? lost() : transport.put(id, cell, how)),
      get: (id, how) => transport.get(id, how),
    };
    const end = { secret, role: "listener", store, ...options } as const;
    const a = await Stream.open({ ...end, transport: nowhere });
    a.on("error", () => {}).write("never told");
    a.reset(7);
    await clock.runUntil(() => sealed.size >= 2, 60_000);
    await a.halt();
    const b = Stream.dial(transport, secret, options);
    const failed = once(b, "error");
    b.write("whoever waits for an answer hears of acknowledgements");
    const again = await Stream.open({ ...end, transport: withoutThose });
    again.on("error", () => {});
    expect(await elapse(failed)).toMatchObject([{ detail: { code: 7 } }]);
    await Promise.all([again.halt(), b.halt()]);
  });
});

describe("what was written and is given up", () => {
  const CHUNKS = 10;
  const CHUNK_BYTES = 100_000;

  it.each([
    ["destroy", (stream: Stream) => stream.destroy()],
    ["destroy with an error", (stream: Stream) => stream.destroy(new Error("enough"))],
    ["reset", (stream: Stream) => stream.reset(1)],
  ])("still counts as written to a stream, after %s", async (_, giveUp) => {
    const { transport, secret, options, clock } = place();
    const stream = Stream.listen(transport, secret, options).on("error", () => {});
    for (let chunk = 0; chunk < CHUNKS; chunk++) stream.write(new Uint8Array(CHUNK_BYTES));
    await clock.runUntil(clock.now() + 1);
    const before = stream.progress();
    expect(before.writtenBytes).toBeLessThan(CHUNKS * CHUNK_BYTES);
    giveUp(stream);
    expect(stream.bytesWritten).toBe(CHUNKS * CHUNK_BYTES);
    await clock.runUntil(clock.now() + 1_000);
    expect(stream.bytesWritten).toBe(CHUNKS * CHUNK_BYTES);
    expect(stream.progress().writtenBytes).toBeGreaterThanOrEqual(before.writtenBytes);
    await stream.halt();
  });

  it("still counts as written to a broadcast", async () => {
    const { transport, options, clock } = place();
    const broadcast = new Broadcast(transport, options);
    broadcast.write(new Uint8Array(CHUNK_BYTES));
    await clock.runUntil(clock.now() + 1);
    expect(broadcast.progress().framedBytes).toBeLessThan(CHUNK_BYTES);
    broadcast.destroy();
    expect(broadcast.progress().writtenBytes).toBe(CHUNK_BYTES);
    await clock.runUntil(clock.now() + 1_000);
    expect(broadcast.progress().writtenBytes).toBe(CHUNK_BYTES);
    await broadcast.halt();
  });
});

it("what was over before anybody could be told is over when it is loaded", async () => {
  const { transport, secret, options } = place();
  const given = { cellBytes: transport.payloadSize, random: new SeededRandom(1) };
  const stream = new StreamCore({
    ...{ ...capabilitiesOf(secret, "listener"), ...given },
    options: resolveOptions(),
  }).state();
  const broadcast = new BroadcastCore({
    ...{ write: generateCapability(), ...given },
    options: resolveBroadcastOptions({}),
  }).state();
  const frames = new Map();
  const over = { isDone: true };
  const saved = [
    encodeWholeState({ state: { ...stream, ...over }, frames }),
    encodeWholeBroadcast({ state: { ...broadcast, ...over }, frames }),
  ].map((bytes) => withChecksum(bytes));
  const [ofStream = new Uint8Array(0), ofBroadcast = new Uint8Array(0)] = saved;
  for (const load of [
    () => Stream.load(transport, ofStream, options),
    () => Broadcast.load(transport, ofBroadcast, options),
  ]) {
    const [error] = await once(await load(), "error");
    expect(error).toMatchObject({ code: "CULVERT_CLOSED" });
  }
});
