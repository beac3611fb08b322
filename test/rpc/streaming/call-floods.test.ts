import { describe, expect, it } from "vitest";
import { type CulvertError, isCulvertError } from "../../../src/base/index.ts";
import { clientStream, Service, serverStream, TEXT } from "../../../src/rpc/index.ts";
import { encodeCallFrame, encodeOpening } from "../../../src/rpc/streaming/call-frame.ts";
import { StreamCaller } from "../../../src/rpc/streaming/stream-caller.ts";
import {
  STREAM_CALL_LIMITS,
  type StreamCallLimits,
} from "../../../src/rpc/streaming/stream-limits.ts";
import { StreamService } from "../../../src/rpc/streaming/stream-service.ts";
import { all } from "../../../src/testing/compliance/rpc-rig.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const NOTHING = new Uint8Array(0);
const MiB = 2 ** 20;
const manifest = {
  count: serverStream({ request: TEXT, down: TEXT }),
  sum: clientStream({ up: TEXT, reply: TEXT }),
};
const OPENING = encodeCallFrame(
  1,
  encodeOpening({
    ...{ method: "sum", kind: "clientStream", totalMs: 3_600_000 },
    ...{ meta: NOTHING, request: NOTHING },
  }),
);

/** A name is free: anybody may have as many as there are numbers. */
function named(n: number): Uint8Array {
  return new Uint8Array(32).fill(n & 0xff).fill(n >> 8, 16);
}

/** A node that serves, and peers that do with its streams what they like. */
class Flooded {
  readonly clock = new VirtualClock();
  readonly service: StreamService;
  /** Handlers that run, and what those were told that do not any more. */
  readonly running = new Set<Uint8Array>();
  readonly stopped: string[] = [];
  readonly #streams: MemoryStream[] = [];

  constructor(limits: Partial<StreamCallLimits> = {}) {
    const served = Service.of(
      manifest,
      {
        async *count(upTo) {
          for (let at = 1; at <= Number(upTo); at++) yield `${at}`;
        },
        sum: async (items, { peer }) => {
          this.running.add(peer);
          try {
            for await (const _ of items);
            return "";
          } catch (error) {
            this.stopped.push(isCulvertError(error) ? error.code : "?");
            throw error;
          } finally {
            this.running.delete(peer);
          }
        },
      },
      { clock: this.clock },
    );
    this.service = new StreamService(served, this.clock, { ...STREAM_CALL_LIMITS, ...limits });
  }

  /** A stream of a peer, on which this was said. */
  open(peer: number, ...said: Uint8Array[]): MemoryStream {
    const [mine, theirs] = MemoryStream.pair();
    this.#streams.push(theirs);
    mine.resume();
    void this.service.serve(named(peer), theirs);
    for (const bytes of said) mine.write(bytes);
    return mine;
  }

  /** What an honest call of a peer brings. */
  async count(peer: number): Promise<unknown> {
    const [mine, theirs] = MemoryStream.pair();
    const streams = { openStream: async () => mine, onStream: () => {} };
    const caller = new StreamCaller(streams, this.clock, STREAM_CALL_LIMITS);
    void this.service.serve(named(peer), theirs);
    const target = { peer: named(0), method: "count", kind: "serverStream" } as const;
    const asked = all(caller.receive(target, { request: TEXT.encode("3"), down: TEXT }, {}));
    return await this.clock.runPromise(
      asked.catch((error: CulvertError) => error.code),
      1_000,
    );
  }

  pass(ms: number): Promise<void> {
    return this.clock.runUntil(this.clock.now() + ms);
  }

  get openStreams(): number {
    return this.#streams.filter(({ destroyed }) => !destroyed).length;
  }
}

describe("calls whose bodies never end", () => {
  it("leave room for others, however many names they are made under", async () => {
    const node = new Flooded({ callsMax: 16, callsPerPeerMax: 4 });
    const held = Array.from({ length: 16 }, (_, call) => node.open(1 + (call >> 2), OPENING));
    await node.pass(1);
    expect(node.running.size).toBe(16);
    for (let honest = 100; honest < 104; honest++) {
      expect(await node.count(honest)).toEqual(["1", "2", "3"]);
    }
    // One place was made, by the last call of one of them, and used by one after the other.
    expect(held.flatMap(({ readableEnded }, call) => (readableEnded ? [call] : []))).toEqual([3]);
    expect([node.stopped, node.running.size]).toEqual([["CULVERT_BUSY"], 15]);
    node.service.abandonAll();
  });

  it("are ended for nobody who has as many himself, or nearly", async () => {
    const node = new Flooded({ callsMax: 8, callsPerPeerMax: 8 });
    for (const peer of [1, 1, 1, 1, 2, 2, 2, 2]) node.open(peer, OPENING);
    await node.pass(1);
    for (let more = 0; more < 20; more++) node.open(1 + (more & 1), OPENING);
    for (let more = 0; more < 20; more++) node.open(3, OPENING);
    await node.pass(1);
    const held = [1, 2, 3].map((n) => [...node.running].filter(([at]) => at === n).length);
    expect([held, node.stopped.length, node.service.callCount]).toEqual([[3, 3, 2], 2, 8]);
    node.service.abandonAll();
  });
});

describe("a flood of small streams", () => {
  it.each<[string, Uint8Array[]]>([
    ["say nothing", []],
    ["begin a word", [OPENING.subarray(0, 7)]],
    ["announce more than they say", [Uint8Array.of(0, 0x10, 0, 0, 1)]],
  ])("that %s costs its peer its own places, for a while", async (_, said) => {
    const node = new Flooded();
    const { callsPerPeerMax, openMs, lingerMs } = STREAM_CALL_LIMITS;
    for (let stream = 0; stream < 2_000; stream++) node.open(1, ...said);
    await node.pass(1);
    expect(node.service.callCount).toBe(callsPerPeerMax);
    expect(await node.count(2)).toEqual(["1", "2", "3"]);
    await node.pass(lingerMs);
    expect(node.openStreams).toBeLessThanOrEqual(callsPerPeerMax + 1);
    await node.pass(openMs);
    expect([node.service.callCount, node.openStreams]).toEqual([0, 0]);
  });

  it("that is refused is read to its end, which nothing is kept of", async () => {
    const node = new Flooded({ callsPerPeerMax: 1 });
    node.open(1, OPENING);
    const item = encodeCallFrame(2, new Uint8Array(MiB / 4));
    const refused = node.open(1, OPENING, item, item, item, item);
    await node.pass(1);
    expect([node.openStreams, refused.writableLength]).toEqual([2, 0]);
    refused.end();
    await node.pass(1);
    expect([node.openStreams, node.running.size]).toEqual([1, 1]);
    node.service.abandonAll();
  });

  it("is not read beyond an item each and what may wait, whoever writes on", async () => {
    const node = new Flooded({ callsPerPeerMax: 4 });
    const item = encodeCallFrame(2, new Uint8Array(MiB));
    const written = await Promise.all(
      Array.from({ length: 4 }, async () => {
        // All of an item but its end: then nothing of it can be given to the handler.
        const stream = node.open(1, OPENING, item.subarray(0, item.length - 1));
        await node.pass(10);
        return stream;
      }),
    );
    expect([node.running.size, written.length]).toEqual([4, 4]);
    for (const stream of written) expect(stream.writableLength).toBeLessThan(item.length);
    await node.pass(STREAM_CALL_LIMITS.totalMs + STREAM_CALL_LIMITS.lingerMs + 1_000);
    expect([node.service.callCount, node.openStreams]).toEqual([0, 0]);
  });
});
