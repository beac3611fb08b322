import { describe, expect, it } from "vitest";
import { CorePair } from "./core-pair.ts";

describe("a flood", () => {
  it.each([
    ["replies", { repliesMax: 4, repliesPerPeerMax: 4 }],
    ["bytes of replies", { replyBytesMax: 1_000, replyBytesPerPeerMax: 4_000 }],
  ])("of all the %s that may be kept costs whoever has most of them", (_, limits) => {
    const pair = new CorePair(limits);
    pair.passes = ({ to, envelope }) => to !== pair.a || envelope.kind !== "reply";
    const body = new Uint8Array(400);
    for (let asked = 0; asked < 6; asked++) {
      pair.ask({ body });
      pair.clock.advance(30);
      pair.answerAll();
    }
    const ask = { type: "test.ask", meta: new Uint8Array(0), body, hardMs: 30_000 };
    const order = { ...ask, peer: pair.b.id, isIdempotent: false };
    for (let request = 98; request < 100; request++) {
      pair.c.handle({ kind: "request", request, ...order });
      pair.clock.advance(30);
      pair.answerAll();
      pair.clock.advance(30);
    }
    expect(pair.c.all("replied")).toMatchObject([
      { request: 98, isFailure: false },
      { request: 99, isFailure: false },
    ]);
    pair.clock.advance(20_000);
    const ran = pair.b.all("run").length;
    expect(ran, "what was given up is not run again").toBeLessThanOrEqual(6 + 2);
    expect(pair.b.core.statistics.replays).toBeGreaterThan(0);
  });

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
