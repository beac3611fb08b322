import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { PlacementCore } from "../../src/dht/placement/placement-core.ts";
import type { PlacementEffect } from "../../src/dht/placement/placement-protocol.ts";
import { randomContacts } from "./nodes.ts";

it("needs all receipts of a put, though its lookup heard of one node only", () => {
  const contacts = randomContacts(1, 40);
  const core = new PlacementCore({
    neighbourhood: {
      knowsAll: false,
      closestKnown: (_address, count) => contacts.slice(0, count),
      isDemoted: () => false,
    },
    random: new SeededRandom(1),
  });
  const asked: Extract<PlacementEffect, { kind: "put-at" }>[] = [];
  const outcomes: PlacementEffect[] = [];
  const drain = (): void => {
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
      if (effect.kind === "put-at") asked.push(effect);
      if (effect.kind === "done") outcomes.push(effect);
    }
  };
  const take = (): void => {
    const { request } = asked.shift() ?? {};
    if (request === undefined) throw new Error("somebody is asked");
    core.handle({ kind: "answer", request, answer: { kind: "stored", ttlSeconds: 60 } }, 2);
    drain();
  };
  core.handle({ kind: "put", operation: 1, address: new Uint8Array(32) }, 0);
  core.handle({ kind: "closest", operation: 1, nodes: contacts.slice(0, 1) }, 1);
  drain();
  take();
  take();
  expect(outcomes).toEqual([]);
  take();
  expect(outcomes).toMatchObject([{ outcome: { kind: "stored", receipts: 3 } }]);
});
