import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { uncaught } from "../link/uncaught.ts";
import { pattern, virtualPair } from "./virtual-pair.ts";

const fail = (): never => {
  throw new Error("of a listener");
};

/** More than what may pass when nothing is held up; a get that is waited for in vain takes more. */
const SOON_MS = 5_000;

describe("a listener of a stream that throws", () => {
  it.each(["data", "end", "finish", "acknowledged", "close"])(
    "holds nothing up: %s",
    async (event) => {
      const seen = uncaught();
      const { a, b, clock, elapse } = await virtualPair();
      const closed = Promise.all([a, b].map((end) => once(end, "close")));
      let bytes = 0;
      b.on("data", (chunk: Uint8Array) => {
        bytes += chunk.length;
      });
      for (const end of [a, b]) end.on(event, fail);
      for (let at = 0; at < 20; at++) a.write(pattern(10_000));
      a.resume().end();
      b.end();
      await elapse(closed);
      expect(clock.now()).toBeLessThan(SOON_MS);
      expect([bytes, b.bytesRead]).toEqual([200_000, 200_000]);
      expect(new Set(seen)).toEqual(new Set(["of a listener"]));
    },
  );

  it("has what it threw told as that of a socket, from its own turn", async () => {
    const seen = uncaught();
    const { a, b, elapse } = await virtualPair();
    b.once("data", fail);
    a.write("x");
    await elapse(a.sync());
    expect(seen).toEqual(["of a listener"]);
  });
});

describe("a callback of a write that throws", () => {
  it("keeps no stream that is destroyed", async () => {
    const seen = uncaught();
    const { a, b, clock, elapse } = await virtualPair();
    b.resume().on("error", () => {});
    const closed = once(a, "close");
    // Full, so that the last one is called back by the destroy.
    while (a.write(pattern(100_000)));
    a.write(pattern(100_000), fail);
    a.destroy();
    const left = new Promise((resolve) => b.once("close", resolve));
    await elapse(Promise.all([closed, left]));
    expect([new Set(seen), clock.now() < SOON_MS]).toEqual([new Set(["of a listener"]), true]);
  });
});
