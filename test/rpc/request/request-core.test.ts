import { describe, expect, it } from "vitest";
import { encodeEnvelope } from "../../../src/rpc/message/envelope.ts";
import { CorePair, type Message } from "../core-pair.ts";

const OF_REPLY = { kind: "reply", nonce: new Uint8Array(32), isFailure: false } as const;
const EVIL = Uint8Array.of(0xee);

/** A pair whose first request is on b's table: session made, handler running. */
function asked(...init: ConstructorParameters<typeof CorePair>): { pair: CorePair; sent: Message } {
  const pair = new CorePair(...init);
  pair.ask({ body: Uint8Array.of(7) });
  pair.clock.advance(30);
  const [sent] = pair.of("request");
  if (sent === undefined) throw new Error("a request was sent");
  return { pair, sent };
}

function referenceTo(pair: CorePair): Uint8Array {
  pair.answerAll();
  const reply = pair.of("reply").at(-1)?.envelope;
  if (reply?.kind !== "reply") throw new Error("a reply was sent");
  return reply.reference;
}

describe("a request", () => {
  it("gets a session, a number and its reply, in two round trips", () => {
    const { pair } = asked();
    expect(pair.b.all("run")).toMatchObject([{ type: "test.ask", body: Uint8Array.of(7) }]);
    pair.answerAll();
    pair.clock.advance(10);
    expect(pair.a.told).toEqual([
      { kind: "replied", request: 1, isFailure: false, body: Uint8Array.of(7) },
    ]);
    expect(pair.sent.map(({ envelope }) => envelope.kind)).toEqual([
      ...["hello", "session", "request", "reply"],
    ]);
  });

  it("is repeated with the same bytes until its reply comes", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "request" || pair.of("request").length > 5;
    pair.ask();
    pair.clock.advance(10_000);
    pair.answerAll();
    pair.clock.advance(20);
    const [first, ...others] = pair.of("request");
    expect(others.length).toBeGreaterThanOrEqual(5);
    for (const { bytes } of others) expect(bytes).toEqual(first?.bytes);
    expect(pair.a.all("replied")).toHaveLength(1);
    const count = pair.of("request").length;
    pair.clock.advance(60_000);
    expect(pair.of("request")).toHaveLength(count);
  });

  it("is not repeated in haste where the carrier is reliable, and soon after a disturbance", () => {
    const { pair } = asked({}, true);
    pair.clock.advance(5_000);
    expect(pair.of("request")).toHaveLength(1);
    pair.a.handle({ kind: "disturbed", peer: pair.b.id });
    pair.clock.advance(200);
    expect(pair.of("request")).toHaveLength(2);
  });

  it.each<[string, (pair: CorePair, reference: Uint8Array) => void]>([
    [
      "reference",
      (pair) => {
        const reference = new Uint8Array(32).fill(9);
        const bytes = encodeEnvelope({ ...OF_REPLY, reference, type: "test.ask", body: EVIL });
        pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
      },
    ],
    [
      "sender",
      (pair, reference) => {
        const bytes = encodeEnvelope({ ...OF_REPLY, reference, type: "test.ask", body: EVIL });
        pair.a.handle({ kind: "receive", peer: pair.c.id, bytes });
      },
    ],
    [
      "type",
      (pair, reference) => {
        const bytes = encodeEnvelope({ ...OF_REPLY, reference, type: "test.other", body: EVIL });
        pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
      },
    ],
  ])("is not touched by a reply with a wrong %s, and takes the right one after it", (_, lie) => {
    const { pair } = asked();
    pair.passes = () => false;
    const reference = referenceTo(pair);
    const reply = pair.of("reply").at(-1);
    lie(pair, reference);
    expect(pair.a.told).toEqual([]);
    expect(pair.a.core.openCount).toBe(1);
    const { wrongReplies, lateReplies } = pair.a.core.statistics;
    expect(wrongReplies + lateReplies).toBe(1);
    if (reply !== undefined) pair.deliver(reply);
    expect(pair.a.all("replied")).toMatchObject([{ body: Uint8Array.of(7) }]);
  });

  it("is freed at its hard timeout; a late answer is dropped and the peer told to forget", () => {
    const { pair } = asked();
    pair.clock.advance(30_000);
    expect(pair.a.all("failed")).toEqual([{ kind: "failed", request: 1, code: "CULVERT_TIMEOUT" }]);
    expect(pair.a.core.openCount).toBe(0);
    const told = pair.a.told.length;
    pair.answerAll();
    pair.clock.advance(1_000);
    expect(pair.a.told).toHaveLength(told);
    expect(pair.a.core.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(pair.b.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is called late after 10 s while nothing is known, and a late answer counts", () => {
    const { pair } = asked();
    pair.clock.advance(9_900);
    expect(pair.a.all("late")).toHaveLength(0);
    pair.clock.advance(200);
    expect(pair.a.all("late")).toEqual([{ kind: "late", request: 1 }]);
    pair.answerAll();
    pair.clock.advance(20);
    expect(pair.a.all("replied")).toHaveLength(1);
  });

  it("is called late by what the same peer and type took before", () => {
    const pair = new CorePair();
    for (let i = 0; i < 20; i++) {
      pair.ask();
      pair.clock.advance(i === 0 ? 30 : 10);
      pair.answerAll();
      pair.clock.advance(10);
    }
    expect(pair.a.all("replied")).toHaveLength(20);
    pair.ask({ type: "test.other" });
    pair.ask();
    pair.clock.advance(200);
    expect(pair.a.all("late")).toEqual([{ kind: "late", request: 22 }]);
  });

  it("fails at once when it cannot leave this machine, and not when one copy did", () => {
    const pair = new CorePair();
    pair.ask({ peer: new Uint8Array(32).fill(5) });
    expect(pair.a.all("failed")).toMatchObject([{ request: 1, code: "CULVERT_UNREACHABLE" }]);
    pair.ask();
    pair.clock.advance(2_000);
    const [, copy] = pair.of("request");
    if (copy === undefined) throw new Error("two copies were sent");
    pair.a.handle({ kind: "unsent", peer: pair.b.id, copyOf: copy.copyOf });
    expect(pair.a.all("failed")).toHaveLength(1);
    expect(pair.a.core.openCount).toBe(1);
  });

  it("fails at once beyond the limits of the caller", () => {
    const pair = new CorePair({ openMax: 3, openPerPeerMax: 2, bodyBytesMax: 100 });
    pair.ask({ body: new Uint8Array(101) });
    expect(pair.a.all("failed")).toMatchObject([{ code: "CULVERT_TOO_LARGE" }]);
    for (let i = 0; i < 3; i++) pair.ask();
    expect(pair.a.all("failed")).toMatchObject([{}, { request: 4, code: "CULVERT_BUSY" }]);
    pair.ask({ peer: pair.c.id });
    pair.ask({ peer: pair.c.id });
    expect(pair.a.all("failed").at(-1)).toMatchObject({ request: 6, code: "CULVERT_BUSY" });
  });
});

describe("at most once", () => {
  it("1,000 replayed copies of one request run the handler once", () => {
    const { pair, sent } = asked();
    for (let i = 0; i < 500; i++) pair.deliver(sent);
    pair.answerAll();
    for (let i = 0; i < 250; i++) pair.deliver(sent);
    pair.clock.advance(1_000); // the reply arrives and is acknowledged
    for (let i = 0; i < 250; i++) pair.deliver(sent);
    pair.clock.advance(7_200_000);
    pair.deliver(sent);
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.a.all("replied")).toHaveLength(1);
    const { duplicates, replays } = pair.b.core.statistics;
    expect(duplicates + replays).toBe(1_001);
  });

  it("a whole session replayed to the same node, and to its successor, runs nothing", () => {
    const { pair } = asked();
    pair.answerAll();
    pair.clock.advance(1_000);
    const record = pair.sent.filter(({ to }) => to === pair.b);
    for (const message of record) pair.deliver(message);
    pair.clock.advance(1_000);
    expect(pair.b.all("run")).toHaveLength(1);
    pair.b.restart();
    for (const message of record) pair.deliver(message);
    pair.clock.advance(1_000);
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.b.core.statistics.strangers).toBeGreaterThan(0);
    pair.ask();
    pair.clock.advance(50);
    expect(pair.a.all("failed")).toMatchObject([{ code: "CULVERT_SESSION_LOST" }]);
  });

  it("a replayed hello does not end the session that is in use", () => {
    const { pair } = asked();
    const [hello] = pair.of("hello");
    for (let i = 0; i < 100; i++) if (hello !== undefined) pair.deliver(hello);
    pair.answerAll();
    pair.clock.advance(20);
    pair.ask();
    pair.clock.advance(20);
    expect(pair.b.all("run")).toHaveLength(2);
    expect(pair.of("lost")).toHaveLength(0);
  });

  it("the reply is kept until it is acknowledged, and sent to every further copy", () => {
    const { pair, sent } = asked();
    pair.passes = ({ envelope }) => envelope.kind !== "reply";
    pair.answerAll();
    pair.deliver(sent);
    pair.deliver(sent);
    const replies = pair.of("reply");
    expect(replies).toHaveLength(3);
    for (const { bytes } of replies) expect(bytes).toEqual(replies[0]?.bytes);
    pair.passes = () => true;
    pair.clock.advance(2_000);
    expect(pair.a.all("replied")).toHaveLength(1);
    expect(pair.of("settled")).toHaveLength(1);
    const count = pair.of("reply").length;
    pair.deliver(sent);
    expect(pair.of("reply")).toHaveLength(count);
  });

  it("one number with other bytes is a broken peer's: the first ones stay", () => {
    const { pair, sent } = asked();
    const { envelope } = sent;
    if (envelope.kind !== "request") throw new Error("it is a request");
    const bytes = encodeEnvelope({ ...envelope, body: EVIL });
    pair.b.handle({ kind: "receive", peer: pair.a.id, bytes });
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.b.core.statistics.malformed).toBe(1);
  });

  it("nobody else can use a session", () => {
    const { pair, sent } = asked();
    pair.b.handle({ kind: "receive", peer: pair.c.id, bytes: sent.bytes });
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.b.core.statistics.strangers).toBe(1);
  });

  it("a request goes on in a new session when it may run twice, and only then", () => {
    const pair = new CorePair();
    pair.ask();
    pair.clock.advance(30);
    pair.ask({ isIdempotent: true });
    pair.clock.advance(20);
    pair.b.restart();
    pair.clock.advance(3_000);
    expect(pair.a.all("failed")).toMatchObject([{ request: 1, code: "CULVERT_SESSION_LOST" }]);
    const runs = pair.b.all("run");
    expect(runs).toHaveLength(3);
    const call = runs.at(-1)?.call ?? 0;
    pair.b.handle({ kind: "answer", call, isFailure: false, body: Uint8Array.of(4) });
    pair.clock.advance(20);
    expect(pair.a.all("replied")).toMatchObject([{ request: 2, body: Uint8Array.of(4) }]);
  });
});

describe("a handler", () => {
  it("is told to stop within one trip of the cancel", () => {
    const { pair } = asked();
    const from = pair.clock.now();
    pair.a.handle({ kind: "cancel", request: 1 });
    pair.clock.advance(2 * pair.delayMs);
    expect(pair.clock.now() - from).toBe(20);
    expect(pair.b.all("abort")).toMatchObject([{ reason: "cancelled" }]);
    pair.clock.advance(100);
    expect(pair.b.all("cutOff")).toHaveLength(1);
    expect(pair.b.core.runningCount).toBe(0);
    expect(pair.a.told).toEqual([]);
  });

  it("that ignores its deadline is cut off after 100 ms, and what it says then is dropped", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "settled";
    pair.ask({ hardMs: 1_000 });
    pair.clock.advance(1_030);
    expect(pair.b.all("abort")).toMatchObject([{ reason: "deadline" }]);
    expect(pair.b.all("cutOff")).toHaveLength(0);
    pair.clock.advance(101);
    expect(pair.b.all("cutOff")).toHaveLength(1);
    const replies = pair.of("reply").length;
    pair.answerAll();
    expect(pair.of("reply")).toHaveLength(replies);
  });

  it("that stops in time is not cut off", () => {
    const { pair } = asked();
    pair.a.handle({ kind: "cancel", request: 1 });
    pair.clock.advance(20);
    pair.answerAll();
    pair.clock.advance(1_000);
    expect(pair.b.all("cutOff")).toEqual([]);
    expect(pair.b.core.statistics.cutOff).toBe(0);
    expect(pair.of("reply")).toEqual([]);
  });

  it("runs no more often at once than one peer may; what is beyond is told busy", () => {
    const pair = new CorePair({ runningPerPeerMax: 4 });
    for (let i = 0; i < 6; i++) pair.ask();
    pair.clock.advance(50);
    expect(pair.b.all("run")).toHaveLength(4);
    expect(pair.a.all("replied")).toMatchObject([{ isFailure: true }, { isFailure: true }]);
    pair.answerAll();
    pair.clock.advance(20);
    expect(pair.a.all("replied")).toHaveLength(6);
  });

  it("keeps no more replies than the limit; further requests wait for room", () => {
    const pair = new CorePair({ repliesPerPeerMax: 8 });
    pair.passes = ({ envelope }) => envelope.kind !== "reply";
    for (let i = 0; i < 20; i++) pair.ask();
    pair.clock.advance(400);
    pair.answerAll();
    expect(pair.b.all("run")).toHaveLength(8);
    pair.passes = () => true;
    for (let i = 0; i < 10; i++) {
      pair.clock.advance(1_000);
      pair.answerAll();
    }
    pair.clock.advance(1_000);
    expect(pair.a.all("replied")).toHaveLength(20);
    expect(pair.b.all("run")).toHaveLength(20);
  });

  it("is not run any more while the node drains, and those that run go on", () => {
    const { pair } = asked();
    pair.b.handle({ kind: "drain" });
    pair.ask();
    pair.clock.advance(20);
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.a.all("replied")).toMatchObject([{ request: 2, isFailure: true }]);
    pair.answerAll();
    pair.clock.advance(10);
    expect(pair.a.all("replied")).toMatchObject([{}, { request: 1, isFailure: false }]);
  });

  it("is asked over the same connection by both sides", () => {
    const { pair } = asked();
    const none = new Uint8Array(0);
    const order = { peer: pair.a.id, type: "test.back", meta: none, body: none, hardMs: 1_000 };
    pair.b.handle({ kind: "request", request: 1, ...order, isIdempotent: false });
    pair.clock.advance(30);
    const [run] = pair.a.all("run");
    expect(run).toMatchObject({ type: "test.back", peer: pair.b.id });
    pair.a.handle({ kind: "answer", call: run?.call ?? 0, isFailure: false, body: EVIL });
    pair.clock.advance(10);
    expect(pair.b.all("replied")).toMatchObject([{ body: EVIL }]);
  });
});

describe("a flood", () => {
  it("of hellos from many peers costs a table of limited size", () => {
    const pair = new CorePair({ peersMax: 10 });
    const hello = encodeEnvelope({ kind: "hello", nonce: new Uint8Array(32) });
    for (let i = 0; i < 1_000; i++) {
      const peer = new Uint8Array(32);
      new DataView(peer.buffer).setUint32(0, i);
      pair.b.handle({ kind: "receive", peer, bytes: hello });
    }
    pair.ask();
    pair.clock.advance(30);
    expect(pair.b.all("run")).toHaveLength(1);
  });

  it("of requests that skip every other number is stopped by the limit of ranges", () => {
    const { pair, sent } = asked({ repliesPerPeerMax: 8 });
    const { envelope } = sent;
    if (envelope.kind !== "request") throw new Error("it is a request");
    for (let number = 3; number < 2_003; number += 2) {
      const bytes = encodeEnvelope({ ...envelope, number, floor: 0 });
      pair.b.handle({ kind: "receive", peer: pair.a.id, bytes });
      pair.answerAll();
      const nonce = envelope.nonce;
      const settled = { kind: "settled", nonce, session: envelope.session } as const;
      const done = encodeEnvelope({ ...settled, floor: 0, numbers: [number] });
      pair.b.handle({ kind: "receive", peer: pair.a.id, bytes: done });
    }
    expect(pair.b.all("run")).toHaveLength(16);
    expect(pair.b.core.statistics.refused).toBe(1_000 - 15);
  });

  it("of garbage is counted and changes nothing", () => {
    const { pair } = asked();
    for (let i = 0; i < 1_000; i++) {
      const bytes = Uint8Array.from({ length: i % 80 }, (_, at) => (at * 31 + i) & 0xff);
      pair.b.handle({ kind: "receive", peer: pair.a.id, bytes });
      pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
    }
    pair.answerAll();
    pair.clock.advance(10);
    expect(pair.a.all("replied")).toHaveLength(1);
    expect(pair.b.core.statistics.malformed).toBe(1_000);
  });
});
