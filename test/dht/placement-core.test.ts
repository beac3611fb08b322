import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { PlacementCore } from "../../src/dht/placement/placement-core.ts";
import type { PlacementEffect } from "../../src/dht/placement/placement-protocol.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { randomContacts } from "./nodes.ts";

it("needs all receipts of a put, though its lookup heard of one node only", () => {
  const contacts = randomContacts(1, 40);
  const core = new PlacementCore({
    neighbourhood: {
      knowsAll: false,
      nodesEstimated: 40,
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

it.each([
  { busy: 3, code: "CULVERT_BUSY" },
  { busy: 2, code: "CULVERT_NOT_FOUND" },
] as const)("a get is $code where $busy of five keepers are busy", ({ busy, code }) => {
  const core = new PlacementCore({
    neighbourhood: {
      knowsAll: true,
      nodesEstimated: 40,
      closestKnown: (_address, count) => randomContacts(1, 40).slice(0, count),
      isDemoted: () => false,
    },
    random: new SeededRandom(1),
  });
  const outcomes: PlacementEffect[] = [];
  core.handle({ kind: "get", operation: 1, address: new Uint8Array(32), waitMs: 0 }, 0);
  let asked = 0;
  for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
    if (effect.kind === "done") outcomes.push(effect);
    if (effect.kind !== "get-from") continue;
    asked += 1;
    const { request } = effect;
    const failed = asked <= busy ? "CULVERT_BUSY" : "CULVERT_NOT_FOUND";
    core.handle({ kind: "answer", request, answer: { kind: "failed", code: failed } }, asked);
  }
  expect(asked).toBe(5);
  expect(outcomes).toMatchObject([{ outcome: { kind: "failed", code } }]);
});

it("gives nothing new to nodes that broke their word, close as they may be", () => {
  const contacts = randomContacts(1, 40);
  const liars = new Set(contacts.slice(0, 3));
  const core = new PlacementCore({
    neighbourhood: {
      knowsAll: true,
      nodesEstimated: 40,
      closestKnown: (_address, count) => contacts.slice(0, count),
      isDemoted: (node) => liars.has(node),
    },
    random: new SeededRandom(1),
  });
  core.handle({ kind: "put", operation: 1, address: new Uint8Array(32) }, 0);
  const asked: Contact[] = [];
  for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
    if (effect.kind === "put-at") asked.push(effect.node);
  }
  expect(asked).toEqual(contacts.slice(3, 8));
});
