import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { readOffer, signOffer } from "../../../src/link/punch/offer.ts";
import { PORT, PunchWorld, sentBy } from "./punch-world.ts";

it("nothing is kept of a punch that is over: its probes are those of a stranger", () => {
  const world = new PunchWorld({ seed: 3 });
  const [left, right] = [world.add("open"), world.add("open")];
  const seen = sentBy(left);
  left.punch(right);
  world.clock.advance(20_000);
  expect([right.paths.length, right.core.size]).toEqual([1, 0]);
  const before = right.core.statistics;
  const probe = seen.at(-1) ?? new Uint8Array();
  left.host.spoof(probe, {
    from: { host: left.host.addresses[0] ?? "", port: PORT },
    to: { host: right.host.addresses[0] ?? "", port: PORT },
  });
  world.clock.advance(1_000);
  expect(right.core.statistics).toEqual({ ...before, probesStray: before.probesStray + 1 });
});

it("an answer counts through the rendezvous that was asked, and no other", () => {
  const random = new SeededRandom(4);
  const world = new PunchWorld({ seed: 4 });
  const [left, right] = [world.add("open"), world.add("open")];
  const signals: Uint8Array[] = [];
  world.tamper = (signal) => {
    signals.push(signal);
    return [];
  };
  left.punch(right);
  world.clock.advance(1_000);
  const reference = readOffer(signals[0] ?? new Uint8Array()).hash;
  const unixMs = world.clock.unixMs();
  const answer = (via: Uint8Array): number => {
    const bytes = signOffer(right.identity, {
      ...{ kind: "answer", to: left.id, via, reference, nonce: random.bytes(16) },
      ...{ expiresAtUnixMs: unixMs + 30_000, mapping: "unknown", addresses: [] },
      ephemeralKey: new NodeIdentity(random.bytes(32)).publicKey,
    });
    left.driver.handle({ kind: "signal", from: right.id, via, bytes, unixMs });
    return left.core.statistics.unexpected;
  };
  expect(answer(new NodeIdentity(random.bytes(32)).id)).toBe(1);
  expect(answer(world.rendezvous.id)).toBe(1);
});
