import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { PUNCH_LIMITS } from "../../../src/link/punch/limits.ts";
import { NO_REFERENCE, signOffer } from "../../../src/link/punch/offer.ts";
import { PunchWorld } from "./punch-world.ts";

it("offers of others, whose ids cost nothing, leave room for punches of our own", () => {
  const random = new SeededRandom(7);
  const world = new PunchWorld({ seed: 1 });
  const [node, peer] = [world.add("restricted"), world.add("open")];
  for (let count = 0; count < 200; count++) {
    const from = new NodeIdentity(random.bytes(32));
    const via = new NodeIdentity(random.bytes(32)).id;
    const unixMs = world.clock.unixMs();
    const bytes = signOffer(from, {
      ...{ kind: "offer", to: node.id, via, nonce: random.bytes(16), reference: NO_REFERENCE },
      ...{ expiresAtUnixMs: unixMs + 30_000, ephemeralKey: from.publicKey },
      ...{ mapping: "unknown", addresses: [] },
    });
    node.driver.handle({ kind: "signal", from: from.id, via, bytes, unixMs });
  }
  const { statistics, size } = node.core;
  expect(size).toBeLessThan(PUNCH_LIMITS.sessionsMax);
  expect([statistics.offersTaken, statistics.limited]).toEqual([size, 200 - size]);
  node.punch(peer);
  world.clock.advance(5_000);
  expect(node.failures.filter(({ isOfferer }) => isOfferer)).toEqual([]);
  expect(node.paths).toHaveLength(1);
});

it("two networks of rendezvous keep no other from a punch: each gives up its last", () => {
  const random = new SeededRandom(8);
  const world = new PunchWorld({ seed: 1 });
  const node = world.add("restricted");
  const [left, right] = [1, 2].map(() => new NodeIdentity(random.bytes(32)).id);
  const offer = (viaHost: string, via = new NodeIdentity(random.bytes(32)).id): boolean => {
    const from = new NodeIdentity(random.bytes(32));
    const unixMs = world.clock.unixMs();
    const bytes = signOffer(from, {
      ...{ kind: "offer", to: node.id, via, nonce: random.bytes(16), reference: NO_REFERENCE },
      ...{ expiresAtUnixMs: unixMs + 30_000, ephemeralKey: from.publicKey },
      ...{ mapping: "unknown", addresses: [] },
    });
    const before = node.core.statistics.offersTaken;
    node.driver.handle({ kind: "signal", from: from.id, via, viaHost, bytes, unixMs });
    return node.core.statistics.offersTaken > before;
  };
  for (let count = 0; count < 40; count++) {
    offer("198.51.100.1", left);
    offer("203.0.113.1", right);
  }
  expect(node.core.size).toBe(PUNCH_LIMITS.sessionsMax / 2);
  const taken = ["192.0.2.70", "192.0.2.71", "198.18.0.1", "198.18.7.1"].map((at) => offer(at));
  expect(taken).toEqual([true, true, true, true]);
  // Each for one of theirs, and those two for none of each other's.
  expect(node.core.size).toBe(PUNCH_LIMITS.sessionsMax / 2);
  expect(node.failures.map(({ reason }) => reason)).toEqual(Array(4).fill("busy"));
  expect([offer("198.51.100.1", left), offer("203.0.113.1", right)]).toEqual([false, false]);
});
