import { describe, expect, it } from "vitest";
import { CorePair } from "./core-pair.ts";

describe("a flood", () => {
  it("of replies that one peer never acknowledges leaves room for those of others", () => {
    const pair = new CorePair({ replyBytesMax: 10_000, replyBytesPerPeerMax: 1_000 });
    pair.passes = ({ to, envelope }) => to !== pair.a || envelope.kind !== "reply";
    const body = new Uint8Array(400);
    for (let asked = 0; asked < 10; asked++) {
      pair.ask({ body });
      pair.clock.advance(30);
      pair.answerAll();
    }
    expect(pair.b.all("run")).toHaveLength(3);
    const ask = { type: "test.ask", meta: new Uint8Array(0), body, hardMs: 30_000 };
    const order = { ...ask, peer: pair.b.id, isIdempotent: false };
    pair.c.handle({ kind: "request", request: 99, ...order });
    pair.clock.advance(30);
    pair.answerAll();
    pair.clock.advance(30);
    expect(pair.c.all("replied")).toMatchObject([{ request: 99, isFailure: false }]);
  });
});
