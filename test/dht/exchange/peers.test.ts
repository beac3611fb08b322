import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Peers } from "../../../src/dht/exchange/peers.ts";
import { DHT_LIMITS } from "../../../src/dht/limits.ts";
import { keyWith } from "../nodes.ts";

const PEERS_MAX = 8;

it("knows how fast others are, and who lies, though more have lied than there is room for", () => {
  const peers = new Peers(new SeededRandom(1), { ...DHT_LIMITS, peersMax: PEERS_MAX });
  for (let liar = 0; liar < 2 * PEERS_MAX; liar++) peers.blame(keyWith(1, liar), 0);
  const [slow, newLiar] = [keyWith(2), keyWith(3)];
  peers.late(slow);
  expect(peers.isLate(slow)).toBe(true);
  for (const at of [0, 1]) peers.blame(newLiar, at);
  expect(peers.isDemoted(newLiar, 1)).toBe(true);
});

it("forgives nobody for meeting many others", () => {
  const peers = new Peers(new SeededRandom(1), { ...DHT_LIMITS, peersMax: PEERS_MAX });
  const liar = keyWith(1);
  for (const at of [0, 1]) peers.blame(liar, at);
  for (let other = 0; other < 2 * PEERS_MAX; other++) peers.answered(keyWith(2, other), 10);
  expect(peers.isDemoted(liar, 1)).toBe(true);
  expect(peers.size).toBeLessThanOrEqual(PEERS_MAX);
});

it("knows when many are late of late: a few answers more, and it relies on one alone again", () => {
  const peers = new Peers(new SeededRandom(1), DHT_LIMITS);
  for (let other = 0; other < 100; other++) peers.answered(keyWith(2, other), 10);
  expect(peers.areManyLate).toBe(false);
  for (const silent of [1, 2, 3]) peers.late(keyWith(1, silent));
  expect(peers.areManyLate).toBe(true);
  let answers = 0;
  for (; peers.areManyLate; answers++) peers.answered(keyWith(2, answers), 10);
  expect(answers).toBeGreaterThan(8);
  expect(answers).toBeLessThan(64);
});

it("does not take one that says nothing any more for many", () => {
  const peers = new Peers(new SeededRandom(1), DHT_LIMITS);
  for (let time = 0; time < 100; time++) peers.late(keyWith(1));
  for (let other = 0; other < 8; other++) peers.answered(keyWith(2, other), 10);
  expect(peers.areManyLate).toBe(false);
});
