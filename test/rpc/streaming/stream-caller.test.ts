import { describe, expect, it } from "vitest";
import { CulvertError, onAbort } from "../../../src/base/index.ts";
import {
  type ByteDuplex,
  type CallOptions,
  clientStream,
  raw,
  Service,
  type StreamCarrier,
  serverStream,
  TEXT,
} from "../../../src/rpc/index.ts";
import { StreamCaller } from "../../../src/rpc/streaming/stream-caller.ts";
import { STREAM_CALL_LIMITS } from "../../../src/rpc/streaming/stream-limits.ts";
import { StreamService } from "../../../src/rpc/streaming/stream-service.ts";
import { all } from "../../../src/testing/compliance/rpc-rig.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const peer = new Uint8Array(32);
const target = { peer, method: "count", kind: "serverStream" } as const;
const given = { request: TEXT.encode("2"), down: TEXT };

/** A caller over a carrier. */
function caller(openStream: StreamCarrier["openStream"]) {
  const clock = new VirtualClock();
  const made = new StreamCaller({ openStream, onStream: () => {} }, clock, STREAM_CALL_LIMITS);
  const ask = (options: CallOptions = {}): Promise<unknown> =>
    all(made.receive(target, given, options)).catch((error: unknown) => error);
  return {
    clock,
    made,
    ask,
    elapse: <T>(promise: Promise<T>) => clock.runPromise(promise, 60_000),
  };
}

/** A peer that lets no stream be opened, for as long as it is asked. */
const full: StreamCarrier["openStream"] = (_peer, { signal } = {}) =>
  new Promise<ByteDuplex>((_resolve, reject) => void onAbort(signal, reject));

describe("a call whose stream is not there yet", () => {
  it("takes no longer than it may", async () => {
    const { clock, made, ask, elapse } = caller(full);
    expect(await elapse(ask({ totalMs: 5_000 }))).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([clock.now(), made.openCount]).toEqual([5_000, 0]);
  });

  it("is given up with its signal", async () => {
    const { clock, made, ask, elapse } = caller(full);
    const abort = new AbortController();
    const asked = ask({ signal: abort.signal });
    clock.advance(10);
    abort.abort(new CulvertError("CULVERT_FULL"));
    expect(await elapse(asked)).toMatchObject({
      name: "AbortError",
      cause: { code: "CULVERT_FULL" },
    });
    expect(made.openCount).toBe(0);
  });

  it("ends with its caller, and not before it is forced to", async () => {
    const { clock, made, ask, elapse } = caller(full);
    const asked = ask();
    clock.advance(10);
    const drained = made.drain();
    clock.advance(10);
    expect(made.openCount).toBe(1);
    made.abandonAll();
    expect(await elapse(asked)).toMatchObject({ code: "CULVERT_CLOSED" });
    await elapse(drained);
  });

  it("is ended when its stream comes too late", async () => {
    const [mine, theirs] = MemoryStream.pair();
    const { clock, ask, elapse } = caller(
      () =>
        new Promise((resolve) => {
          clock.schedule(9_000, () => resolve(mine));
        }),
    );
    expect(await elapse(ask({ totalMs: 5_000 }))).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([mine.destroyed, theirs.destroyed]).toEqual([true, true]);
  });
});

describe("a call whose first answer does not come", () => {
  const { firstMs } = STREAM_CALL_LIMITS;
  const tunnel = { peer, method: "tunnel", kind: "raw" } as const;
  const silent = () => caller(async () => MemoryStream.pair()[0]);

  it.each([undefined, 700])("is given up in time, with firstMs %s", async (own) => {
    const { clock, made, ask, elapse } = silent();
    const asked = ask(own === undefined ? {} : { firstMs: own });
    expect(await elapse(asked)).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([clock.now(), made.openCount]).toEqual([own ?? firstMs, 0]);
  });

  it.each([undefined, 700])("is given up when it is raw too, with firstMs %s", async (own) => {
    const { clock, made, elapse } = silent();
    const options = own === undefined ? {} : { firstMs: own };
    const asked = made.connect(tunnel, TEXT.encode(""), options).catch((error: unknown) => error);
    expect(await elapse(asked)).toMatchObject({ code: "CULVERT_TIMEOUT" });
    expect([clock.now(), made.openCount]).toEqual([own ?? firstMs, 0]);
  });
});

describe("a raw call", () => {
  /** One that was accepted, by a handler that then waits for its end. */
  const connected = async () => {
    const [mine, theirs] = MemoryStream.pair();
    const { clock, made, elapse } = caller(async () => mine);
    const accepted = { isCut: false };
    const manifest = { tunnel: raw({ request: TEXT }) };
    const service = Service.of(
      manifest,
      {
        tunnel: async (_request, accept, { signal }) => {
          await accept();
          await new Promise((resolve) => void onAbort(signal, resolve));
          accepted.isCut = true;
        },
      },
      { clock },
    );
    const serving = new StreamService(service, clock, STREAM_CALL_LIMITS);
    const served = serving.serve(peer, theirs);
    const tunnel = { peer, method: "tunnel", kind: "raw" } as const;
    await elapse(made.connect(tunnel, TEXT.encode(""), {}));
    return { mine, theirs, accepted, served: () => elapse(served) };
  };
  const cut = new CulvertError("CULVERT_PEER_ABORTED");

  it("that its caller cuts before the handler listens ends, and nothing else", async () => {
    const { theirs, accepted, served } = await connected();
    theirs.destroy(cut);
    await served();
    expect(accepted.isCut).toBe(true);
  });

  it("that is cut before its caller listens ends, and nothing else", async () => {
    const { mine, served } = await connected();
    // Node throws where nobody listens.
    expect(mine.emit("error", cut)).toBe(true);
    mine.destroy(cut);
    await served();
  });
});

describe("a call that has ended well", () => {
  it("does not count as one that had to be cut off", async () => {
    const [mine, theirs] = MemoryStream.pair();
    const { clock, ask, elapse } = caller(async () => mine);
    const manifest = { count: serverStream({ request: TEXT, down: TEXT }) };
    const service = Service.of(
      manifest,
      {
        async *count() {
          yield "1";
        },
      },
      { clock },
    );
    const serving = new StreamService(service, clock, STREAM_CALL_LIMITS);
    const served = serving.serve(peer, theirs);
    expect(await elapse(ask())).toEqual(["1"]);
    await elapse(served);
    await elapse(new Promise((resolve) => clock.schedule(clock.now() + 1_000, () => resolve(1))));
    expect(serving.callCount).toBe(0);
  });
});

describe("a handler that goes on after its time", () => {
  it("writes nothing behind the end of its call", async () => {
    const [mine, theirs] = MemoryStream.pair();
    const limits = { ...STREAM_CALL_LIMITS, totalMs: 500 };
    const clock = new VirtualClock();
    const manifest = { sum: clientStream({ up: TEXT, reply: TEXT }) };
    let answer: (sum: string) => void = () => {};
    const sum = (): Promise<string> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const service = Service.of(manifest, { sum }, { clock });
    const call = { peer, method: "sum", kind: "clientStream" } as const;
    const asking = new StreamCaller({ openStream: async () => mine, onStream: () => {} }, clock, {
      ...STREAM_CALL_LIMITS,
    });
    void asking.send(call, { items: [], up: TEXT, reply: TEXT }, {}).catch(() => {});
    await clock.runUntil(1);
    // The caller does not come to read for a while.
    mine.pause();
    const served = new StreamService(service, clock, limits).serve(peer, theirs);
    await clock.runPromise(served, 1_000);
    answer("late");
    await clock.runUntil(clock.now() + 1);
    expect([theirs.destroyed, theirs.errored]).toEqual([false, null]);
    mine.destroy();
  });
});
