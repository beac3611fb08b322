import { describe, expect, it } from "vitest";
import { CorePair } from "./core-pair.ts";

describe("a peer's session", () => {
  it("is not forgotten for others while a handler runs for it", () => {
    const pair = new CorePair({ peersMax: 1 });
    pair.ask({ body: Uint8Array.of(7) });
    pair.clock.advance(30);
    const none = new Uint8Array(0);
    const order = { type: "test.ask", meta: none, body: none, hardMs: 5_000, isIdempotent: false };
    pair.c.handle({ kind: "request", request: 9, peer: pair.b.id, ...order });
    pair.clock.advance(200);
    pair.answerAll();
    pair.clock.advance(200);
    expect(pair.a.told).toMatchObject([{ kind: "replied", body: Uint8Array.of(7) }]);
    // Now there is room for somebody else.
    pair.clock.advance(5_000);
    expect(pair.b.all("run")).toHaveLength(2);
  });

  it("ends with the handlers that run in it, once the peer has begun anew", () => {
    const pair = new CorePair();
    pair.ask();
    pair.clock.advance(30);
    expect(pair.b.all("run")).toHaveLength(1);
    pair.a.restart();
    pair.ask();
    pair.clock.advance(100);
    expect(pair.b.all("run")).toHaveLength(2);
    expect(pair.b.all("abort")).toMatchObject([{ call: 1, reason: "cancelled" }]);
    pair.clock.advance(200);
    expect(pair.b.all("cutOff")).toMatchObject([{ call: 1 }]);
  });
});
