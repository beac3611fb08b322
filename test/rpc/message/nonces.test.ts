import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { type Envelope, referenceOf } from "../../../src/rpc/message/envelope.ts";
import { CorePair } from "../core-pair.ts";

it("every message has a nonce of its own, whatever its kind; a copy has that of the first", () => {
  const pair = new CorePair();
  for (let turn = 0; turn < 6; turn++) {
    if (turn > 2) pair.b.restart();
    pair.ask({ isIdempotent: true });
    pair.clock.advance(80);
    pair.answerAll();
    pair.clock.advance(1_000);
  }
  expect(pair.a.core.statistics.repeated + pair.b.core.statistics.repeated).toBe(0);
  const kinds = new Map<Envelope["kind"], number>();
  for (const { envelope } of pair.sent) {
    kinds.set(envelope.kind, (kinds.get(envelope.kind) ?? 0) + 1);
  }
  for (const kind of ["hello", "session", "request", "reply", "lost", "settled"] as const) {
    expect(kinds.get(kind), kind).toBeGreaterThan(2);
  }
  const nonces = new Set(pair.sent.map(({ envelope }) => toHex(envelope.nonce)));
  expect(nonces.size).toBe(pair.sent.length);

  pair.passes = () => false;
  pair.ask();
  pair.clock.advance(10_000);
  const copies = pair.sent.slice(nonces.size).map(({ envelope }) => toHex(envelope.nonce));
  expect(copies.length).toBeGreaterThan(5);
  expect(new Set(copies).size).toBe(1);
});

it.each([0, 100, 4_076, 4_077, 4_078, 5_000, 100_000])(
  "a reference covers its label and the message, of %i bytes too",
  (length) => {
    const bytes = new SeededRandom(length).bytes(length);
    const hash = createHash("sha256").update("culvert/v1/request\0").update(bytes);
    expect(toHex(referenceOf(bytes))).toBe(hash.digest("hex"));
  },
);
