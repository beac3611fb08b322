import { CulvertError } from "../../src/base/index.ts";
import {
  type ByteDuplex,
  type CallContext,
  clientStream,
  duplex,
  type Handlers,
  raw,
  serverStream,
  TEXT,
  unary,
} from "../../src/rpc/index.ts";
import type { ChurnNotes } from "./churn-notes.ts";

/** What nodes are called for. */
export const METHODS = {
  ask: unary({ request: TEXT, reply: TEXT }),
  again: unary({ request: TEXT, reply: TEXT, isIdempotent: true }),
  tail: serverStream({ request: TEXT, down: TEXT }),
  sum: clientStream({ up: TEXT, reply: TEXT }),
  echo: duplex({ up: TEXT, down: TEXT }),
  pipe: raw({ request: TEXT }),
};

/** Handlers that take their time, fail, and go on when they are told to stop. */
export function churnHandlers(
  notes: ChurnNotes,
  { hasGap }: { readonly hasGap: boolean },
): Handlers<typeof METHODS> {
  const handling = <T>(method: string, work: () => Promise<T>): Promise<T> =>
    notes.during(`handlers of ${method}`, work);
  const answer = async (asked: string, { signal }: CallContext): Promise<string> => {
    const [id = "", ms, manner = ""] = asked.split(" ");
    await notes.sleep(Number(ms), manner.startsWith("deaf") ? undefined : signal);
    if (manner.startsWith("fails")) throw new CulvertError("CULVERT_FULL");
    return `${id} `.padEnd(manner === "short" ? 0 : notes.bytes(), ".");
  };
  return {
    ask: async (asked, context) => {
      const [id = ""] = asked.split(" ");
      notes.ran(id);
      return await handling("ask", () => answer(asked, context));
    },
    again: (asked, context) => handling("again", () => answer(asked, context)),
    async *tail(how, { signal }) {
      const [count, bytes, pauseMs, manner] = how.split(" ");
      for (let at = 0; at < Number(count); at++) {
        if (Number(pauseMs) > 0) await notes.sleep(Number(pauseMs), signal);
        if (!(hasGap && at === 2)) yield `${at}`.padEnd(Number(bytes), ".");
      }
      if (manner === "fails") throw new CulvertError("CULVERT_FULL");
    },
    sum: (items) =>
      handling("sum", async () => {
        let count = 0;
        for await (const item of items) {
          if (Number.parseInt(item, 10) !== count) notes.wrong("another item");
          count += 1;
          if (notes.random.below(80) === 0) return "-1";
        }
        return `${count}`;
      }),
    async *echo(items) {
      yield* items;
    },
    pipe: async (how, accept) => {
      if (how === "fails") throw new CulvertError("CULVERT_FULL");
      const stream = await accept();
      await handling("pipe", () => mirror(stream));
    },
  };
}

async function mirror(stream: ByteDuplex): Promise<void> {
  await new Promise((resolve) => {
    stream.on("close", resolve);
    stream.on("error", () => {});
    stream.pipe(stream);
  });
}
