import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { raw, Service, serverStream, TEXT } from "../../../src/rpc/index.ts";
import { StreamCaller } from "../../../src/rpc/streaming/stream-caller.ts";
import { STREAM_CALL_LIMITS } from "../../../src/rpc/streaming/stream-limits.ts";
import { StreamService } from "../../../src/rpc/streaming/stream-service.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const peer = new Uint8Array(32);
const LINES = Array.from({ length: 30 }, (_, at) => at);
const line = (at: number): string => `${at}`.padEnd(10_000, ".");
const manifest = {
  tail: serverStream({ request: TEXT, down: TEXT }),
  fetch: raw({ request: TEXT }),
};

/** A caller and a server; with a request that says `fail` the handlers do, when all is said. */
function rig() {
  const [mine, theirs] = MemoryStream.pair();
  const clock = new VirtualClock();
  const end = (how: string): void => {
    if (how === "fail") throw new CulvertError("CULVERT_FULL", "no more");
  };
  const service = Service.of(
    manifest,
    {
      async *tail(how) {
        for (const at of LINES) yield line(at);
        end(how);
      },
      async fetch(_how, accept) {
        const stream = await accept();
        for (const at of LINES) stream.write(TEXT.encode(line(at)));
      },
    },
    { clock },
  );
  const serving = new StreamService(service, clock, STREAM_CALL_LIMITS);
  const served = serving.serve(peer, theirs);
  const streams = { openStream: async () => mine, onStream: () => {} };
  const asking = new StreamCaller(streams, clock, STREAM_CALL_LIMITS);
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  return { mine, clock, serving, served, asking, pass };
}

describe("a reader that takes its time", () => {
  it.each(["well", "fail"])("gets all items of a handler that ended long ago: %s", async (how) => {
    const { clock, serving, served, asking, pass } = rig();
    const target = { peer, method: "tail", kind: "serverStream" } as const;
    const given = { request: TEXT.encode(how), down: TEXT };
    const read: number[] = [];
    const readAll = async (): Promise<void> => {
      for await (const item of asking.receive(target, given, {})) {
        read.push(Number.parseInt(item, 10));
        await new Promise<void>((resolve) => clock.schedule(clock.now() + 20_000, resolve));
      }
    };
    const ended = readAll().catch((error: unknown) => error);
    const error = await clock.runPromise(ended, 3_600_000);
    expect(read).toEqual(LINES);
    expect(error).toEqual(
      how === "fail" ? expect.objectContaining({ code: "CULVERT_FULL" }) : undefined,
    );
    await pass(60_000);
    await clock.runPromise(served, 0);
    expect(serving.callCount).toBe(0);
  });

  it("gets all bytes of a raw call whose handler has returned", async () => {
    const { mine, clock, served, asking, pass } = rig();
    const target = { peer, method: "fetch", kind: "raw" } as const;
    await clock.runPromise(asking.connect(target, TEXT.encode(""), {}), 1_000);
    await pass(60_000);
    let bytes = 0;
    mine.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length;
    });
    mine.resume();
    await clock.runPromise(served, 60_000);
    await pass(1);
    expect(bytes).toBe(LINES.length * line(0).length);
    mine.end();
  });

  it("that never reads on holds its call for no longer than the call may last", async () => {
    const { clock, serving, served, asking } = rig();
    const target = { peer, method: "tail", kind: "serverStream" } as const;
    const given = { request: TEXT.encode(""), down: TEXT };
    const lines = asking.receive(target, given, { totalMs: 600_000 });
    await clock.runPromise(lines.next(), 1_000);
    await clock.runPromise(served, 601_000);
    expect([serving.callCount, clock.now() >= 600_000]).toEqual([0, true]);
    await lines.return();
  });
});
