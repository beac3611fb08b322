import { describe, expect, it } from "vitest";
import { REQUEST_LIMITS } from "../../../src/rpc/limits.ts";
import {
  encodeEnvelope,
  referenceOf,
  SETTLED_NUMBERS_MAX,
} from "../../../src/rpc/message/envelope.ts";
import { readFailure } from "../../../src/rpc/request/failure.ts";
import { CorePair, type Message } from "../core-pair.ts";

const NONCE = new Uint8Array(32).fill(3);

/** Asks, has it answered, and waits until both ends have settled it. */
function talk(pair: CorePair, order: Parameters<CorePair["ask"]>[0] = {}, tookMs = 40): void {
  pair.ask(order);
  pair.clock.advance(tookMs);
  pair.answerAll();
  pair.clock.advance(1_000);
}

function last(pair: CorePair, kind: Parameters<CorePair["of"]>[0]): Message {
  const message = pair.of(kind).at(-1);
  if (message === undefined) throw new Error(`no ${kind} was sent`);
  return message;
}

describe("references and senders", () => {
  it("an answer to another hello makes no session", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "session";
    talk(pair);
    const { envelope } = last(pair, "session");
    if (envelope.kind !== "session") throw new Error("it is a session");
    const bytes = encodeEnvelope({ ...envelope, reference: NONCE });
    pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
    expect(pair.of("request")).toHaveLength(0);
    pair.deliver(last(pair, "session"));
    expect(pair.of("request")).toHaveLength(1);
  });

  it("nobody else can say that a session is lost", () => {
    const pair = new CorePair();
    pair.ask();
    pair.clock.advance(40);
    const reference = referenceOf(last(pair, "request").bytes);
    const bytes = encodeEnvelope({ kind: "lost", nonce: NONCE, reference });
    pair.a.handle({ kind: "receive", peer: pair.c.id, bytes });
    expect(pair.a.told).toEqual([]);
    expect(pair.a.core.statistics.wrongReplies).toBe(1);
    pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
    expect(pair.a.all("failed")).toMatchObject([{ code: "CULVERT_SESSION_LOST" }]);
  });

  it("a reply that is refused teaches nothing of how long the peer takes", () => {
    const pair = new CorePair();
    talk(pair);
    pair.ask();
    pair.clock.advance(20);
    const reference = referenceOf(last(pair, "request").bytes);
    const lie = { kind: "reply", nonce: NONCE, isFailure: false, reference } as const;
    const bytes = encodeEnvelope({ ...lie, type: "test.other", body: NONCE });
    for (let left = 50; left > 0; left--) {
      pair.a.handle({ kind: "receive", peer: pair.b.id, bytes });
    }
    pair.answerAll();
    pair.clock.advance(1_000);
    const toldBefore = pair.a.all("late").length;
    // As long as the two before: it is not late, as it would be by what was pretended.
    talk(pair, {}, 30);
    expect(pair.a.all("late")).toHaveLength(toldBefore);
    expect(pair.a.core.statistics.wrongReplies).toBe(50);
  });
});

describe("times", () => {
  it("a request lives no longer than the longest that may be asked for", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "reply";
    pair.ask({ hardMs: 10 * REQUEST_LIMITS.hardMsMax });
    pair.clock.advance(REQUEST_LIMITS.hardMsMax - 1);
    expect(pair.a.core.openCount).toBe(1);
    pair.clock.advance(1);
    expect(pair.a.all("failed")).toMatchObject([{ code: "CULVERT_TIMEOUT" }]);
  });

  it("nothing is left to wait for once a reply has come", () => {
    const pair = new CorePair();
    talk(pair);
    expect(pair.a.core.deadline()).toBe(Number.POSITIVE_INFINITY);
    pair.clock.advance(10 * REQUEST_LIMITS.hardMs);
    expect(pair.a.told).toMatchObject([{ kind: "replied" }]);
    expect(pair.a.core.isAwaiting(pair.b.id)).toBe(false);
  });

  it("what one peer takes says nothing of another", () => {
    const pair = new CorePair();
    for (let left = 5; left > 0; left--) talk(pair);
    pair.ask({ peer: pair.c.id });
    pair.clock.advance(REQUEST_LIMITS.softMs - 100);
    expect(pair.a.all("late")).toEqual([]);
    pair.clock.advance(200);
    expect(pair.a.all("late")).toHaveLength(1);
  });

  it("an answer to a hello that was sent twice teaches nothing: to which of them was it?", () => {
    const pair = new CorePair();
    let lost = 1;
    pair.passes = ({ envelope }) => envelope.kind !== "hello" || lost-- <= 0;
    talk(pair, {}, 2_000);
    expect(pair.of("hello")).toHaveLength(2);
    pair.b.restart();
    lost = 1;
    const before = pair.clock.now();
    pair.ask({ isIdempotent: true });
    while (pair.of("hello").length < 4) pair.clock.advance(10);
    expect(pair.clock.now() - before).toBeLessThan(1.2 * REQUEST_LIMITS.retryMs);
  });

  it("a disturbance has nothing repeated later than it would have been", () => {
    const pair = new CorePair();
    talk(pair);
    pair.passes = () => false;
    for (let left = 3; left > 0; left--) pair.ask();
    for (let ms = 0; ms < 3_000; ms += 7) {
      const before = pair.a.core.deadline();
      pair.a.handle({ kind: "disturbed", peer: pair.b.id });
      expect(pair.a.core.deadline()).toBeLessThanOrEqual(before);
      pair.clock.advance(7);
    }
  });
});

describe("what is done with", () => {
  it("is said at once when 64 numbers are, however long acknowledgements may wait", () => {
    const pair = new CorePair({ settleMs: 10_000 });
    talk(pair);
    const before = pair.of("settled").length;
    for (let left = SETTLED_NUMBERS_MAX; left > 0; left--) pair.ask();
    pair.clock.advance(20);
    pair.answerAll();
    pair.clock.advance(20);
    expect(pair.a.all("replied")).toHaveLength(1 + SETTLED_NUMBERS_MAX);
    expect(pair.of("settled")).toHaveLength(before + 1);
    expect(pair.b.core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is not said again when the floor of the next request has said it", () => {
    const pair = new CorePair();
    pair.ask();
    pair.clock.advance(40);
    pair.answerAll();
    pair.clock.advance(50);
    pair.ask();
    pair.clock.advance(5_000);
    expect(pair.of("settled")).toEqual([]);
  });

  it("is never what is open, however many other peers are asked", () => {
    const pair = new CorePair({ peersMax: 1 });
    pair.ask();
    pair.clock.advance(40);
    const refused = pair.ask({ peer: pair.c.id });
    expect(pair.a.told).toEqual([{ kind: "failed", request: refused, code: "CULVERT_BUSY" }]);
    pair.answerAll();
    pair.clock.advance(1_000);
    expect(pair.a.all("replied")).toHaveLength(1);
    pair.ask({ peer: pair.c.id });
    expect(pair.a.core.openCount).toBe(1);
  });

  it("stays kept where only the one who asks for more could lose it", () => {
    const pair = new CorePair({ repliesMax: 2 });
    pair.passes = ({ envelope }) => envelope.kind !== "reply" && envelope.kind !== "settled";
    for (let left = 2; left > 0; left--) pair.ask();
    pair.clock.advance(30);
    pair.answerAll();
    pair.ask();
    pair.clock.advance(20);
    const [first] = pair.of("request");
    if (first === undefined) throw new Error("a request was sent");
    expect(pair.b.all("run")).toHaveLength(2);
    expect(pair.b.core.statistics.refused).toBe(1);
    const before = pair.of("reply").length;
    pair.deliver(first);
    expect(pair.of("reply")).toHaveLength(before + 1);
  });
});

describe("an answer that is given without the handler's", () => {
  it("says that the time is over, to whoever has not heard of that yet", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "settled";
    pair.ask({ hardMs: 1_000 });
    pair.clock.advance(1_000 + 3 * pair.delayMs + REQUEST_LIMITS.cutOffMs);
    const { envelope } = last(pair, "reply");
    if (envelope.kind !== "reply") throw new Error("it is a reply");
    expect(envelope.isFailure).toBe(true);
    expect(readFailure(envelope.body)).toMatchObject({ code: "CULVERT_TIMEOUT", remote: true });
  });

  it("is repeated while the node drains, as all that are kept", () => {
    const pair = new CorePair();
    pair.passes = ({ envelope }) => envelope.kind !== "reply";
    pair.ask();
    pair.clock.advance(30);
    pair.answerAll();
    pair.b.handle({ kind: "drain" });
    pair.passes = () => true;
    pair.clock.advance(5_000);
    expect(pair.a.all("replied")).toMatchObject([{ isFailure: false }]);
  });
});

describe("sessions and what is settled", () => {
  it("a hello that comes twice has one answer", () => {
    const pair = new CorePair();
    pair.ask();
    pair.deliver(last(pair, "hello"));
    pair.clock.advance(5);
    pair.deliver(last(pair, "hello"));
    pair.clock.advance(35);
    expect(pair.of("session").length).toBeGreaterThan(1);
    expect(pair.of("lost")).toHaveLength(0);
    expect(pair.b.all("run")).toHaveLength(1);
  });

  it("is not used any more when nothing was asked for long", () => {
    const pair = new CorePair();
    talk(pair);
    pair.clock.advance(REQUEST_LIMITS.sessionIdleMs - 2_000);
    talk(pair);
    expect(pair.of("hello")).toHaveLength(1);
    pair.clock.advance(REQUEST_LIMITS.sessionIdleMs + 1);
    talk(pair);
    expect(pair.of("hello")).toHaveLength(2);
    expect(pair.a.all("replied")).toHaveLength(3);
  });

  it("what was settled in one session settles nothing in the next", () => {
    const pair = new CorePair();
    talk(pair);
    const settled = last(pair, "settled");
    pair.a.restart();
    pair.ask();
    pair.clock.advance(40);
    expect(pair.b.all("run")).toHaveLength(2);
    pair.deliver(settled);
    pair.clock.advance(1_000);
    expect(pair.b.all("abort")).toEqual([]);
    pair.answerAll();
    pair.clock.advance(1_000);
    expect(pair.a.all("replied")).toHaveLength(2);
  });

  it("a request that was given up before it came does not run when it comes", () => {
    const pair = new CorePair();
    talk(pair);
    pair.passes = ({ envelope }) => envelope.kind !== "request";
    const request = pair.ask();
    pair.clock.advance(100);
    pair.a.handle({ kind: "cancel", request });
    pair.clock.advance(100);
    pair.deliver(last(pair, "request"));
    expect(pair.b.all("run")).toHaveLength(1);
    expect(pair.b.core.statistics.replays).toBe(1);
  });

  it("a request tells which replies may be forgotten: all below its floor", () => {
    const pair = new CorePair({ repliesPerPeerMax: 1, settleMs: 10_000 });
    // Nothing but the floor tells of the reply, and there is no room for two.
    pair.passes = ({ envelope }) => envelope.kind !== "settled";
    for (let count = 1; count < 4; count++) {
      talk(pair);
      expect(pair.a.all("replied")).toHaveLength(count);
    }
    expect(pair.b.core.statistics.refused).toBe(0);
  });
});
