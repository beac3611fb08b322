import { expect, it } from "vitest";
import { equalBytes } from "../../src/base/index.ts";
import { crypto } from "../../src/crypto/index.ts";
import type { RecordRule } from "../../src/dht/index.ts";
import { growByJoining } from "../../src/testing/swarm/grow.ts";
import { Swarm, type SwarmNode } from "../../src/testing/swarm/swarm.ts";

const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};
const HOUR_MS = 3_600_000;

it.each([
  [20, 2_000],
  [20, 9],
  [60, 9],
])("a network of %s, cut in two for hours, is one again (tables of %s)", (count, wholeTableMax) => {
  let isCut = false;
  const halves = new Set<SwarmNode>();
  const swarm = new Swarm({
    seed: 5,
    recordRule: HASHED,
    limits: { wholeTableMax },
    isCut: (one, other) => isCut && halves.has(one) !== halves.has(other),
  });
  growByJoining(swarm, count);
  swarm.advance(60_000);
  for (const node of swarm.nodes.slice(count / 2)) halves.add(node);
  const strangers = (): number =>
    swarm.nodes.filter((node) => {
      const others = swarm.nodes.filter((other) => halves.has(other) !== halves.has(node));
      const keys = new Set(others.map(({ contact }) => contact.key));
      return !node.core.contacts.some(({ key }) => keys.has(key));
    }).length;
  isCut = true;
  swarm.advance(6 * HOUR_MS);
  isCut = false;
  swarm.advance(3 * HOUR_MS);
  // Who has put it there, and who looks for it, are of different halves.
  const bytes = swarm.random.bytes(40);
  const key = crypto().sha256(bytes);
  const value = { kind: "record", ttlSeconds: 86_400, bytes } as const;
  const [writer] = swarm.nodes;
  if (writer === undefined) throw new Error("there is nobody");
  swarm.run(writer, (operation) => ({ kind: "put", operation, key, value }));
  swarm.advance(5_000);
  const missing = swarm.nodes.filter((node) => {
    const ask = (operation: number) =>
      ({ kind: "get", operation, key, valueKind: "record" }) as const;
    return swarm.run(node, ask).result?.kind !== "found";
  });
  expect([strangers(), missing.length]).toEqual([0, 0]);
});
