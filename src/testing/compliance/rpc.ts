import { assert, type Clock, CulvertError, equalBytes, onAbort } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import {
  BYTES,
  type ByteDuplex,
  type CallContext,
  type Caller,
  clientStream,
  duplex,
  type Handlers,
  NOTHING,
  type RequestCarrier,
  RpcNode,
  raw,
  Service,
  type StreamCarrier,
  serverStream,
  TEXT,
  unary,
} from "../../rpc/index.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** One of two nodes that can reach each other. */
export interface RpcEnd {
  readonly id: NodeId;
  readonly carrier: RequestCarrier;
  readonly streams: StreamCarrier;
}

/** What the suite needs: two nodes, and their time. */
export interface RpcFixture extends Fixture {
  readonly a: RpcEnd;
  readonly b: RpcEnd;
  readonly clock: Clock;
  /** Lets time pass until `promise` settles; on a real clock, the promise itself. */
  elapse<T>(promise: Promise<T>): Promise<T>;
}

type TraceMeta = { readonly trace?: string };

const METHODS = {
  double: unary({ request: TEXT, reply: TEXT }),
  count: serverStream({ request: TEXT, down: TEXT }),
  collect: clientStream({ up: TEXT, reply: TEXT }),
  talk: duplex({ up: TEXT, down: TEXT }),
  mirror: raw({ request: TEXT }),
  flood: serverStream({ request: TEXT, down: BYTES }),
  stubborn: serverStream({ request: NOTHING, down: TEXT }),
  patient: unary({ request: NOTHING, reply: TEXT }),
};

/** What handlers saw. */
interface Seen {
  readonly stopped: string[];
  /** Items that a flood made. */
  produced: number;
  context: CallContext | undefined;
}

/** A running pair: b serves, a calls; and the other way round. */
interface Rig extends RpcFixture {
  readonly calls: Caller<typeof METHODS>;
  readonly back: Caller<typeof METHODS>;
  readonly nodes: { readonly a: RpcNode; readonly b: RpcNode };
  readonly seen: Seen;
}

/** An item of a flood. */
const FLOOD_BYTES = 16_384;

/**
 * The contract of requests and streaming calls over a carrier in fair weather, for any carrier.
 *
 * @example
 * ```ts
 * rpcCompliance(test, async () => {
 *   const { a, b, close } = await twoNodes();
 *   return { a, b, clock: systemClock, elapse: (promise) => promise, teardown: close };
 * });
 * ```
 */
export function rpcCompliance(test: RegisterTest, setup: () => Promise<RpcFixture>): void {
  const started = async (): Promise<Rig> => start(await setup());
  registerCases(test, started, { ...KINDS, ...ENDS, ...BOUNDS });
}

function start(fixture: RpcFixture): Rig {
  const { a, b, clock } = fixture;
  const seen: Seen = { stopped: [], produced: 0, context: undefined };
  const service = Service.of(METHODS, handlers(seen), { clock });
  const parts = { clock, service };
  const nodes = {
    a: new RpcNode({ carrier: a.carrier, streams: a.streams, ...parts }),
    b: new RpcNode({ carrier: b.carrier, streams: b.streams, ...parts }),
  };
  return {
    ...fixture,
    calls: nodes.a.caller(METHODS, b.id),
    back: nodes.b.caller(METHODS, a.id),
    nodes,
    seen,
    teardown: async () => {
      await Promise.all([nodes.a.close({ drainMs: 0 }), nodes.b.close({ drainMs: 0 })]);
      await fixture.teardown();
    },
  };
}

function handlers(seen: Seen): Handlers<typeof METHODS> {
  const note = (context: CallContext): void => {
    seen.context = context;
    onAbort(context.signal, ({ cause }) => {
      seen.stopped.push(cause instanceof CulvertError ? cause.code : String(cause));
    });
  };
  return {
    double: (text) => {
      if (text === "fail") throw new CulvertError("CULVERT_FULL", "no room");
      return text + text;
    },
    async *count(text, context) {
      note(context);
      for (let i = 0; i < Number(text); i++) yield `${i}`;
      if (text === "3.5") throw new CulvertError("CULVERT_FULL", "half an item");
    },
    collect: async (items, context) => {
      note(context);
      let all = "";
      for await (const item of items) {
        if (item === "enough") return all;
        if (item === "fail") throw new CulvertError("CULVERT_REFUSED", "not that");
        all += item;
      }
      return all;
    },
    async *talk(items, context) {
      note(context);
      for await (const item of items) yield `${item}?`;
      yield "bye";
    },
    mirror: async (greeting, accept, context) => {
      note(context);
      if (greeting === "refuse") throw new CulvertError("CULVERT_REFUSED", "not you");
      await mirror(await accept());
    },
    async *flood(count, context) {
      note(context);
      for (let i = 0; i < Number(count); i++) {
        seen.produced += 1;
        yield new Uint8Array(FLOOD_BYTES).fill(i);
      }
    },
    async *stubborn(_nothing, context) {
      note(context);
      yield "first";
      await new Promise(() => {});
    },
    patient: (_nothing, context) => {
      note(context);
      return new Promise((_resolve, reject) => void onAbort(context.signal, reject));
    },
  };
}

function mirror(stream: ByteDuplex): Promise<void> {
  return new Promise((resolve) => {
    stream.on("data", (bytes) => void stream.write(bytes.slice()));
    stream.on("end", () => void stream.end());
    stream.on("close", resolve);
    stream.on("error", () => {});
    stream.resume();
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) taken.push(item);
  return taken;
}

const KINDS: Cases<Rig> = {
  "a unary call gives its reply, many at once": async ({ calls, elapse }) => {
    const texts = Array.from({ length: 100 }, (_, i) => `${i} `);
    const replies = await elapse(Promise.all(texts.map((text) => calls.double(text))));
    for (const [i, reply] of replies.entries()) assert(reply === `${i} ${i} `, "it is its own");
  },

  "a unary call fails with the handler's code": async ({ calls, elapse }) => {
    await expectFailure(elapse(calls.double("fail")), "CULVERT_FULL");
  },

  "a server stream gives its items in order, and ends": async ({ calls, elapse }) => {
    const items = await elapse(all(calls.count("200")));
    assert(items.length === 200, "all items came");
    assert(
      items.every((item, i) => item === `${i}`),
      "in order",
    );
    assert((await elapse(all(calls.count("0")))).length === 0, "none is also a number of items");
  },

  "a server stream that fails says so after its items": async ({ calls, elapse }) => {
    const taken: string[] = [];
    const taking = async (): Promise<void> => {
      for await (const item of calls.count("3.5")) taken.push(item);
    };
    await expectFailure(elapse(taking()), "CULVERT_FULL");
    assert(taken.length === 4, "the items before it came");
  },

  "a client stream is taken whole": async ({ calls, elapse }) => {
    const items = Array.from({ length: 200 }, (_, i) => `${i},`);
    assert((await elapse(calls.collect(items))) === items.join(""), "every item came, in order");
  },

  "a reply may come before the last item": async ({ calls, elapse }) => {
    async function* endless(): AsyncGenerator<string> {
      yield "a";
      yield "enough";
      for (;;) {
        yield "more";
        await Promise.resolve();
      }
    }
    assert((await elapse(calls.collect(endless()))) === "a", "the reply counts");
  },

  "a client stream can be refused in the middle": async ({ calls, elapse }) => {
    await expectFailure(elapse(calls.collect(["a", "fail", "b"])), "CULVERT_REFUSED");
  },

  "a source that fails fails the call, at both ends": async ({ calls, seen, clock, elapse }) => {
    async function* failing(): AsyncGenerator<string> {
      yield "a";
      throw new CulvertError("CULVERT_FILE", "no such file");
    }
    await expectFailure(elapse(calls.collect(failing())), "CULVERT_FILE");
    await elapse(until(clock, () => seen.stopped.length > 0));
  },

  "a duplex call talks both ways": async ({ calls, elapse }) => {
    const talk = async (): Promise<string[]> => {
      const mailbox: string[] = ["a"];
      async function* asking(): AsyncGenerator<string> {
        for (let text = mailbox.shift(); text !== undefined; text = mailbox.shift()) yield text;
      }
      const heard: string[] = [];
      for await (const answer of calls.talk(asking())) {
        heard.push(answer);
        if (answer.length < 4) mailbox.push(answer);
      }
      return heard;
    };
    const heard = await elapse(talk());
    assert(heard[0] === "a?" && heard.at(-1) === "bye", "every question has its answer");
  },

  "a raw call is a byte stream of caller and handler": async ({ calls, elapse }) => {
    const stream = await elapse(calls.mirror("hello"));
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
    const back = elapse(allBytes(stream));
    stream.write(sent);
    stream.end();
    assert(equalBytes(await back, sent), "what was sent came back");
  },

  "a raw call can be refused": async ({ calls, elapse }) => {
    await expectFailure(elapse(calls.mirror("refuse")), "CULVERT_REFUSED");
  },

  "both ends call each other over what connects them": async ({ calls, back, elapse }) => {
    assert((await elapse(calls.double("a"))) === "aa", "one way");
    assert((await elapse(back.double("b"))) === "bb", "and back");
    assert((await elapse(all(back.count("3")))).length === 3, "streams too");
    assert((await elapse(back.collect(["x", "y"]))) === "xy", "both ways");
  },
};

const ENDS: Cases<Rig> = {
  "leaving a server stream stops its handler": async ({ calls, seen, nodes, clock, elapse }) => {
    const leave = async (): Promise<void> => {
      for await (const item of calls.stubborn(undefined)) if (item === "first") break;
    };
    await elapse(leave());
    await elapse(until(clock, () => seen.stopped.length > 0));
    assert(seen.stopped[0] === "CULVERT_PEER_ABORTED", "it is told why");
    await elapse(until(clock, () => nodes.b.servedStreams === 0));
  },

  "an aborted signal ends a streaming call at both ends": async ({
    calls,
    seen,
    clock,
    elapse,
  }) => {
    const abort = new AbortController();
    const taking = async (): Promise<void> => {
      for await (const _item of calls.stubborn(undefined, { signal: abort.signal })) abort.abort();
    };
    await expectFailure(elapse(taking()), "AbortError");
    await elapse(until(clock, () => seen.stopped.length > 0));
  },

  "nothing is done for a signal that is aborted already": async ({ calls, seen, elapse }) => {
    const signal = AbortSignal.abort();
    await expectFailure(elapse(calls.double("a", { signal })), "AbortError");
    await expectFailure(elapse(all(calls.count("3", { signal }))), "AbortError");
    await expectFailure(elapse(calls.mirror("hello", { signal })), "AbortError");
    assert(seen.context === undefined, "no handler saw it");
  },

  "a handler that ignores its deadline is cut off": async ({
    calls,
    nodes,
    seen,
    clock,
    elapse,
  }) => {
    const taking = all(calls.stubborn(undefined, { totalMs: 50 }));
    await expectFailure(elapse(taking), "CULVERT_TIMEOUT");
    await elapse(until(clock, () => nodes.b.servedStreams === 0));
    assert(seen.stopped.length === 1, "it was told first");
  },

  "a stream that falls silent is given up": async ({ calls, elapse }) => {
    const taking = all(calls.stubborn(undefined, { betweenMs: 30 }));
    await expectFailure(elapse(taking), "CULVERT_TIMEOUT");
  },

  "an unknown method has a typed answer, of every kind": async ({ nodes, b, elapse }) => {
    const others = {
      none: unary({ request: TEXT, reply: TEXT }),
      nothing: serverStream({ request: TEXT, down: TEXT }),
      nowhere: raw({ request: TEXT }),
      // Known, and of another kind.
      double: serverStream({ request: TEXT, down: TEXT }),
      count: unary({ request: TEXT, reply: TEXT }),
    };
    const calls = nodes.a.caller(others, b.id);
    const code = "CULVERT_UNKNOWN_METHOD";
    await expectFailure(elapse(calls.none("")), code);
    await expectFailure(elapse(all(calls.nothing(""))), code);
    await expectFailure(elapse(calls.nowhere("")), code);
    await expectFailure(elapse(all(calls.double(""))), code);
    await expectFailure(elapse(calls.count("")), code);
  },

  "a graceful close lets calls end, and takes no new ones": async (rig) => {
    const { calls, nodes, elapse } = rig;
    const gate = new Gate();
    const answers = calls.talk(gate.items());
    gate.put("a");
    assert((await elapse(answers.next())).value === "a?", "the call runs");
    const closing = nodes.b.close();
    await expectFailure(elapse(calls.double("a")), "CULVERT_CLOSED");
    await expectFailure(elapse(all(calls.count("1"))), "CULVERT_CLOSED");
    gate.put("b");
    gate.end();
    const rest = await elapse(all({ [Symbol.asyncIterator]: () => answers }));
    assert(rest.join() === "b?,bye", "what was begun is finished");
    await elapse(Promise.all([closing, nodes.b.close()]));
  },

  "a forced close aborts calls at once": async ({ calls, nodes, seen, clock, elapse }) => {
    const items = calls.stubborn(undefined);
    await elapse(items.next());
    const waiting = elapse(calls.patient(undefined).catch((error: unknown) => error));
    await elapse(until(clock, () => seen.context?.method === "patient"));
    await elapse(nodes.a.close({ drainMs: 0 }));
    await expectFailure(elapse(Promise.resolve(items.next())), "CULVERT_CLOSED");
    assert((await waiting) instanceof CulvertError, "the unary call too");
    await elapse(nodes.b.close({ drainMs: 0 }));
    assert(seen.stopped.length === 2, "both handlers were told");
  },
};

const BOUNDS: Cases<Rig> = {
  "a slow reader slows the handler down": async ({ calls, seen, clock, elapse }) => {
    const items = calls.flood("10000");
    await elapse(items.next());
    await elapse(quiet(clock, seen));
    const ahead = seen.produced * FLOOD_BYTES;
    assert(ahead < 8 * 2 ** 20, `${ahead} bytes are made ahead`);
    for (let i = 1; i < 200; i++) {
      const { value } = await elapse(items.next());
      assert(value instanceof Uint8Array && value[0] === i % 256, "no item is missing");
    }
    await elapse(Promise.resolve(items.return?.()));
  },

  "context tells peer, deadline and meta": async ({ calls, a, seen, elapse }) => {
    await elapse(all(calls.count("1", { totalMs: 9_000, meta: { trace: "7" } })));
    const { context } = seen;
    assert(context !== undefined && equalBytes(context.peer, a.id), "the peer is the caller");
    const { trace }: TraceMeta = context.meta;
    assert(trace === "7", "the meta is the caller's");
    const leftMs = context.deadline.leftMs();
    assert(leftMs > 0 && leftMs <= 9_000, "the deadline is the caller's");
  },

  "an item that is too large is refused where it is made": async ({ calls, elapse }) => {
    const large = "x".repeat(2 ** 20 + 10_000);
    await expectFailure(elapse(calls.collect([large])), "CULVERT_TOO_LARGE");
    await expectFailure(elapse(calls.double(large)), "CULVERT_TOO_LARGE");
  },
};

/** All bytes until the end. */
function allBytes(stream: ByteDuplex): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    stream.on("data", (bytes) => void chunks.push(bytes.slice()));
    stream.on("error", reject);
    stream.on("end", () => {
      const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      let at = 0;
      for (const chunk of chunks) {
        joined.set(chunk, at);
        at += chunk.length;
      }
      resolve(joined);
    });
    stream.resume();
  });
}

/** How often a condition is looked at. */
const LOOK_MS = 5;

/** Resolves when `isTrue` holds. */
function until(clock: Clock, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isTrue()) resolve();
      else clock.schedule(clock.now() + LOOK_MS, look);
    };
    look();
  });
}

/** Resolves when nothing more was produced for a while. */
async function quiet(clock: Clock, seen: Seen): Promise<void> {
  for (let before = -1; before !== seen.produced; ) {
    before = seen.produced;
    await new Promise<void>((resolve) => void clock.schedule(clock.now() + 20 * LOOK_MS, resolve));
  }
}

/** Items that are put one by one. */
class Gate {
  readonly #waiting: (string | undefined)[] = [];
  #wake: () => void = () => {};

  put(item: string): void {
    this.#waiting.push(item);
    this.#wake();
  }

  end(): void {
    this.#waiting.push(undefined);
    this.#wake();
  }

  async *items(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      while (this.#waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const item = this.#waiting.shift();
      if (item === undefined) return;
      yield item;
    }
  }
}
