import { expect, it } from "vitest";
import { TEXT } from "../../../src/rpc/index.ts";
import { CALL_FRAME, encodeCallFrame } from "../../../src/rpc/streaming/call-frame.ts";
import { StreamCaller } from "../../../src/rpc/streaming/stream-caller.ts";
import { STREAM_CALL_LIMITS } from "../../../src/rpc/streaming/stream-limits.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const peer = new Uint8Array(32);

function rig() {
  const [mine, theirs] = MemoryStream.pair();
  const clock = new VirtualClock();
  const streams = { openStream: async () => mine, onStream: () => {} };
  const asking = new StreamCaller(streams, clock, STREAM_CALL_LIMITS);
  theirs.resume();
  return { mine, theirs, clock, asking };
}

/** Items that never come, and whether whoever gives them was told that none are wanted. */
function silence() {
  const told = { isTold: false };
  const items: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        told.isTold = true;
        return { done: true, value: undefined };
      },
    }),
  };
  return { told, items };
}

it("who gives items is told when the call has ended, although none was due", async () => {
  const { theirs, clock, asking } = rig();
  const { told, items } = silence();
  const target = { peer, method: "sum", kind: "clientStream" } as const;
  const asked = asking.send(target, { items, up: TEXT, reply: TEXT }, {});
  await clock.runUntil(1);
  theirs.write(encodeCallFrame(CALL_FRAME.reply, TEXT.encode("enough")));
  expect(await clock.runPromise(asked, 1_000)).toBe("enough");
  await clock.runUntil(2);
  expect(told.isTold).toBe(true);
});

it("who gives items is told when the loop over the answers is left", async () => {
  const { theirs, clock, asking } = rig();
  const { told, items } = silence();
  const target = { peer, method: "talk", kind: "duplex" } as const;
  const answers = asking.exchange(target, { items, up: TEXT, down: TEXT }, {});
  const first = answers.next();
  await clock.runUntil(1);
  theirs.write(encodeCallFrame(CALL_FRAME.item, TEXT.encode("a")));
  expect(await clock.runPromise(first, 1_000)).toMatchObject({ value: "a" });
  await answers.return();
  await clock.runUntil(2);
  expect(told.isTold).toBe(true);
});

it.each(["by its peer", "by its signal"])(
  "a raw call that is cut %s in the moment of its acceptance fails",
  async (how) => {
    const { mine, theirs, clock, asking } = rig();
    const abort = new AbortController();
    const target = { peer, method: "tunnel", kind: "raw" } as const;
    const connected = asking.connect(target, TEXT.encode(""), { signal: abort.signal });
    const outcome = connected.catch((error: unknown) => error);
    await clock.runUntil(1);
    mine.push(encodeCallFrame(CALL_FRAME.accepted, new Uint8Array(0)));
    if (how === "by its peer") mine.destroy();
    else abort.abort();
    expect(await clock.runPromise(outcome, 1_000)).toMatchObject(
      how === "by its peer" ? { code: "CULVERT_PEER_ABORTED" } : { name: "AbortError" },
    );
    expect([mine.destroyed, theirs.destroyed, asking.openCount]).toEqual([true, true, 0]);
  },
);
