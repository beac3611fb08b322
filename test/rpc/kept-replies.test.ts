import { describe, expect, it } from "vitest";
import { encodeEnvelope } from "../../src/rpc/message/envelope.ts";
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

it("a request lives no longer than the one who is asked allows, whatever it says", () => {
  const pair = new CorePair({ hardMsMax: 60_000 });
  pair.passes = ({ envelope }) => envelope.kind !== "request" && envelope.kind !== "settled";
  pair.ask();
  pair.clock.advance(20);
  const [sent] = pair.of("request");
  if (sent?.envelope.kind !== "request") throw new Error("a request was sent");
  const bytes = encodeEnvelope({ ...sent.envelope, hardMs: 600_000 });
  pair.deliver({ ...sent, bytes });
  pair.clock.advance(59_900);
  expect([pair.b.all("run").length, pair.b.all("abort").length]).toEqual([1, 0]);
  pair.clock.advance(300);
  expect(pair.b.all("cutOff")).toHaveLength(1);
});

it("a reply that nobody acknowledges is forgotten with its request's life", () => {
  const pair = new CorePair();
  pair.passes = ({ envelope }) => envelope.kind !== "reply" && envelope.kind !== "settled";
  pair.ask({ hardMs: 1_000 });
  pair.clock.advance(30);
  pair.answerAll();
  const [sent] = pair.of("request");
  if (sent === undefined) throw new Error("a request was sent");
  const copy = (): [replies: number, replays: number] => {
    const before = pair.of("reply").length;
    pair.deliver(sent);
    return [pair.of("reply").length - before, pair.b.core.statistics.replays];
  };
  expect(copy()).toEqual([1, 0]);
  pair.clock.advance(1_000);
  expect(copy()).toEqual([0, 1]);
  expect(pair.b.all("run")).toHaveLength(1);
});

it("replies that handlers give at once keep no more bytes than may be kept", () => {
  const pair = new CorePair({ replyBytesMax: 1_000 });
  pair.passes = ({ to, envelope }) => to !== pair.a || envelope.kind !== "reply";
  for (let asked = 0; asked < 8; asked++) pair.ask({ body: new Uint8Array(400) });
  pair.clock.advance(30);
  pair.answerAll();
  const [before, copies] = [pair.of("reply").length, pair.of("request")];
  expect([before, copies.length]).toEqual([8, 8]);
  for (const copy of copies) pair.deliver(copy);
  expect(pair.of("reply").length - before).toBe(2);
  expect(pair.b.all("run")).toHaveLength(8);
});
