import { assert, CulvertError, equalBytes, utf8 } from "../../base/index.ts";
import { raw, serverStream, TEXT, unary } from "../../rpc/index.ts";
import {
  all,
  allBytes,
  FLOOD_BYTES,
  Gate,
  quiet,
  type Rig,
  type RpcFixture,
  start,
  until,
} from "./rpc-rig.ts";
import { type Cases, expectFailure, type RegisterTest, registerCases } from "./suite.ts";

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

type TraceMeta = { readonly trace?: string };

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
      // A stream that breaks takes along what was not read: the handler has to run before.
      await until(clock, () => seen.context !== undefined);
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

  "a raw call that is answered and ended at once loses nothing": async ({ calls, elapse }) => {
    const stream = await elapse(calls.mirror("curt"));
    assert(equalBytes(await elapse(allBytes(stream)), utf8("short")), "all of it is there");
    stream.end();
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
    const taking = all(calls.stubborn(undefined, { totalMs: 1_000 }));
    await expectFailure(elapse(taking), "CULVERT_TIMEOUT");
    await elapse(until(clock, () => nodes.b.servedStreams === 0));
    assert(seen.stopped.length === 1, "it was told first");
  },

  "a stream that does not begin is given up before its call": async ({ calls, clock, elapse }) => {
    const gate = new Gate();
    const totalMs = 60_000;
    const startedAt = clock.now();
    const taking = all(calls.talk(gate.items(), { firstMs: 300, totalMs }));
    await expectFailure(elapse(taking), "CULVERT_TIMEOUT");
    gate.end();
    assert(clock.now() - startedAt < totalMs, "the call had time left");
  },

  "a stream that falls silent is given up": async ({ calls, clock, elapse }) => {
    const totalMs = 60_000;
    const startedAt = clock.now();
    const taking = all(calls.stubborn(undefined, { betweenMs: 300, totalMs }));
    await expectFailure(elapse(taking), "CULVERT_TIMEOUT");
    assert(clock.now() - startedAt < totalMs, "the call had time left");
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

  "a graceful close lets the calls of its own end too": async ({ calls, nodes, elapse }) => {
    const gate = new Gate();
    const answers = calls.talk(gate.items());
    gate.put("a");
    assert((await elapse(answers.next())).value === "a?", "the call runs");
    const closing = nodes.a.close();
    gate.put("b");
    gate.end();
    const rest = await elapse(all({ [Symbol.asyncIterator]: () => answers }));
    assert(rest.join() === "b?,bye", "what was begun is finished");
    await elapse(closing);
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
    assert(ahead < 2 * 2 ** 20, `${ahead} bytes are made ahead`);
    for (let i = 1; i < 30; i++) {
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
