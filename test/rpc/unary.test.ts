import { describe, expect, expectTypeOf, it } from "vitest";
import { CulvertError, onAbort, SeededRandom } from "../../src/base/index.ts";
import { encodeCbor, Fields } from "../../src/codec/index.ts";
import type { NodeId } from "../../src/identity/index.ts";
import {
  BYTES,
  type Caller,
  cborMessage,
  type Handlers,
  type Middleware,
  NOTHING,
  type RequestLimits,
  RpcNode,
  Service,
  TEXT,
  unary,
} from "../../src/rpc/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { MemoryExchange } from "./memory-carrier.ts";

interface Sum {
  readonly a: number;
  readonly b: number;
}

const sum = cborMessage((value): Sum => {
  const fields = Fields.of(value);
  return { a: fields.integer("a"), b: fields.integer("b") };
});
const manifest = {
  greet: unary({ request: TEXT, reply: TEXT }),
  add: unary({ request: sum, reply: cborMessage(Number), isIdempotent: true }),
  echo: unary({ request: BYTES, reply: BYTES }),
  fail: unary({ request: TEXT, reply: NOTHING }),
  wait: unary({ request: NOTHING, reply: TEXT }),
  even: unary({ request: cborMessage(mustBeEven), reply: cborMessage(mustBeEven) }),
};

function mustBeEven(value: unknown): number {
  if (typeof value !== "number") throw new CulvertError("CULVERT_TOO_LARGE", "no number");
  if (value % 2 !== 0) throw new RangeError("a secret of the schema");
  return value;
}

interface Seen {
  aborts: string[];
  peers: Uint8Array[];
  meta: unknown[];
  leftMs: number[];
}

interface Rig {
  readonly clock: VirtualClock;
  readonly exchange: MemoryExchange;
  readonly caller: Caller<typeof manifest>;
  /** The node that serves. */
  readonly peer: NodeId;
  readonly asking: RpcNode;
  readonly serving: RpcNode;
  readonly seen: Seen;
  elapse<T>(promise: Promise<T>): Promise<T>;
}

function rig(
  options: { serving?: Middleware[]; asking?: Middleware[]; limits?: Partial<RequestLimits> } = {},
): Rig {
  const clock = new VirtualClock();
  const exchange = new MemoryExchange(clock);
  const seen: Seen = { aborts: [], peers: [], meta: [], leftMs: [] };
  const handlers: Handlers<typeof manifest> = {
    greet: (name, { peer, meta, deadline }) => {
      seen.peers.push(peer);
      seen.meta.push(meta);
      seen.leftMs.push(deadline.leftMs());
      return `hello ${name}`;
    },
    add: async ({ a, b }) => a + b,
    echo: (bytes) => bytes,
    fail: (what) => {
      if (what === "coded") throw new CulvertError("CULVERT_FULL", "no room for that");
      throw new Error("a secret of the handler, with a stack");
    },
    even: (value) => value + (value === 0 ? 1 : 2),
    wait: (_nothing, { signal }) =>
      new Promise((_resolve, reject) => {
        onAbort(signal, (error) => {
          seen.aborts.push(String((error.cause as CulvertError).code));
          reject(error);
        });
      }),
  };
  const [a, b] = [exchange.join(), exchange.join()];
  const parts = { clock, random: new SeededRandom(1) };
  const { limits = {} } = options;
  const service = Service.of(manifest, handlers, { clock, middleware: options.serving ?? [] });
  const serving = new RpcNode({ carrier: b.carrier, service, ...parts }, { requests: limits });
  const middleware = options.asking ?? [];
  const asking = new RpcNode({ carrier: a.carrier, middleware, ...parts }, { requests: limits });
  const caller = asking.caller(manifest, b.id);
  const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 7_200_000);
  return { clock, exchange, caller, peer: b.id, asking, serving, seen, elapse };
}

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "resolved",
    (error: unknown) => error,
  );

describe("a unary call", () => {
  it("gives what the handler gave, typed on both sides", async () => {
    const { caller, elapse } = rig();
    expect(await elapse(caller.greet("Ada"))).toBe("hello Ada");
    expect(await elapse(caller.add({ a: 2, b: 3 }))).toBe(5);
    expect(await elapse(caller.echo(Uint8Array.of(1, 2)))).toEqual(Uint8Array.of(1, 2));
    expectTypeOf(caller.greet).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(caller.add).returns.toEqualTypeOf<Promise<number>>();
    expectTypeOf<Handlers<typeof manifest>["greet"]>().parameter(0).toEqualTypeOf<string>();
  });

  it("tells the handler who asks, how long it has, and what goes beside it", async () => {
    const { caller, elapse, seen, exchange } = rig();
    exchange.delayMs = 100;
    await elapse(caller.greet("Ada", { meta: { trace: "7" }, totalMs: 5_000 }));
    expect(seen.meta).toEqual([{ trace: "7" }]);
    expect(seen.leftMs).toEqual([5_000]);
    expect(seen.peers[0]).toHaveLength(32);
  });

  it("asks for what was given, whatever becomes of a Buffer meanwhile", async () => {
    const { asking, peer, elapse, seen } = rig();
    const [body, meta] = [Buffer.from("Ada"), Buffer.from(encodeCbor({ trace: "7" }))];
    const answer = asking.requests.request(peer, "greet", body, { meta });
    body.fill(0);
    meta.fill(0);
    expect(await elapse(answer)).toEqual(TEXT.encode("hello Ada"));
    expect(seen.meta).toEqual([{ trace: "7" }]);
  });

  it("keeps the bytes of a reply, whatever becomes of a Buffer meanwhile", () => {
    const given = Buffer.from("Ada");
    const kept = BYTES.encode(given);
    given.fill(0);
    expect(kept).toEqual(TEXT.encode("Ada"));
  });

  it("fails with the handler's code and message, and without its stack", async () => {
    const { caller, elapse } = rig();
    const coded = await elapse(outcome(caller.fail("coded")));
    expect(coded).toMatchObject({
      code: "CULVERT_FULL",
      message: "no room for that",
      remote: true,
    });
    const other = await elapse(outcome(caller.fail("other")));
    expect(other).toMatchObject({ code: "CULVERT_INTERNAL", message: "the handler failed" });
    expect(JSON.stringify(other) + String((other as Error).stack)).not.toContain("secret");
  });

  it("of an unknown method gets a typed answer", async () => {
    const { asking, elapse, exchange } = rig();
    const empty = exchange.join();
    const { clock } = exchange;
    const node = new RpcNode({ carrier: empty.carrier, clock, random: new SeededRandom(3) });
    const lonely = asking.caller(manifest, empty.id);
    expect(await elapse(outcome(lonely.greet("x")))).toMatchObject({
      ...{ code: "CULVERT_UNKNOWN_METHOD", remote: true },
    });
    for (const name of ["constructor", "toString", "hasOwnProperty"]) {
      const peer = empty.id;
      const asked = asking.requests.request(peer, name, new Uint8Array(0));
      expect(await elapse(outcome(asked))).toMatchObject({ code: "CULVERT_UNKNOWN_METHOD" });
    }
    await node.close({ drainMs: 0 });
  });

  it("with a request that is malformed is refused before the handler", async () => {
    const { asking, elapse, serving, peer } = rig();
    const bent = { ...manifest, add: unary({ request: TEXT, reply: TEXT }) };
    const wrong = asking.caller(bent, peer);
    expect(await elapse(outcome(wrong.add("no sum")))).toMatchObject({
      ...{ code: "CULVERT_PROTOCOL", remote: true },
    });
    expect(serving.statistics.run).toBe(1);
  });

  it("whose value has another form is the sender's mistake, on either side", async () => {
    const { caller, elapse } = rig();
    expect(await elapse(caller.even(2))).toBe(4);
    const message = "a value of another form";
    expect(await elapse(outcome(caller.even(1)))).toMatchObject({
      ...{ code: "CULVERT_PROTOCOL", remote: true, message },
    });
    expect(await elapse(outcome(caller.even(0)))).toMatchObject({
      ...{ code: "CULVERT_PROTOCOL", remote: false, message, cause: expect.any(RangeError) },
    });
    expect(await elapse(outcome(caller.even("x" as never)))).toMatchObject({
      ...{ code: "CULVERT_TOO_LARGE", remote: true, message: "no number" },
    });
  });

  it("that is aborted rejects at once and stops the handler within a round trip", async () => {
    const { clock, caller, seen, elapse } = rig();
    await elapse(caller.greet("x"));
    const abort = new AbortController();
    const waiting = outcome(caller.wait(undefined, { signal: abort.signal }));
    await clock.runUntil(clock.now() + 15);
    const from = clock.now();
    abort.abort();
    expect(await waiting).toMatchObject({ name: "AbortError" });
    await clock.runUntil(() => seen.aborts.length > 0);
    expect(clock.now() - from).toBeLessThanOrEqual(20);
    expect(seen.aborts).toEqual(["CULVERT_PEER_ABORTED"]);
    const aborted = caller.greet("x", { signal: abort.signal });
    expect(await outcome(aborted)).toMatchObject({ name: "AbortError" });
  });

  it("fails at its deadline, and so does its handler", async () => {
    const { caller, elapse, seen, clock } = rig();
    await elapse(caller.greet("x"));
    const failed = await elapse(outcome(caller.wait(undefined, { totalMs: 500 })));
    expect(failed).toMatchObject({ code: "CULVERT_TIMEOUT", remote: false });
    await clock.runUntil(clock.now() + 100);
    expect(seen.aborts).toHaveLength(1);
  });

  it("tells once that it is late, and goes on", async () => {
    const { caller, clock, elapse } = rig();
    let late = 0;
    const waiting = outcome(caller.wait(undefined, { onLate: () => (late += 1) }));
    await clock.runUntil(29_000);
    expect(late).toBe(1);
    expect(await elapse(waiting)).toMatchObject({ code: "CULVERT_TIMEOUT" });
  });

  it("does not touch what the caller does with its bytes afterwards", async () => {
    const { caller, elapse } = rig();
    const given = Uint8Array.of(1, 2, 3);
    const asked = caller.echo(given);
    given.fill(9);
    expect(await elapse(asked)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("is refused on either side when it is too large", async () => {
    const { caller, elapse } = rig({ limits: { bodyBytesMax: 1_000 } });
    const large = new Uint8Array(1_001);
    expect(await elapse(outcome(caller.echo(large)))).toMatchObject({
      ...{ code: "CULVERT_TOO_LARGE", remote: false },
    });
    expect(await elapse(outcome(caller.greet("x".repeat(995))))).toMatchObject({
      ...{ code: "CULVERT_TOO_LARGE", remote: true },
    });
  });

  it("survives a loss of one half", async () => {
    const { caller, elapse, exchange, serving } = rig();
    exchange.lose(0.5, new SeededRandom(5));
    const asked = Array.from({ length: 200 }, (_, i) => caller.add({ a: i, b: i }));
    const replies = await elapse(Promise.all(asked));
    expect(replies).toEqual(asked.map((_, i) => 2 * i));
    expect(serving.statistics.run).toBe(200);
  });

  it("fails at once when no way leads to the peer", async () => {
    const { asking, clock } = rig();
    const nobody = asking.caller(manifest, new Uint8Array(32).fill(1));
    expect(await outcome(nobody.greet("x"))).toMatchObject({ code: "CULVERT_UNREACHABLE" });
    expect(clock.now()).toBe(0);
  });
});

describe("middleware", () => {
  it("runs around a call on both sides, the first outermost, and may add meta", async () => {
    const order: string[] = [];
    const named =
      (name: string): Middleware =>
      async (call, next) => {
        order.push(`${name} ${call.method} ${JSON.stringify(call.meta)}`);
        call.meta[name] = "1";
        const reply = await next();
        order.push(`${name} done`);
        return reply;
      };
    const { caller, elapse, seen } = rig({
      asking: [named("a"), named("b")],
      serving: [named("c")],
    });
    await elapse(caller.greet("x"));
    expect(order).toEqual([
      ...["a greet {}", 'b greet {"a":"1"}', 'c greet {"a":"1","b":"1"}'],
      ...["c done", "b done", "a done"],
    ]);
    expect(seen.meta).toEqual([{ a: "1", b: "1", c: "1" }]);
  });

  it("may refuse a call, which the handler then does not see", async () => {
    const refuse: Middleware = async () => {
      throw new CulvertError("CULVERT_REFUSED", "not you");
    };
    const { caller, elapse, seen } = rig({ serving: [refuse] });
    expect(await elapse(outcome(caller.greet("x")))).toMatchObject({
      ...{ code: "CULVERT_REFUSED", message: "not you", remote: true },
    });
    expect(seen.peers).toEqual([]);
  });

  it("may not go on twice", async () => {
    const twice: Middleware = async (_call, next) => {
      await next();
      return await next();
    };
    const { caller, elapse, seen } = rig({ serving: [twice] });
    expect(await elapse(outcome(caller.greet("x")))).toMatchObject({ code: "CULVERT_INTERNAL" });
    expect(seen.peers).toHaveLength(1);
  });
});

describe("closing", () => {
  it("waits for what is open, refuses what is new, and is idempotent", async () => {
    const { caller, clock, serving, seen, elapse } = rig();
    await elapse(caller.greet("x"));
    const abort = new AbortController();
    const waiting = outcome(caller.wait(undefined, { signal: abort.signal }));
    await clock.runUntil(clock.now() + 15);
    let isClosed = false;
    const closing = [serving.close(), serving.close()];
    void Promise.all(closing).then(() => {
      isClosed = true;
    });
    expect(await elapse(outcome(caller.greet("y")))).toMatchObject({ code: "CULVERT_CLOSED" });
    expect(isClosed).toBe(false);
    abort.abort();
    await waiting;
    await clock.runUntil(() => isClosed);
    expect(seen.aborts).toHaveLength(1);
    await serving.close({ drainMs: 0 });
  });

  it("by force aborts both ways at once, also while draining", async () => {
    const { caller, clock, asking, serving, seen, elapse } = rig();
    await elapse(caller.greet("x"));
    const waiting = outcome(caller.wait(undefined));
    await clock.runUntil(clock.now() + 15);
    const from = clock.now();
    const graceful = serving.close();
    await serving.close({ drainMs: 0 });
    await graceful;
    expect(seen.aborts).toHaveLength(1);
    await asking.close({ drainMs: 0 });
    expect(await waiting).toMatchObject({ code: "CULVERT_CLOSED" });
    expect(clock.now()).toBe(from);
    expect(await outcome(caller.greet("x"))).toMatchObject({ code: "CULVERT_CLOSED" });
    expect(clock.pending).toBe(0);
  });
});
