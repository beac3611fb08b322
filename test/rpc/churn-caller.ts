import { type ErrorCode, isAbortError, isCulvertError, onAbort } from "../../src/base/index.ts";
import type { Caller, CallOptions } from "../../src/rpc/index.ts";
import type { METHODS } from "./churn-handlers.ts";
import type { ChurnNotes } from "./churn-notes.ts";

type Calls = Caller<typeof METHODS>;

/** What a call may fail with here. Whatever else it fails with is a defect. */
const CODES: readonly ErrorCode[] = [
  ...(["CULVERT_TIMEOUT", "CULVERT_UNREACHABLE", "CULVERT_BUSY", "CULVERT_CLOSED"] as const),
  ...(["CULVERT_PEER_ABORTED", "CULVERT_SESSION_LOST", "CULVERT_FULL"] as const),
];
/** How long a raw call goes on at the most. */
const RAW_MS = 20_000;
/** How long somebody says nothing who has more to say. */
const SILENCE_MS = 3_600_000;

/** Makes calls in all ways there are, and looks at what comes of them. */
export class ChurnCaller {
  readonly #notes: ChurnNotes;

  constructor(notes: ChurnNotes) {
    this.#notes = notes;
  }

  /** One call; it never rejects. */
  async call(calls: Calls, id: string): Promise<void> {
    const kind = this.#notes.one(...(["ask", "again", "tail", "sum", "echo", "pipe"] as const));
    const abort = new AbortController();
    const abortAt = this.#notes.clock.now() + this.#notes.random.below(4_000);
    const cancel = this.#notes.clock.schedule(
      abortAt,
      () => this.#notes.random.below(3) || abort.abort(),
    );
    const options = {
      signal: abort.signal,
      totalMs: this.#notes.one(100, 3_000, 20_000),
      ...(this.#notes.random.below(4) === 0 && { firstMs: 500, betweenMs: 300 }),
    };
    await this.#notes.during(`calls of ${kind}`, async () => {
      try {
        if (kind === "ask" || kind === "again") await this.#ask(calls[kind], id, options);
        else if (kind === "tail") await this.#tail(calls, options);
        else if (kind === "sum") await this.#sum(calls, options);
        else if (kind === "echo") await this.#echo(calls, options);
        else await this.#pipe(calls, options);
      } catch (error) {
        this.#failed(kind, error);
      } finally {
        cancel();
      }
    });
  }

  #failed(kind: string, error: unknown): void {
    const isOurs = isCulvertError(error) && CODES.includes(error.code);
    if (!isOurs && !isAbortError(error)) this.#notes.wrong(`${kind} failed with ${error}`);
  }

  async #ask(ask: Calls["ask"], id: string, options: CallOptions): Promise<void> {
    const manner = this.#notes.one("well", "well", "fails", "deaf");
    const asked = `${id} ${this.#notes.random.below(2_000)} ${manner}`.padEnd(
      this.#notes.bytes(),
      ".",
    );
    const reply = await ask(asked, options);
    if (reply.split(" ")[0] !== id) this.#notes.wrong(`${id} was answered with ${reply}`);
  }

  async #tail(calls: Calls, options: CallOptions): Promise<void> {
    const count = this.#notes.random.below(60);
    const manner = this.#notes.one("well", "fails");
    const how = `${count} ${this.#notes.bytes()} ${this.#notes.pauseMs()} ${manner}`;
    const came = await this.#take(calls.tail(how, options));
    if (came !== undefined && came !== count) this.#notes.wrong(`${came} of ${count} items`);
  }

  async #sum(calls: Calls, options: CallOptions): Promise<void> {
    const [count, bytes, pauseMs] = [
      this.#notes.random.below(60),
      this.#notes.bytes(),
      this.#notes.pauseMs(),
    ];
    const sum = Number(await calls.sum(this.#given(count, bytes, pauseMs), options));
    const isEarly = sum < 0;
    if (!isEarly && sum !== count) this.#notes.wrong(`the sum of ${count} is ${sum}`);
  }

  async #echo(calls: Calls, options: CallOptions): Promise<void> {
    const [count, bytes, pauseMs] = [
      this.#notes.random.below(60),
      this.#notes.bytes(),
      this.#notes.pauseMs(),
    ];
    const came = await this.#take(calls.echo(this.#given(count, bytes, pauseMs), options));
    if (came !== undefined && came !== count) this.#notes.wrong(`${came} of ${count} echoes`);
  }

  /** Takes items, at some pace; how many there were, or nothing where the loop was left. */
  async #take(items: AsyncIterable<string>): Promise<number | undefined> {
    const [pauseMs, leaveAt] = [this.#notes.pauseMs(), this.#notes.random.below(3) ? 1_000 : 3];
    let count = 0;
    for await (const item of items) {
      const number = Number.parseInt(item, 10);
      if (number !== count) this.#notes.wrong(`item ${number} came where ${count} is due`);
      count += 1;
      if (count === leaveAt) return undefined;
      if (pauseMs > 0) await this.#notes.sleep(pauseMs);
    }
    return count;
  }

  async #pipe(calls: Calls, options: CallOptions): Promise<void> {
    const stream = await calls.pipe(this.#notes.one("well", "fails"), options);
    const bytes = this.#notes.random.below(300_000);
    let came = 0;
    let isEnded = false;
    const giveUp = (): void => void stream.destroy();
    const cancel = this.#notes.clock.schedule(
      this.#notes.clock.now() + this.#notes.one(RAW_MS, this.#notes.random.below(2_000)),
      giveUp,
    );
    stream.on("error", () => {});
    stream.on("data", (chunk: Uint8Array) => {
      if (chunk.some((byte, at) => byte !== (came + at) % 251)) this.#notes.wrong("other bytes");
      came += chunk.length;
    });
    stream.on("end", () => {
      isEnded = true;
    });
    const all = Uint8Array.from({ length: bytes }, (_, at) => at % 251);
    for (let at = 0; at < bytes; at += 10_000) stream.write(all.subarray(at, at + 10_000));
    stream.end();
    await new Promise((resolve) => stream.once("close", resolve));
    cancel();
    if (isEnded && came !== bytes) this.#notes.wrong(`${came} of ${bytes} bytes, and an end`);
  }

  /** Items that a call sends; whoever takes them has to end them, also while none is there. */
  #given(count: number, bytes: number, pauseMs: number): AsyncIterable<string> {
    const isSilent = this.#notes.random.below(4) === 0;
    const end = new AbortController();
    const ended = new Promise<void>((resolve) => void onAbort(end.signal, () => resolve()));
    let at = 0;
    const next = async (): Promise<IteratorResult<string, undefined>> => {
      if (at === 0) void this.#notes.during("items to send", () => ended);
      if (isSilent && at === 1) await this.#notes.sleep(SILENCE_MS, end.signal);
      if (pauseMs > 0) await this.#notes.sleep(pauseMs, end.signal);
      at += 1;
      if (at <= count) return { done: false, value: `${at - 1}`.padEnd(bytes, ".") };
      end.abort();
      return { done: true, value: undefined };
    };
    const leave = async (): Promise<IteratorResult<string, undefined>> => {
      end.abort();
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
  }
}
