import { assert, type CulvertError, equalBytes, isCulvertError, utf8 } from "../../base/index.ts";
import type { Stream } from "../../stream/index.ts";
import { collect } from "./collect.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** What the suite needs: two streams that talk to each other, fresh for every case. */
export interface StreamFixture extends Fixture {
  readonly a: Stream;
  readonly b: Stream;
  /** Lets time pass until `promise` settles; on a real clock, the promise itself. */
  elapse<T>(promise: Promise<T>): Promise<T>;
  /** Lets some milliseconds pass. */
  pass(ms: number): Promise<void>;
}

/**
 * The contract of `Stream` towards an application, for any transport and any place of its state.
 *
 * @example
 * ```ts
 * streamCompliance(test, async () => {
 *   const { a, b, close } = await pair({ loss: 0.1, rtt: 20 });
 *   const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
 *   return { a, b, elapse: (promise) => promise, pass, teardown: close };
 * });
 * ```
 */
export function streamCompliance(test: RegisterTest, setup: () => Promise<StreamFixture>): void {
  registerCases(test, setup, { ...BYTE_CASES, ...END_CASES, ...ABORT_CASES, ...WAIT_CASES });
}

/** More than the write buffer, the credit of a reader and the buffers of Node hold. */
const MUCH = 2_000_000;

/** What a reader that does not read may be given at the defaults, in cells of 2 KiB. */
const KEPT_MAX = 256 * 2_048;

/** Time in which a writer has come to a stand. */
const SETTLED_MS = 3_000;

const BYTE_CASES: Cases<StreamFixture> = {
  "bytes arrive whole and in order, both ways at once": async ({ a, b, elapse }) => {
    const [here, there] = [pattern(100_000, 1), pattern(70_000, 2)];
    const arrived = Promise.all([collect(a), collect(b)]);
    for (let at = 0; at < here.length; at += 999) a.write(here.subarray(at, at + 999));
    a.end();
    b.end(there);
    const [atA, atB] = await elapse(arrived);
    assert(equalBytes(atA, there), "what b wrote is what a read");
    assert(equalBytes(atB, here), "what a wrote is what b read");
  },

  "writers are told to wait, and to go on when the reader has read": async ({ a, b, elapse }) => {
    const chunk = pattern(10_000, 3);
    let written = 0;
    while (a.write(chunk)) written += chunk.length;
    assert(a.writableNeedDrain && written < MUCH, "the writer is asked to wait");
    const drained = once(a, "drain");
    const arrived = collect(b);
    await elapse(drained);
    a.end();
    const all = await elapse(arrived);
    assert(all.length === written + chunk.length, "nothing is lost by waiting");
  },

  "a caller may use its buffer again once it is called back": async ({ a, b, elapse }) => {
    const buffer = new Uint8Array(5_000);
    const arrived = collect(b);
    for (let round = 0; round < 5; round++) {
      buffer.fill(round);
      await elapse(written(a, buffer));
    }
    buffer.fill(0xee);
    a.end();
    const all = await elapse(arrived);
    for (let at = 0; at < all.length; at += 1_000) {
      assert(all[at] === Math.floor(at / 5_000), "the bytes are those of the call");
    }
  },

  "a reader that stops bounds what is kept for it": async ({ a, b, elapse, pass }) => {
    const writing = (async () => {
      for (let sent = 0; sent < MUCH; sent += 50_000) await written(a, pattern(50_000, sent));
    })();
    await elapse(once(b, "readable"));
    await pass(SETTLED_MS);
    const kept = b.readableLength;
    await pass(SETTLED_MS);
    assert(b.readableLength === kept && kept < KEPT_MAX, `the reader keeps ${kept} bytes`);
    b.resume();
    await elapse(writing);
    await elapse(a.sync());
  },
};

const END_CASES: Cases<StreamFixture> = {
  "one side ends and the other still answers": async ({ a, b, elapse }) => {
    a.end("question");
    const question = await elapse(collect(b));
    assert(equalBytes(question, utf8("question")), "the question arrives");
    assert(b.writable && !b.destroyed, "the other direction is open");
    b.end("answer");
    assert(equalBytes(await elapse(collect(a)), utf8("answer")), "the answer arrives");
  },

  "an end without a byte is an end": async ({ a, b, elapse }) => {
    a.end();
    assert((await elapse(collect(b))).length === 0, "nothing arrives before the end");
  },

  "finish and end come before close, once each": async ({ a, b, elapse }) => {
    const events = ["finish", "end", "close"] as const;
    const seen = [a, b].map((stream) => {
      const order: string[] = [];
      for (const event of events) stream.on(event, () => order.push(event));
      return order;
    });
    const closed = Promise.all([once(a, "close"), once(b, "close")]);
    a.resume().end("x");
    b.resume().end("y");
    await elapse(closed);
    for (const order of seen) {
      assert(order.length === 3 && order.at(-1) === "close", `in the order ${order.join(", ")}`);
    }
  },

  "a stream that was ended and then destroyed still delivers": async ({ a, b, elapse }) => {
    const bytes = pattern(500_000, 9);
    for (let at = 0; at < bytes.length; at += 50_000) a.write(bytes.subarray(at, at + 50_000));
    a.end();
    a.destroy();
    assert(equalBytes(await elapse(collect(b)), bytes), "everything arrives, and the end");
  },

  "a stream that was destroyed after finish still delivers": async ({ a, b, elapse }) => {
    const bytes = pattern(20_000, 5);
    a.end(bytes);
    await elapse(once(a, "finish"));
    a.destroy();
    assert(equalBytes(await elapse(collect(b)), bytes), "everything arrives, and the end");
  },
};

const ABORT_CASES: Cases<StreamFixture> = {
  "destroy tells the peer": async ({ a, b, elapse }) => {
    const failed = failure(b);
    b.resume();
    a.write("some");
    await elapse(once(b, "data"));
    a.destroy();
    const error = await elapse(failed);
    assert(isCulvertError(error, "CULVERT_PEER_ABORTED"), `the peer learns it, not ${error}`);
    assert(error.remote === true && b.destroyed, "it was the other side");
  },

  "destroy tells the peer before the first byte, too": async ({ a, b, elapse, pass }) => {
    const failed = failure(b);
    await pass(1);
    a.destroy();
    assert(isCulvertError(await elapse(failed), "CULVERT_PEER_ABORTED"), "the peer learns it");
  },

  "an error is the application's own, and the peer's is another": async ({ a, b, elapse }) => {
    const failed = Promise.all([failure(a), failure(b)]);
    a.write("some");
    b.once("data", () => a.destroy(new Error("of the application"))).resume();
    const [own, other] = await elapse(failed);
    assert(own.message === "of the application", "this side keeps its error");
    assert(isCulvertError(other, "CULVERT_PEER_ABORTED"), "the other hears that there was one");
  },

  "writes that wait are called back when the stream is destroyed": async ({ a, b, elapse }) => {
    expectAbort(b);
    const outcomes: boolean[] = [];
    const chunk = pattern(100_000, 6);
    const settled = new Promise<void>((resolve) => {
      const note = (error?: Error | null): void => {
        outcomes.push(error instanceof Error);
        if (outcomes.length === 10) resolve();
      };
      for (let i = 0; i < 10; i++) a.write(chunk, note);
    });
    a.destroy();
    await elapse(settled);
    assert(outcomes.includes(true), "what was not accepted was refused");
  },

  "nothing is written to a stream that is destroyed": async ({ a, b, elapse }) => {
    expectAbort(b);
    a.destroy();
    const refused = written(a, utf8("late")).then(
      () => false,
      () => true,
    );
    assert(await elapse(refused), "a late write is refused");
  },
};

const WAIT_CASES: Cases<StreamFixture> = {
  "sync waits for the reader, and for nothing written later": async ({ a, b, elapse }) => {
    await elapse(a.sync());
    a.write(pattern(3_000, 7));
    let isSynced = false;
    const synced = a.sync().then(() => {
      isSynced = true;
    });
    await elapse(once(b, "readable"));
    assert(!isSynced, "nobody has read");
    const writing = setWriting(a, () => isSynced);
    b.resume();
    await elapse(synced);
    await elapse(writing);
    await elapse(a.sync());
    assert(a.progress().acknowledgedBytes === a.bytesWritten, "everything is acknowledged");
  },

  "sync after the end waits for the end": async ({ a, b, elapse }) => {
    a.end("all of it");
    b.resume();
    await elapse(a.sync());
    assert(a.progress().isEndTaken, "the peer has taken the end");
  },

  "close resolves when everything is in the Map, and needs no reader": async ({ a, elapse }) => {
    a.write(pattern(5_000, 8));
    await elapse(a.close());
    assert(a.writableFinished && a.progress().isAllStored, "everything is stored");
  },

  "a wait ends with its signal, and the stream goes on": async ({ a, b, elapse }) => {
    await expectFailure(a.sync({ signal: AbortSignal.abort() }), "AbortError");
    a.write("x");
    const controller = new AbortController();
    const waiting = expectFailure(a.sync({ signal: controller.signal }), "AbortError");
    controller.abort();
    await elapse(waiting);
    b.resume();
    await elapse(a.sync());
  },

  "a wait ends when the stream does": async ({ a, b, elapse }) => {
    expectAbort(b);
    a.write("x");
    const synced = expectFailure(a.sync(), "CULVERT_CLOSED");
    a.destroy();
    await elapse(synced);
    await expectFailure(a.sync(), "CULVERT_CLOSED");
  },
};

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7 + seed) & 0xff);
}

function once(stream: Stream, event: string): Promise<void> {
  return new Promise((resolve) => stream.once(event, () => resolve()));
}

function failure(stream: Stream): Promise<Error & Partial<CulvertError>> {
  return new Promise((resolve) => stream.once("error", resolve));
}

/** The error is expected and of no interest. */
function expectAbort(stream: Stream): void {
  stream.on("error", () => {});
}

function written(stream: Stream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Goes on writing until it may stop. */
async function setWriting(stream: Stream, mayStop: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !mayStop(); i++) await written(stream, pattern(2_000, i));
}
