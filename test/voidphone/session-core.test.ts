import { describe, expect, it, test } from "vitest";
import { concatBytes, type Instant } from "../../src/base/index.ts";
import {
  type SessionLimits,
  VOIDPHONE_API_LIMITS,
  VOIDPHONE_ONION_LIMITS,
  VOIDPHONE_PEER_LIMITS,
} from "../../src/voidphone/index.ts";
import { encodeMessage, openMessage } from "../../src/voidphone/message.ts";
import {
  type ServerDialect,
  SessionCore,
  type SessionEffect,
  type SessionInput,
} from "../../src/voidphone/session-core.ts";
import { effectsOf } from "../effects-of.ts";

/** A protocol of one message, type 1, whose body is a letter; it has words for both failures. */
const LETTERS: ServerDialect<string> = {
  read: (message) => {
    const { type, body } = openMessage(message);
    const letter = body.u8("letter");
    if (type !== 1) body.refuse("type", "is not 1");
    body.expectEnd();
    return String.fromCharCode(letter);
  },
  refusal: Uint8Array.of(0xff),
  failure: (letter) => (letter === "x" ? "close" : letter === "n" ? "nothing" : Uint8Array.of(0)),
};

const { refusal: _, ...SILENT } = LETTERS;

const message = (letter: string, type = 1): Uint8Array =>
  encodeMessage(type, (writer) => writer.u8(letter.charCodeAt(0)));
const messages = (letters: string): Uint8Array =>
  concatBytes(...[...letters].map((l) => message(l)));

/** A core whose contract is looked at in every turn. */
function sessionOf(limits: Partial<SessionLimits> = {}, dialect = LETTERS) {
  const core = new SessionCore<string>(dialect, { ...VOIDPHONE_API_LIMITS, ...limits }, 0);
  const drain = (): SessionEffect<string>[] => {
    return [...effectsOf(core)];
  };
  let now: Instant = 0;
  return {
    core,
    tell: (input: SessionInput, at: Instant = now) => {
      now = at;
      // Calling it early does nothing.
      if (core.deadline() > now) core.timeout(now);
      expect(drain()).toEqual([]);
      core.handle(input, now);
      return drain();
    },
    receive: (bytes: Uint8Array) => {
      core.handle({ kind: "received", bytes: bytes.slice() }, now);
      return drain();
    },
    /** Lets all timers run until `until`. */
    wait: (until: Instant) => {
      const effects: SessionEffect<string>[] = [];
      while (core.deadline() <= until) {
        const at = core.deadline();
        core.timeout(at);
        effects.push(...drain());
        expect(core.deadline(), "a core rests after its timers").toBeGreaterThan(at);
      }
      now = until;
      return effects;
    },
  };
}

const served = (effects: readonly SessionEffect<string>[]): string =>
  effects.flatMap((effect) => (effect.kind === "serve" ? effect.message : [])).join("");

describe("a session", () => {
  test("serves what comes whole, in pieces and byte by byte, and answers as answers come", () => {
    for (const size of [1, 2, 3, 7, 100]) {
      const { receive, tell } = sessionOf();
      const bytes = messages("hello");
      let heard = "";
      for (let at = 0; at < bytes.length; at += size) {
        heard += served(receive(bytes.slice(at, at + size)));
      }
      expect(heard).toBe("hello");
      const answer = Uint8Array.of(5);
      expect(tell({ kind: "answered", request: 2, bytes: answer })).toEqual([
        { kind: "send", bytes: answer },
      ]);
      expect(tell({ kind: "answered", request: 1, bytes: undefined })).toEqual([]);
      expect(tell({ kind: "answered", request: 1, bytes: answer })).toEqual([]);
    }
  });

  test("serves so many at once, and reads on when one is done", () => {
    const { receive, tell } = sessionOf({ openRequestsMax: 2 });
    const first = receive(messages("abcd"));
    expect(served(first)).toBe("ab");
    expect(first.at(-1)).toEqual({ kind: "reading", isReading: false });
    expect(tell({ kind: "answered", request: 1, bytes: undefined })).toMatchObject([
      { kind: "serve", message: "c" },
    ]);
    expect(served(tell({ kind: "failed", request: 2 }))).toBe("d");
    expect(tell({ kind: "answered", request: 3, bytes: undefined })).toEqual([
      { kind: "reading", isReading: true },
    ]);
  });

  test("holds only so many bytes of requests", () => {
    const { receive } = sessionOf({ openBytesMax: 11 });
    expect(served(receive(messages("abcdef")))).toBe("abc");
  });

  test("says what the protocol says when a request fails or is late", () => {
    const { receive, tell, wait } = sessionOf({ answerMs: 100 });
    receive(messages("anb"));
    expect(tell({ kind: "failed", request: 1 })).toEqual([
      { kind: "send", bytes: Uint8Array.of(0) },
    ]);
    expect(tell({ kind: "failed", request: 2 })).toEqual([]);
    expect(wait(99)).toEqual([]);
    expect(wait(100)).toEqual([
      { kind: "cancel", request: 3 },
      { kind: "send", bytes: Uint8Array.of(0) },
    ]);
    expect(tell({ kind: "answered", request: 3, bytes: Uint8Array.of(7) })).toEqual([]);
    receive(message("x"));
    expect(tell({ kind: "failed", request: 4 })).toEqual([
      { kind: "close", isAbrupt: false, reason: "finished" },
    ]);
  });
});

describe("bad input", () => {
  test("is told so, and the next message is served", () => {
    const { receive } = sessionOf();
    const long = encodeMessage(1, (writer) => writer.bytes(new Uint8Array(9)));
    for (const bad of [message("a", 9), long, Uint8Array.of(0, 4, 0, 1)]) {
      const effects = receive(concatBytes(bad, message("b")));
      expect(effects[0]).toEqual({ kind: "send", bytes: Uint8Array.of(0xff) });
      expect(served(effects)).toBe("b");
    }
  });

  test("ends the connection when there was too much of it", () => {
    const { receive } = sessionOf({ faultsMax: 3 });
    const effects = receive(concatBytes(...[1, 2, 3, 4, 5].map(() => message("a", 9))));
    expect(effects.map(({ kind }) => kind)).toEqual(["send", "send", "send", "send", "close"]);
  });

  test("ends the connection when nobody knows where the next message begins", () => {
    for (const size of [0, 1, 2, 3]) {
      const { receive } = sessionOf();
      const effects = receive(concatBytes(message("a"), Uint8Array.of(0, size), message("b")));
      expect(served(effects)).toBe("a");
      expect(effects.slice(1)).toEqual([
        { kind: "send", bytes: Uint8Array.of(0xff) },
        { kind: "cancel", request: 1 },
        { kind: "close", isAbrupt: false, reason: "protocol" },
      ]);
      expect(receive(message("c"))).toEqual([]);
    }
  });

  test("ends the connection where the protocol has no word for it", () => {
    const { receive } = sessionOf({}, SILENT);
    const effects = receive(concatBytes(message("a", 9), message("b")));
    expect(effects).toEqual([{ kind: "close", isAbrupt: false, reason: "protocol" }]);
  });

  test("ends the connection when the servant says that it is not allowed now", () => {
    const { receive, tell } = sessionOf();
    receive(message("a"));
    expect(tell({ kind: "violated" }).at(-1)).toMatchObject({ reason: "protocol" });
  });
});

describe("a client that is slow or silent", () => {
  const close = (reason: string) => [{ kind: "close", isAbrupt: true, reason }];

  test("has so much time to say something", () => {
    const { wait } = sessionOf({ openMs: 1_000 });
    expect(wait(999)).toEqual([]);
    expect(wait(1_000)).toEqual(close("timeout"));
    expect(wait(1e9)).toEqual([]);
  });

  test("has so much time for a message, however it trickles", () => {
    const { receive, wait } = sessionOf({ openMs: 1e6, messageMs: 1_000 });
    receive(Uint8Array.of(0));
    wait(900);
    receive(Uint8Array.of(5));
    expect(wait(999)).toEqual([]);
    expect(wait(1_000)).toEqual(close("timeout"));
  });

  test("may be idle so long, and any byte either way begins that anew", () => {
    const { receive, tell, wait } = sessionOf({ idleMs: 1_000, answerMs: 1e6 });
    receive(message("a"));
    wait(900);
    tell({ kind: "answered", request: 1, bytes: Uint8Array.of(1) });
    expect(wait(1_899)).toEqual([]);
    expect(wait(1_900)).toEqual(close("idle"));
  });

  test("is not idle while it takes its answers, however slowly", () => {
    const { receive, tell, wait } = sessionOf({ idleMs: 1_000, answerMs: 1e6 });
    receive(message("a"));
    tell({ kind: "answered", request: 1, bytes: new Uint8Array(30) });
    tell({ kind: "unsent", unsentBytes: 30 });
    tell({ kind: "unsent", unsentBytes: 20 }, 900);
    tell({ kind: "unsent", unsentBytes: 20 }, 1_800);
    expect(wait(1_899)).toEqual([]);
    expect(wait(1_900)).toEqual(close("idle"));
  });

  test("is not served while it does not read, then loses the connection", () => {
    const { receive, tell, wait } = sessionOf({ unsentBytesHigh: 10, messageMs: 1_000 });
    receive(message("a"));
    tell({ kind: "answered", request: 1, bytes: new Uint8Array(11) });
    expect(served(receive(message("b")))).toBe("");
    expect(served(tell({ kind: "unsent", unsentBytes: 10 }))).toBe("b");
    tell({ kind: "answered", request: 2, bytes: new Uint8Array(11) }, 500);
    expect(wait(1_500)).toEqual(close("slow-reader"));
  });

  test("loses what may be lost, and the connection when too much is unsent", () => {
    const { tell } = sessionOf({ unsentBytesHigh: 10, unsentBytesMax: 30 });
    const push = (mayBeLost: boolean): string[] =>
      tell({ kind: "push", bytes: new Uint8Array(11), mayBeLost }).map(({ kind }) => kind);
    expect(push(true)).toEqual(["send", "reading"]);
    expect(push(true)).toEqual([]);
    expect(push(false)).toEqual(["send"]);
    expect(push(false)).toEqual(["send", "close"]);
  });
});

it("tells its servants that a connection is over", () => {
  const { receive, tell, core } = sessionOf();
  receive(messages("ab"));
  expect(tell({ kind: "ended" })).toEqual([
    { kind: "cancel", request: 1 },
    { kind: "cancel", request: 2 },
    { kind: "close", isAbrupt: true, reason: "gone" },
  ]);
  expect(core.deadline()).toBe(Number.POSITIVE_INFINITY);
});

describe("when its client has left, a session", () => {
  // Small letters have no answer.
  const oneWay = { ...LETTERS, isOneWay: (letter: string) => letter === letter.toLowerCase() };

  it("serves what has come and has no answer, some at a time, then ends", () => {
    const { receive, tell } = sessionOf({ openRequestsMax: 2 }, oneWay);
    receive(concatBytes(messages("AbcDef"), message("g").subarray(0, 3)));
    expect(tell({ kind: "ended" })).toEqual([
      { kind: "cancel", request: 1 },
      { kind: "serve", request: 3, message: "c" },
    ]);
    expect(served(tell({ kind: "answered", request: 2, bytes: undefined }))).toBe("e");
    expect(served(tell({ kind: "failed", request: 3 }))).toBe("f");
    tell({ kind: "answered", request: 4, bytes: Uint8Array.of(1) });
    expect(tell({ kind: "answered", request: 5, bytes: undefined })).toEqual([
      { kind: "close", isAbrupt: true, reason: "gone" },
    ]);
  });

  it("waits for none of it longer than for an answer, and for nothing else", () => {
    const limits = { openRequestsMax: 1, answerMs: 1_000, messageMs: 10, idleMs: 100 };
    const { receive, tell, wait, core } = sessionOf(limits, oneWay);
    receive(messages("abc"));
    tell({ kind: "ended" });
    expect(served(wait(999))).toBe("");
    expect(served(wait(2_500))).toBe("bc");
    expect(wait(3_000)).toContainEqual({ kind: "close", isAbrupt: true, reason: "gone" });
    expect(core.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("ends at what is no message", () => {
    const { receive, tell } = sessionOf({ openRequestsMax: 1 }, oneWay);
    receive(concatBytes(message("a"), Uint8Array.of(0, 0), message("b")));
    tell({ kind: "ended" });
    const ended = tell({ kind: "answered", request: 1, bytes: undefined });
    expect(ended.map(({ kind }) => kind)).toEqual(["close"]);
  });
});

test("no client is cut for asking: its answers have room, however large they are", () => {
  for (const limits of [VOIDPHONE_API_LIMITS, VOIDPHONE_PEER_LIMITS, VOIDPHONE_ONION_LIMITS]) {
    const { unsentBytesHigh, unsentBytesMax, openRequestsMax } = limits;
    expect(unsentBytesMax).toBeGreaterThan(unsentBytesHigh + openRequestsMax * 65_535);
    const { receive, tell } = sessionOf(limits);
    tell({ kind: "push", bytes: new Uint8Array(unsentBytesHigh), mayBeLost: false });
    const open = served(receive(messages("a".repeat(openRequestsMax + 1)))).length;
    expect(open).toBe(openRequestsMax);
    for (let request = 1; request <= open; request++) {
      const effects = tell({ kind: "answered", request, bytes: new Uint8Array(65_535) });
      expect(effects.map(({ kind }) => kind)).not.toContain("close");
      expect(served(effects)).toBe("");
    }
  }
});
