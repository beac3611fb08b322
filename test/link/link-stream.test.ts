import { describe, expect, it } from "vitest";
import type { Link } from "../../src/link/index.ts";
import { CoreLinkStream, type StreamPort } from "../../src/link/link-stream.ts";
import { creditCost } from "../../src/link/mux-stream.ts";
import { VirtualClock } from "../../src/testing/index.ts";

describe("a stream of a link", () => {
  it("gives back the credit of all that came, also when it is left in the middle", async () => {
    let credit = 0;
    const port: StreamPort = {
      clock: new VirtualClock(),
      write: () => {},
      end: () => stream.endSent(),
      reset: () => {},
      consumed: (_id, amount) => {
        credit += amount;
      },
      release: () => {},
    };
    const stream = new CoreLinkStream({
      id: 1,
      protocol: "test",
      priority: "normal",
      link: { peer: new Uint8Array(32) } as Partial<Link> as Link,
      localId: new Uint8Array(32),
      port,
    });
    stream.end();
    stream.on("data", () => stream.destroy());
    await new Promise((resolve) => stream.once("finish", resolve));
    stream.deliver(new Uint8Array(32_743));
    await new Promise((resolve) => stream.once("close", resolve));
    stream.deliver(new Uint8Array(1_000));
    expect(credit).toBe(creditCost(32_743) + creditCost(1_000));
  });
});
