import { describe, expect, it } from "vitest";
import { CorePair, type Message } from "../core-pair.ts";

/** A pair with a session, in which nothing is open. */
function met(...init: ConstructorParameters<typeof CorePair>): CorePair {
  const pair = new CorePair(...init);
  pair.ask();
  pair.clock.advance(40);
  pair.answerAll();
  pair.clock.advance(1_000);
  return pair;
}

/** The carrier says that a copy of ours could not leave this machine. */
function refuse(pair: CorePair, { copyOf }: Message, isBusy: boolean = false): void {
  pair.a.handle({ kind: "unsent", peer: pair.b.id, copyOf, isBusy });
}

function last(pair: CorePair, kind: Parameters<CorePair["of"]>[0]): Message {
  const message = pair.of(kind).at(-1);
  if (message === undefined) throw new Error(`no ${kind} was sent`);
  return message;
}

describe("a request no copy of which left this machine", () => {
  it.each([
    [false, "CULVERT_UNREACHABLE"],
    [true, "CULVERT_BUSY"],
  ] as const)("fails with the last of them (by a limit: %s)", (isBusy, code) => {
    const pair = met();
    pair.passes = () => false;
    const request = pair.ask();
    const first = last(pair, "request");
    while (pair.of("request").length < 3) pair.clock.advance(10);
    refuse(pair, first, isBusy);
    expect(pair.a.all("failed")).toEqual([]);
    refuse(pair, last(pair, "request"), isBusy);
    expect(pair.a.all("failed")).toEqual([{ kind: "failed", request, code }]);
  });
});

describe("a request some copy of which has left", () => {
  it("waits for its answer where the copy was a hello", () => {
    const pair = new CorePair();
    pair.passes = () => false;
    pair.ask();
    while (pair.of("hello").length < 3) pair.clock.advance(10);
    refuse(pair, last(pair, "hello"));
    refuse(pair, last(pair, "hello"));
    expect([pair.a.all("failed"), pair.a.core.openCount]).toEqual([[], 1]);
    pair.passes = () => true;
    pair.clock.advance(5_000);
    pair.answerAll();
    pair.clock.advance(100);
    expect(pair.a.all("replied")).toHaveLength(1);
  });

  it("is not failed by a copy of a session that was lost since", () => {
    const pair = met();
    pair.ask({ isIdempotent: true });
    const old = last(pair, "request");
    pair.b.restart();
    pair.clock.advance(45);
    expect(last(pair, "request").bytes).not.toEqual(old.bytes);
    refuse(pair, old);
    expect(pair.a.all("failed")).toEqual([]);
    pair.clock.advance(100);
    pair.answerAll();
    pair.clock.advance(100);
    expect(pair.a.all("replied")).toHaveLength(2);
  });

  it.each([0, 1])("is not failed by a hello for a session that was lost since (%s)", (late) => {
    const pair = met({ retryMs: 100 });
    const old = last(pair, "hello");
    pair.ask({ isIdempotent: true });
    pair.b.restart();
    pair.passes = ({ envelope }) => envelope.kind !== "session";
    while (pair.of("hello").length < 1 + late) pair.clock.advance(1);
    refuse(pair, old);
    expect(pair.a.all("failed")).toEqual([]);
    pair.passes = () => true;
    pair.clock.advance(5_000);
    pair.answerAll();
    pair.clock.advance(100);
    expect(pair.a.all("replied")).toHaveLength(2);
  });
});
