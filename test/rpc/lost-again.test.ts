import { expect, it } from "vitest";
import { encodeEnvelope, referenceOf } from "../../src/rpc/message/envelope.ts";
import { CorePair } from "./core-pair.ts";

const NONCE = new Uint8Array(32).fill(9);
const IDEMPOTENT = { isIdempotent: true, hardMs: 30_000 };

/** A pair whose b takes every session that it has given for lost. */
function forgetful(): CorePair {
  const pair = new CorePair();
  pair.delayMs = 1;
  pair.passes = ({ bytes, envelope }) => {
    if (envelope.kind !== "request") return true;
    const lost = encodeEnvelope({ kind: "lost", nonce: NONCE, reference: referenceOf(bytes) });
    pair.clock.schedule(pair.clock.now() + 1, () =>
      pair.a.handle({ kind: "receive", peer: pair.b.id, bytes: lost }),
    );
    return false;
  };
  return pair;
}

it("a peer that loses session after session is asked as seldom as one that is silent", () => {
  const pair = forgetful();
  for (let i = 0; i < 3; i++) pair.ask({ ...IDEMPOTENT, body: Uint8Array.of(i) });
  pair.clock.advance(31_000);
  expect(pair.a.all("failed").map(({ code }) => code)).toEqual(
    new Array(3).fill("CULVERT_TIMEOUT"),
  );
  // It would be 10,000 of each, one in every round trip.
  expect(pair.of("hello").length).toBeLessThan(150);
  expect(pair.of("request").length).toBeLessThan(3 * 150);
  expect(pair.of("hello").length).toBeGreaterThan(16);
});

it("a peer that has begun anew once is asked again at once, and twice, soon", () => {
  const pair = new CorePair();
  pair.ask(IDEMPOTENT);
  pair.clock.advance(100);
  for (let i = 0; i < 2; i++) {
    pair.b.restart();
    const [request] = pair.of("request").slice(-1);
    if (request === undefined) throw new Error("a request was sent");
    pair.deliver(request);
    pair.clock.advance(i === 0 ? 60 : 300);
    expect(pair.b.all("run")).toHaveLength(i + 2);
  }
  pair.answerAll();
  pair.clock.advance(100);
  expect(pair.a.all("replied")).toHaveLength(1);
});
