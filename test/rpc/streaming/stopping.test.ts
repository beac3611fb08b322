import { describe, expect, it } from "vitest";
import { onAbort } from "../../../src/base/index.ts";
import { clientStream, duplex, Service, serverStream, TEXT } from "../../../src/rpc/index.ts";
import { StreamCaller } from "../../../src/rpc/streaming/stream-caller.ts";
import { STREAM_CALL_LIMITS } from "../../../src/rpc/streaming/stream-limits.ts";
import { StreamService } from "../../../src/rpc/streaming/stream-service.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const peer = new Uint8Array(32);
const TOTAL_MS = 1_000;
const manifest = {
  flood: serverStream({ request: TEXT, down: TEXT }),
  sum: clientStream({ up: TEXT, reply: TEXT }),
  echo: duplex({ up: TEXT, down: TEXT }),
};

/** Handlers that look at nothing but their items; `ended` says when each has come to its end. */
function rig() {
  const [mine, theirs] = MemoryStream.pair();
  const clock = new VirtualClock();
  const ended: number[] = [];
  const service = Service.of(
    manifest,
    {
      async *flood(line) {
        try {
          for (;;) yield line;
        } finally {
          ended.push(clock.now());
        }
      },
      sum: async (items) => {
        let sum = "";
        try {
          for await (const item of items) sum += item;
        } finally {
          ended.push(clock.now());
        }
        return sum;
      },
      async *echo(items) {
        try {
          yield* items;
        } finally {
          ended.push(clock.now());
        }
      },
    },
    { clock },
  );
  // The caller would wait for longer.
  const limits = { ...STREAM_CALL_LIMITS, totalMs: TOTAL_MS };
  const serving = new StreamService(service, clock, limits);
  const served = serving.serve(peer, theirs);
  const streams = { openStream: async () => mine, onStream: () => {} };
  const asking = new StreamCaller(streams, clock, STREAM_CALL_LIMITS);
  return { clock, ended, serving, served, asking };
}

/** Items that never come. */
const silence: AsyncIterable<string> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
};

describe("a handler that waits for its caller when its time is over", () => {
  it("is told by the items that it waits for", async () => {
    const { clock, ended, served, asking } = rig();
    const target = { peer, method: "sum", kind: "clientStream" } as const;
    const asked = asking.send(target, { items: silence, up: TEXT, reply: TEXT }, {});
    const failed = asked.catch((error: unknown) => error);
    expect(await clock.runPromise(failed, 2_000)).toMatchObject({
      ...{ code: "CULVERT_TIMEOUT", remote: true },
    });
    await clock.runPromise(served, 10_000);
    expect(ended).toEqual([TOTAL_MS]);
  });

  it("is told by them when it gives items, too", async () => {
    const { clock, ended, served, asking } = rig();
    const target = { peer, method: "echo", kind: "duplex" } as const;
    const lines = asking.exchange(target, { items: silence, up: TEXT, down: TEXT }, {});
    const failed = lines.next().catch((error: unknown) => error);
    expect(await clock.runPromise(failed, 2_000)).toMatchObject({
      ...{ code: "CULVERT_TIMEOUT", remote: true },
    });
    await clock.runPromise(served, 10_000);
    expect(ended).toEqual([TOTAL_MS]);
  });

  it("is ended where a slow reader leaves no room for its items", async () => {
    const { clock, ended, served, asking } = rig();
    const target = { peer, method: "flood", kind: "serverStream" } as const;
    const given = { request: TEXT.encode("x".repeat(1_000)), down: TEXT };
    const lines = asking.receive(target, given, {});
    await clock.runPromise(lines.next(), 100);
    await clock.runPromise(served, 10_000);
    expect(ended).toEqual([TOTAL_MS]);
    await lines.return();
  });

  it("is ended by a forced close, too", async () => {
    const { clock, ended, serving, served, asking } = rig();
    const target = { peer, method: "sum", kind: "clientStream" } as const;
    const asked = asking.send(target, { items: silence, up: TEXT, reply: TEXT }, {});
    const failed = asked.catch((error: unknown) => error);
    await clock.runUntil(100);
    serving.abandonAll();
    expect(await clock.runPromise(failed, 100)).toMatchObject({ code: "CULVERT_CLOSED" });
    await clock.runPromise(served, 100);
    expect(ended).toEqual([100]);
  });
});

it("a handler that gives up a wait with its signal has its caller told why", async () => {
  const [mine, theirs] = MemoryStream.pair();
  const clock = new VirtualClock();
  const service = Service.of(
    { sum: manifest.sum },
    { sum: (_items, { signal }) => new Promise((_, reject) => void onAbort(signal, reject)) },
    { clock },
  );
  const limits = { ...STREAM_CALL_LIMITS, totalMs: TOTAL_MS };
  const served = new StreamService(service, clock, limits).serve(peer, theirs);
  const streams = { openStream: async () => mine, onStream: () => {} };
  const asking = new StreamCaller(streams, clock, STREAM_CALL_LIMITS);
  const target = { peer, method: "sum", kind: "clientStream" } as const;
  const asked = asking.send(target, { items: silence, up: TEXT, reply: TEXT }, {});
  const failed = asked.catch((error: unknown) => error);
  expect(await clock.runPromise(failed, 2_000)).toMatchObject({ code: "CULVERT_TIMEOUT" });
  await clock.runPromise(served, 10_000);
});
