import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { DhtNodeCore } from "../../src/dht/dht-node-core.ts";
import type { DhtLimits } from "../../src/dht/index.ts";
import { textBytes } from "../../src/dht/key.ts";
import type { DhtResponse } from "../../src/dht/message.ts";
import type { DhtEffect, DhtInput } from "../../src/dht/protocol.ts";
import { contactAt, keyWith, randomContacts } from "./nodes.ts";

type Sent = Extract<DhtEffect, { kind: "send" }>;
type Done = Extract<DhtEffect, { kind: "done" }>;

/** A node without a network: what it sends, and what it says of its operations. */
class Node {
  now = 0;
  readonly sent: Sent[] = [];
  readonly done: Done[] = [];
  readonly core: DhtNodeCore;

  constructor(limits: Partial<DhtLimits> = {}) {
    const id = textBytes(keyWith(0xff, 0xff));
    const rules = { unixMsAtZero: 1_800_000_000_000, recordRule: () => 1 };
    this.core = new DhtNodeCore({ id, random: new SeededRandom(1), limits, ...rules });
  }

  tell(input: DhtInput): void {
    this.core.handle(input, this.now);
    this.#drain();
  }

  answer({ exchange, attempt }: Sent, response: DhtResponse): void {
    this.tell({ kind: "response", exchange, attempt, response });
  }

  /** Until the next timer, or `at` if that is sooner. */
  wait(at = Number.POSITIVE_INFINITY): void {
    this.now = Math.min(this.core.deadline(), at);
    this.core.timeout(this.now);
    this.#drain();
  }

  #drain(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "send") this.sent.push(effect);
      if (effect.kind === "done") this.done.push(effect);
    }
  }
}

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
