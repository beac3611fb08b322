import { type Clock, CulvertError, joinBytes, onAbort, utf8 } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import {
  BYTES,
  type ByteDuplex,
  type CallContext,
  type Caller,
  type ClientStreamMethod,
  clientStream,
  type DuplexMethod,
  duplex,
  type Handlers,
  NOTHING,
  type RawMethod,
  type RequestCarrier,
  RpcNode,
  raw,
  type ServerStreamMethod,
  Service,
  type StreamCarrier,
  serverStream,
  TEXT,
  type UnaryMethod,
  unary,
} from "../../rpc/index.ts";
import type { Fixture } from "./suite.ts";

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

/** What the suite calls. */
export const METHODS: {
  readonly double: UnaryMethod<string, string>;
  readonly count: ServerStreamMethod<string, string>;
  readonly collect: ClientStreamMethod<string, string>;
  readonly talk: DuplexMethod<string, string>;
  readonly mirror: RawMethod<string>;
  readonly flood: ServerStreamMethod<string, Uint8Array>;
  readonly stubborn: ServerStreamMethod<void, string>;
  readonly patient: UnaryMethod<void, string>;
} = {
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
export interface Seen {
  readonly stopped: string[];
  /** Items that a flood made. */
  produced: number;
  context: CallContext | undefined;
}

/** A running pair: b serves, a calls; and the other way round. */
export interface Rig extends RpcFixture {
  readonly calls: Caller<typeof METHODS>;
  readonly back: Caller<typeof METHODS>;
  readonly nodes: { readonly a: RpcNode; readonly b: RpcNode };
  readonly seen: Seen;
}

/** An item of a flood. */
export const FLOOD_BYTES = 8_192;

/** Starts both nodes. */
export function start(fixture: RpcFixture): Rig {
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
      if (greeting === "curt") await answerShortly(await accept());
      else await mirror(await accept());
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

function answerShortly(stream: ByteDuplex): Promise<void> {
  return new Promise((resolve) => {
    stream.on("close", resolve);
    stream.on("error", () => {});
    stream.write(utf8("short"));
    stream.end();
    stream.resume();
  });
}

function mirror(stream: ByteDuplex): Promise<void> {
  return new Promise((resolve) => {
    stream.on("close", resolve);
    stream.on("error", () => {});
    stream.pipe(stream);
  });
}

/** Every item until the end. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) taken.push(item);
  return taken;
}

/** All bytes until the end. */
export function allBytes(stream: ByteDuplex): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    stream.on("data", (bytes) => void chunks.push(bytes.slice()));
    stream.on("error", reject);
    stream.on("end", () => resolve(joinBytes(chunks)));
    stream.resume();
  });
}

/** How often a condition is looked at. */
const LOOK_MS = 5;

/** Resolves when `isTrue` holds. */
export function until(clock: Clock, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isTrue()) resolve();
      else clock.schedule(clock.now() + LOOK_MS, look);
    };
    look();
  });
}

/** Resolves when nothing more was produced for a while. */
export async function quiet(clock: Clock, seen: Seen): Promise<void> {
  for (let before = -1; before !== seen.produced; ) {
    before = seen.produced;
    await new Promise<void>((resolve) => void clock.schedule(clock.now() + 20 * LOOK_MS, resolve));
  }
}

/** Items that are put one by one. */
export class Gate {
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
