import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { DhtNodeCore } from "../../src/dht/node/dht-node-core.ts";
import type { DhtEffect } from "../../src/dht/node/protocol.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { keyOf, textBytes } from "../../src/dht/wire/key.ts";
import { contactAt, keyWith, randomContacts } from "./nodes.ts";

const HONEST_AT = "198.51.100.7";
const TARGET = textBytes(keyWith());

type Sent = DhtEffect & { readonly kind: "send" };

/** A node that hears some through a relay, others at a host, and the rest where they say. */
class Node {
  readonly core: DhtNodeCore;
  readonly sent: Sent[] = [];
  readonly found: (readonly Contact[])[] = [];
  readonly heardAt = new Map<string, string>();
  readonly relayed = new Set<string>();

  constructor() {
    this.core = new DhtNodeCore({
      id: textBytes(keyWith(0xff, 0xff)),
      random: new SeededRandom(1),
      unixMsAtZero: 1_800_000_000_000,
      hostOf: (id) => this.heardAt.get(keyOf(id)),
      isRelayed: (id) => this.relayed.has(keyOf(id)),
      limits: { bucketSize: 7, parallelism: 3, wholeTableMax: 50 },
    });
  }

  meet(contact: Contact): void {
    this.core.handle({ kind: "met", contact }, 0);
    this.drain();
  }

  /** Looks for the closest to the target, while all who are asked tell of these. */
  find(told: readonly Contact[]): readonly Contact[] {
    const from = this.sent.length;
    this.core.handle({ kind: "find", operation: 1, target: TARGET, count: 7 }, 0);
    this.drain();
    for (let at = from; at < this.sent.length; at++) {
      const { exchange, attempt } = this.sent[at] as Sent;
      const response = { kind: "nodes", contacts: told } as const;
      this.core.handle({ kind: "response", exchange, attempt, response }, 1);
      this.drain();
    }
    return this.found.at(-1) ?? [];
  }

  drain(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "send") this.sent.push(effect);
      if (effect.kind === "done" && effect.result.kind === "nodes") {
        this.found.push(effect.result.contacts);
      }
    }
  }
}

const keysOf = (contacts: readonly Contact[]): string[] => contacts.map(({ key }) => key);

/** Two that come by a relay, are closer to the target, and name the network of somebody else. */
function namesakes(node: Node): Contact[] {
  const both = [1, 2].map((i) => contactAt(keyWith(0, 0, i), `198.51.100.${100 + i}`));
  for (const { key } of both) node.relayed.add(key);
  return both;
}

function honestOne(node: Node): Contact {
  const honest = contactAt(keyWith(0, 1), HONEST_AT);
  node.heardAt.set(honest.key, HONEST_AT);
  return honest;
}

it("who comes by a relay takes nobody's place by naming his network", () => {
  const node = new Node();
  const honest = honestOne(node);
  for (const liar of namesakes(node)) node.meet(liar);
  node.meet(honest);
  for (const contact of randomContacts(3, 20)) node.meet(contact);
  expect(keysOf(node.core.closestKnown(TARGET, 5))).toContain(honest.key);
});

it("nor in what a lookup finds", () => {
  const node = new Node();
  const honest = honestOne(node);
  for (const contact of randomContacts(3, 20)) node.meet(contact);
  const found = node.find([...namesakes(node), honest]);
  expect(keysOf(found)).toContain(honest.key);
});

it("counts for where it is once it is heard there", () => {
  const node = new Node();
  const honest = honestOne(node);
  node.relayed.add(honest.key);
  node.heardAt.delete(honest.key);
  node.meet(honest);
  const known = (): Contact | undefined => node.core.closestKnown(TARGET, 1)[0];
  expect(known()?.isRelayed).toBe(true);
  node.relayed.clear();
  node.meet(honest);
  expect(known()?.isRelayed, "nobody says where it is now").toBe(true);
  node.heardAt.set(honest.key, HONEST_AT);
  node.meet(honest);
  expect(known()?.network).toBe(honest.heardAt(HONEST_AT).network);
});

it.each([64, 10])("many names of one host, each said to be at %d.*, end no lookup", (net) => {
  const node = new Node();
  const others = randomContacts(3, 20);
  for (const contact of others) node.meet(contact);
  const crowd = Array.from({ length: 7 }, (_, i) => {
    const name = contactAt(keyWith(0, 0, i + 1), `${net}.${i}.9.1`);
    node.heardAt.set(name.key, "203.0.113.7");
    return name;
  });
  const found = node.find(crowd);
  const honest = new Set(keysOf(others));
  expect(found.filter(({ key }) => honest.has(key))).toHaveLength(5);
  expect(found).toHaveLength(7);
});
