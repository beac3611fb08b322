import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { CoreLinkStream } from "../../../src/link/host/link-stream.ts";
import type { Link } from "../../../src/link/index.ts";
import { creditCost } from "../../../src/link/mux/mux-stream.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { uncaught } from "../uncaught.ts";

/** A stream without a link, and what it asks of it. */
function lone({ isEndStuck = false } = {}) {
  const asked = { credit: 0, isReleased: false, codes: [] as number[] };
  const stream: CoreLinkStream = new CoreLinkStream({
    id: 1,
    protocol: "test",
    priority: "normal",
    link: { peer: new Uint8Array(32), isInitiator: false } as Partial<Link> as Link,
    localId: new Uint8Array(32),
    port: {
      clock: new VirtualClock(),
      leftMs: 1_000,
      write: () => {},
      end: () => {
        if (!isEndStuck) stream.endSent();
      },
      reset: (_id, code) => asked.codes.push(code),
      consumed: (_id, amount) => {
        asked.credit += amount;
      },
      release: () => {
        asked.isReleased = true;
      },
    },
  });
  return { stream: stream.on("error", () => {}), asked };
}

describe("a stream of a link", () => {
  it.each([undefined, new Error("of the layer above")])(
    "tells, when it closes, whether an error has ended it: %s",
    async (error) => {
      const { stream } = lone();
      const seen: unknown[] = [];
      for (const event of ["error", "close"]) stream.on(event, (told) => seen.push(told));
      stream.destroy(error);
      await new Promise(setImmediate);
      expect(seen).toEqual(error === undefined ? [false] : [error, true]);
    },
  );

  it("counts what was written once, while it waits, and when it has left", async () => {
    const { stream } = lone();
    stream.write(new Uint8Array(1_000));
    stream.write(new Uint8Array(500));
    expect(stream.bytesWritten).toBe(1_500);
    stream.written();
    await new Promise(setImmediate);
    expect(stream.bytesWritten).toBe(1_500);
    stream.written();
    expect(stream.bytesWritten).toBe(1_500);
    stream.write(new Uint8Array(7));
    stream.destroy();
    await new Promise(setImmediate);
    expect(stream.bytesWritten).toBe(1_507);
  });

  it.each([true, false])(
    "finishes before its end has left if it ends as a socket: %s",
    async (is) => {
      const { stream, asked } = lone({ isEndStuck: true });
      stream.endsAsSocket = is;
      stream.end();
      await new Promise(setImmediate);
      expect(stream.writableFinished).toBe(is);
      stream.destroy();
      // It still has an end to send, and is told when that has left.
      expect([asked.codes, asked.isReleased]).toEqual(is ? [[], false] : [[0xff00], true]);
    },
  );

  it("gives back the credit of all that came, also when it is left in the middle", async () => {
    const { stream, asked } = lone();
    stream.end();
    stream.on("data", () => stream.destroy());
    await new Promise((resolve) => stream.once("finish", resolve));
    stream.deliver(new Uint8Array(32_743));
    await new Promise((resolve) => stream.once("close", resolve));
    stream.deliver(new Uint8Array(1_000));
    expect(asked.credit).toBe(creditCost(32_743) + creditCost(1_000));
  });

  it.each(["has ended", "has ended, and given the rest up"])(
    "is held by its link no more once the peer %s, whether it is read or not",
    async (how) => {
      const { stream, asked } = lone();
      stream.deliver(new Uint8Array(10));
      stream.deliverEnd();
      expect(asked.isReleased).toBe(false);
      if (how === "has ended") stream.end();
      else stream.fail(new CulvertError("CULVERT_PEER_ABORTED"));
      await new Promise(setImmediate);
      expect([asked.isReleased, stream.destroyed]).toEqual([true, false]);
    },
  );

  it("tells whoever has paused it of no end before what was put back", async () => {
    const { stream } = lone();
    const heard: unknown[] = [];
    stream.on("data", (bytes: Uint8Array) => heard.push(String(bytes)));
    stream.on("end", () => heard.push("end"));
    await new Promise(setImmediate);
    stream.deliver(Buffer.from("head and more"));
    stream.pause();
    stream.deliverEnd();
    await new Promise(setImmediate);
    stream.unshift(Buffer.from("more"));
    stream.resume();
    await new Promise(setImmediate);
    expect(heard).toEqual(["head and more", "more", "end"]);
  });

  it.each(["first", "last"])(
    "closes though nobody reads on, once both have ended: our end %s",
    async (when) => {
      const { stream } = lone();
      const heard: unknown[] = [];
      for (const event of ["end", "finish", "close"]) stream.on(event, () => heard.push(event));
      stream.on("data", () => stream.pause());
      await new Promise(setImmediate);
      stream.deliver(Buffer.from("all of it"));
      if (when === "first") stream.end();
      stream.deliverEnd();
      await new Promise(setImmediate);
      if (when === "last") stream.end();
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      expect(new Set(heard)).toEqual(new Set(["end", "finish", "close"]));
    },
  );

  it("closes though a callback of a write throws then", async () => {
    const seen = uncaught();
    const { stream } = lone();
    const heard: unknown[] = [];
    stream.on("close", (hadError: boolean) => heard.push(hadError));
    stream.write("x", () => {
      throw new Error("of a callback");
    });
    await new Promise(setImmediate);
    stream.destroy();
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    expect([heard, seen]).toEqual([[false], ["of a callback"]]);
  });

  it("tells the peer the code of a reset also when it was left before", async () => {
    const { stream, asked } = lone();
    stream.end();
    await new Promise((resolve) => stream.once("finish", resolve));
    stream.destroy();
    expect(asked.codes).toEqual([]);
    stream.reset(7);
    expect([asked.codes, asked.isReleased]).toEqual([[7], true]);
  });

  it("is reset as a socket is, although it has ended", async () => {
    const { stream, asked } = lone();
    stream.end();
    await new Promise((resolve) => stream.once("finish", resolve));
    expect(stream.resetAndDestroy()).toBe(stream);
    expect([asked.codes, stream.destroyed]).toEqual([[0], true]);
  });
});
