import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { DhtLimits } from "../../../src/dht/index.ts";
import { textBytes } from "../../../src/dht/wire/key.ts";
import type { DhtResponse } from "../../../src/dht/wire/message.ts";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { LoneNode as Node, type Sent } from "../lone-node.ts";
import { contactAt, keyWith, randomContacts } from "../nodes.ts";

const GEOMETRY = { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 };

describe("a search that has ended", () => {
  it.each(["find", "put"] as const)("for a %s stays so, whatever comes late", (kind) => {
    const node = new Node({ bucketSize: 3, replicas: 3, wholeTableMax: 20 });
    const key = textBytes(keyWith());
    const value = { kind: "plain", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;
    for (let i = 1; i <= 40; i++) {
      node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
    }
    const sentBefore = node.sent.length;
    if (kind === "find") node.tell({ kind, operation: 7, target: key, count: 3 });
    else node.tell({ kind, operation: 7, key, value, quorum: 3 });
    const [late] = node.sent.slice(sentBefore);
    if (late === undefined) throw new Error("somebody is asked");
    const answered = new Set([late.exchange]);
    const answerOthers = (): void => {
      for (const sent of node.sent) {
        if (answered.has(sent.exchange)) continue;
        answered.add(sent.exchange);
        const isStore = sent.request.kind === "store";
        if (isStore) node.answer(sent, { kind: "stored", ttlSeconds: 60 });
        else node.answer(sent, { kind: "nodes", contacts: [] });
      }
    };
    for (answerOthers(); node.done.length === 0; answerOthers()) node.wait();
    answerOthers();
    const sent = node.sent.length;
    node.answer(late, { kind: "pong" });
    answerOthers();
    expect(node.sent).toHaveLength(sent);
    expect(node.done).toHaveLength(1);
    expect(node.core.statistics.operations).toBe(0);
  });
});

it.each([
  [0x18, 1],
  [0x28, 3],
])("a record is asked for at one node alone if few can be closer: %d, %d", (head, asked) => {
  const node = new Node();
  for (let i = 0; i < 40; i++) {
    node.tell({ kind: "met", contact: contactAt(keyWith(0x80 + i, 1), `64.${i}.1.1`) });
  }
  // Of 41 nodes 3.8 or 6.4 are as close as this one; a quarter of twenty keepers are five.
  node.tell({ kind: "met", contact: contactAt(keyWith(head, 0), "64.99.1.1") });
  const before = node.sent.length;
  node.tell({ kind: "get", operation: 1, key: textBytes(keyWith()), valueKind: "record" });
  expect(node.sent.slice(before)).toHaveLength(asked);
});

it.each([
  ["the node itself", 0, 1],
  ["another one", 1, 0],
])("a search for a descriptor that %s gives has ended, at entry %d: %d", (_who, at, ended) => {
  const node = new Node();
  const identity = new NodeIdentity(new Uint8Array(32).fill(3));
  const claims = { roles: [], addresses: [], relays: [], onionKeys: [], geometry: GEOMETRY };
  const life = { sequence: 1, expiresAtUnixS: 1_800_007_200 };
  const descriptor = NodeDescriptor.sign(identity, { ...claims, ...life });
  node.tell({ kind: "met", contact: contactAt(identity.id, "64.1.1.1") });
  for (const contact of randomContacts(5, 9)) node.tell({ kind: "met", contact });
  const before = node.sent.length;
  node.tell({ kind: "get", operation: 1, key: identity.id, valueKind: "descriptor" });
  const bytes = descriptor.toBytes();
  const value = { kind: "descriptor", ttlSeconds: 60, bytes } as const;
  node.answer(node.sent[before + at] as Sent, { kind: "value", value });
  expect(node.done).toHaveLength(ended);
});

it("a joiner begins with each of the first eight nodes that it is told of", () => {
  const node = new Node();
  const bootstrap = randomContacts(5, 12);
  node.tell({ kind: "start", bootstrap });
  const asked = node.sent.filter(({ request }) => request.kind === "find-node");
  const firstEight = bootstrap.slice(0, 8).map(({ key }) => key);
  expect(asked.map(({ to }) => to.key)).toEqual(expect.arrayContaining(firstEight));
  // And three at once on the way that goes on from all of them.
  expect(asked).toHaveLength(8 + 3);
});

it("a thousand gets at once find what one in six nodes has, while the others say nothing", () => {
  const GETS = 1_000;
  const TRIP_MS = 100;
  const node = new Node();
  const random = new SeededRandom(2);
  const known = randomContacts(9, 100);
  const keepers = new Set(known.filter((_, i) => i % 6 === 0).map(({ key }) => key));
  for (const contact of known) node.tell({ kind: "met", contact });
  const value = { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;
  const waiting: { readonly at: number; readonly sent: Sent }[] = [];
  let seen = 0;
  const look = (): void => {
    for (; seen < node.sent.length; seen++) {
      const sent = node.sent[seen] as Sent;
      const isAnswered = keepers.has(sent.to.key) && sent.request.kind === "find-value";
      if (isAnswered) waiting.push({ at: node.now + TRIP_MS, sent });
    }
  };
  for (let operation = 0; operation < GETS; operation++) {
    node.tell({ kind: "get", operation, key: random.bytes(32), valueKind: "record" });
  }
  for (look(); node.done.length < GETS; look()) {
    const [next] = waiting;
    if (next === undefined || next.at > node.core.deadline()) node.wait();
    else {
      waiting.shift();
      node.now = next.at;
      node.answer(next.sent, { kind: "value", value });
    }
  }
  expect(new Set(node.done.map(({ result }) => result.kind))).toEqual(new Set(["found"]));
});

it("a put for which nobody has room to be asked is busy, and forgets nobody", () => {
  const node = new Node({ bucketSize: 3, replicas: 3 });
  for (let i = 1; i <= 10; i++) {
    node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
  }
  const value = { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;
  node.tell({ kind: "put", operation: 2, key: textBytes(keyWith()), value });
  for (let at = 0; at < node.sent.length; at++) {
    const { exchange } = node.sent[at] as Sent;
    node.tell({ kind: "failed", exchange, isBusy: true });
  }
  expect(node.busy.map(({ operation }) => operation)).toEqual([2]);
  expect(node.done).toEqual([]);
  expect(node.core.contacts).toHaveLength(10);
});

it.each([
  { count: 2, outcome: "busy" },
  { count: 1, outcome: "missing" },
])("a get is $outcome where $count of three keepers are busy", ({ count, outcome }) => {
  const node = new Node({ bucketSize: 3, replicas: 3 });
  for (let i = 1; i <= 10; i++) {
    node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
  }
  const key = textBytes(keyWith());
  const busy = new Set(node.core.closestKnown(key, count).map((contact) => contact.key));
  node.tell({ kind: "get", operation: 2, key, valueKind: "record" });
  for (let at = 0; at < node.sent.length; at++) {
    const sent = node.sent[at] as Sent;
    if (!busy.has(sent.to.key)) node.answer(sent, { kind: "nodes", contacts: [] });
    else node.tell({ kind: "failed", exchange: sent.exchange, isBusy: true });
  }
  expect([
    ...node.done.map(({ result }) => result.kind),
    ...node.busy.map(({ kind }) => kind),
  ]).toEqual([outcome]);
});

it("a plain value is found when three say the same, whoever was first", () => {
  const node = new Node({ bucketSize: 6, replicas: 6 });
  for (let i = 1; i <= 10; i++) {
    node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
  }
  node.tell({ kind: "get", operation: 2, key: textBytes(keyWith()), valueKind: "plain" });
  const said = [9, 1, 9, 1, 1].map((byte, at) => {
    const value = { kind: "plain", ttlSeconds: 60, bytes: Uint8Array.of(byte) } as const;
    node.answer(node.sent[at] as Sent, { kind: "value", value });
    return node.done.length;
  });
  expect(said).toEqual([0, 0, 0, 0, 1]);
  expect(node.done[0]?.result).toMatchObject({ value: { bytes: Uint8Array.of(1) } });
});

it("a node that gives records which do not prove themselves is given nothing new", () => {
  const node = new Node({ bucketSize: 3 }, (_key, [first]) => (first === 1 ? 1 : undefined));
  for (let i = 1; i <= 3; i++) {
    node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
  }
  const liar = contactAt(keyWith(1, 1), "64.1.1.1");
  const recordWith = (first: number) => {
    return { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(first) } as const;
  };
  const isDemoted = [1, 2].map((operation) => {
    const from = node.sent.length;
    node.tell({ kind: "get", operation, key: textBytes(keyWith()), valueKind: "record" });
    for (let at = from; at < node.sent.length; at++) {
      const sent = node.sent[at] as Sent;
      node.answer(sent, { kind: "value", value: recordWith(sent.to.key === liar.key ? 2 : 1) });
    }
    return node.core.isDemoted(liar.id, node.now);
  });
  expect(isDemoted).toEqual([false, true]);
  const found = node.done.map(({ result }) => result.kind === "found" && result.value.bytes[0]);
  expect(found).toEqual([1, 1]);
});

describe("a node that has as many requests in flight as it may", () => {
  const KEY = textBytes(keyWith());
  const RECORD = { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;

  /** A node that knows `count` others, and has `exchangesMax` requests in flight to one key. */
  const busyNode = (limits: Partial<DhtLimits> = {}, count = 6): Node => {
    const node = new Node({ bucketSize: 3, replicas: 3, exchangesMax: 3, ...limits });
    for (let i = 1; i <= count; i++) {
      node.tell({ kind: "met", contact: contactAt(keyWith(i, 1), `64.${i}.1.1`) });
    }
    node.tell({ kind: "find", operation: 1, target: textBytes(keyWith(0x80)), count: 3 });
    expect(node.sent).toHaveLength(3);
    return node;
  };
  /** Each request, one after the other in the order in which they were sent. */
  const answerAll = (node: Node, answer: (sent: Sent) => DhtResponse): void => {
    for (let at = 0; at < node.sent.length; at++) {
      const sent = node.sent[at] as Sent;
      node.answer(sent, answer(sent));
    }
  };

  it("asks for a value once there is room, and misses none that is there", () => {
    const node = busyNode();
    node.tell({ kind: "get", operation: 2, key: KEY, valueKind: "record" });
    expect(node.done).toEqual([]);
    answerAll(node, ({ request }) => {
      if (request.kind === "find-value") return { kind: "value", value: RECORD };
      return { kind: "nodes", contacts: [] };
    });
    const found = node.done.find(({ operation }) => operation === 2);
    expect(found?.result).toMatchObject({ kind: "found", asked: 1 });
  });

  it("finds those who are closest, who could not be asked at first", () => {
    const node = busyNode();
    node.tell({ kind: "find", operation: 2, target: KEY, count: 3 });
    answerAll(node, () => ({ kind: "nodes", contacts: [] }));
    const result = node.done.find(({ operation }) => operation === 2)?.result;
    const closest = node.core.closestKnown(KEY, 3).map(({ key }) => key);
    expect(result?.kind === "nodes" && result.contacts.map(({ key }) => key)).toEqual(closest);
  });

  it("stores at those who are closest, though it looks for nobody first", () => {
    const node = busyNode({ exchangesMax: 3 }, 10);
    expect(node.core.knowsAll).toBe(true);
    node.tell({ kind: "put", operation: 2, key: KEY, value: RECORD, quorum: 3 });
    answerAll(node, ({ request }) => {
      if (request.kind === "store") return { kind: "stored", ttlSeconds: 60 };
      return { kind: "nodes", contacts: [] };
    });
    const stored = node.sent.filter(({ request }) => request.kind === "store");
    const closest = node.core.closestKnown(KEY, 3).map(({ key }) => key);
    expect(stored.map(({ to }) => to.key)).toEqual(closest);
    const result = node.done.find(({ operation }) => operation === 2)?.result;
    expect(result).toMatchObject({ kind: "put", stored: 3, refusals: [] });
  });

  it("says that it is busy when there is no room until the end", () => {
    const node = busyNode({ operationMs: 1_000 });
    node.tell({ kind: "get", operation: 2, key: KEY, valueKind: "record" });
    node.tell({ kind: "put", operation: 3, key: KEY, value: RECORD, quorum: 3 });
    while (node.now < 1_000) node.wait();
    expect(node.busy.map(({ operation }) => operation)).toEqual([2, 3]);
    expect(node.done.map(({ operation }) => operation)).toEqual([1]);
    expect(node.core.statistics.operations).toBe(0);
  });

  it("says what a node said, though there was no room to ask the others", () => {
    const node = busyNode({ exchangesMax: 4, operationMs: 1_000 });
    node.tell({ kind: "put", operation: 2, key: KEY, value: RECORD, quorum: 3 });
    const store = node.sent.find(({ request }) => request.kind === "store");
    expect(store).toBeDefined();
    if (store !== undefined) node.answer(store, { kind: "refused", reason: "full" });
    while (node.now < 1_000) node.wait();
    const result = node.done.find(({ operation }) => operation === 2)?.result;
    expect(result).toMatchObject({ kind: "put", stored: 0, refusals: ["full"] });
  });

  it("gets to know whom it was told of meanwhile", () => {
    const node = busyNode();
    const stranger = contactAt(keyWith(0x90, 1), "64.99.1.1");
    const asker = { id: stranger.id, source: "", isAddressProven: false, contact: stranger };
    node.tell({ kind: "request", exchange: 9, asker, request: { kind: "ping" } });
    while (node.now < 1_000) node.wait();
    answerAll(node, () => ({ kind: "nodes", contacts: [] }));
    while (node.now < 2_000) node.wait();
    expect(node.sent.map(({ to }) => to.key)).toContain(stranger.key);
  });

  it("asks no more for what was cancelled", () => {
    const node = busyNode();
    node.tell({ kind: "get", operation: 2, key: KEY, valueKind: "record" });
    node.tell({ kind: "cancel", operation: 2 });
    answerAll(node, () => ({ kind: "nodes", contacts: [] }));
    expect(node.sent.some(({ request }) => request.kind === "find-value")).toBe(false);
  });
});

describe("a put", () => {
  // By the nodes that a path may ask, and where those are too many, by half of its time.
  it.each([192, 10_000])(
    "stores at whom it has found, though somebody names ever closer nodes (%i)",
    (asked) => {
      const few = { bucketSize: 3, replicas: 3, wholeTableMax: 20 };
      const node = new Node({ ...few, askedPerPathMax: asked });
      const met = contactAt(keyWith(0x7f));
      node.tell({ kind: "start", bootstrap: [met] });
      node.tell({ kind: "met", contact: met });
      node.sent.length = 0;
      const value = { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;
      node.tell({ kind: "put", operation: 1, key: textBytes(keyWith()), value });
      for (let named = 0; node.done.length === 0; ) {
        const sent = node.sent.shift();
        if (sent === undefined) {
          node.wait(node.now + 20);
          continue;
        }
        if (sent.request.kind === "store") node.answer(sent, { kind: "stored", ttlSeconds: 60 });
        else {
          named += 1;
          while (node.now < 90 * named) node.wait(90 * named);
          const closer = contactAt(keyWith(0x7e - (named >> 8), 0xff - (named & 0xff)));
          node.answer(sent, { kind: "nodes", contacts: [closer] });
        }
      }
      expect(node.done).toMatchObject([{ operation: 1, result: { kind: "put", stored: 2 } }]);
      expect(node.now).toBeLessThan(60_000);
    },
  );
});

describe("a get, while somebody names ever closer nodes,", () => {
  it("ends, and finds what the nodes have that honest ones have told of", () => {
    const node = new Node({ bucketSize: 3, wholeTableMax: 20, askedPerPathMax: 32 });
    const keeper = contactAt(keyWith(0x30));
    const honest = contactAt(keyWith(0x40));
    for (const contact of [contactAt(keyWith(0x38)), honest]) node.tell({ kind: "met", contact });
    node.sent.length = 0;
    node.tell({ kind: "get", operation: 1, key: textBytes(keyWith()), valueKind: "record" });
    const value = { kind: "record", ttlSeconds: 60, bytes: Uint8Array.of(1) } as const;
    const asked = new Set<string>();
    // Every answer comes at once: time alone would never end it.
    for (let sent = node.sent.shift(); sent !== undefined; sent = node.sent.shift()) {
      // Who names others without end is quicker.
      if (sent.to.key === honest.key && asked.size < 8 && node.sent.length > 0) {
        node.sent.push(sent);
        continue;
      }
      asked.add(sent.to.key);
      if (asked.size > 1_000) break;
      const closer = contactAt(keyWith(0x20, 0xff - (asked.size >> 8), 0xff - (asked.size & 0xff)));
      if (sent.to.key === keeper.key) node.answer(sent, { kind: "value", value });
      else {
        const contacts = [sent.to.key === honest.key ? keeper : closer];
        node.answer(sent, { kind: "nodes", contacts });
      }
    }
    expect(node.done).toMatchObject([{ operation: 1, result: { kind: "found" } }]);
    expect(asked.size).toBeLessThanOrEqual(32 + 3);
  });
});

describe("a node that joins", () => {
  it("does so as soon as there is room for it beside its own tasks", () => {
    const node = new Node({ handOversMax: 1, wholeTableMax: 20 });
    for (const contact of randomContacts(7, 4)) node.tell({ kind: "met", contact });
    for (let i = 0; i < 12; i++) {
      const value = { kind: "plain", ttlSeconds: 60_000, bytes: Uint8Array.of(1) } as const;
      node.tell({ kind: "publish", key: textBytes(keyWith(i)), value });
    }
    node.wait(0);
    node.tell({ kind: "start", bootstrap: [contactAt(keyWith(0x55))] });
    for (let at = 0; at < 60_000; at += 100) {
      while (node.now < at) node.wait(at);
      for (const sent of node.sent.splice(0)) {
        const isStore = sent.request.kind === "store";
        node.answer(
          sent,
          isStore ? { kind: "stored", ttlSeconds: 60_000 } : { kind: "nodes", contacts: [] },
        );
      }
    }
    expect(node.joined).toEqual([5]);
  });
});
