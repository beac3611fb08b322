import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { DhtNodeCore } from "../../src/dht/node/dht-node-core.ts";
import type { DhtEffect } from "../../src/dht/node/protocol.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { type KeyText, keyOf, textBytes } from "../../src/dht/wire/key.ts";
import type { DhtResponse } from "../../src/dht/wire/message.ts";
import { NodeDescriptor, NodeIdentity } from "../../src/identity/index.ts";
import { effectsOf } from "../effects-of.ts";
import { contactAt, keyWith } from "./nodes.ts";

/** The node with this key, in a network of its own. */
const nodeAt = (...head: readonly number[]): Contact =>
  contactAt(keyWith(...head), `64.${head[0]}.${head[1] ?? 0}.1`);

const UNIX_MS = 1_800_000_000_000;
const TARGET = textBytes(keyWith());
const LIE = "203.0.113.7";
const NEW = "198.51.100.7";

type Sent = DhtEffect & { readonly kind: "send" };

/** One node that has met some others, whose answers are given by hand. */
class Node {
  readonly core: DhtNodeCore;
  readonly sent: Sent[] = [];
  now = 0;

  constructor(known: readonly Contact[], hostOf?: (id: Uint8Array) => string | undefined) {
    this.core = new DhtNodeCore({
      ...(hostOf && { hostOf }),
      id: textBytes(keyWith(0xff, 0xff)),
      random: new SeededRandom(1),
      unixMsAtZero: UNIX_MS,
      limits: { bucketSize: 3, replicas: 3, parallelism: 3 },
    });
    for (const contact of known) this.core.handle({ kind: "met", contact }, 0);
    this.drain();
  }

  find(operation: number): void {
    this.core.handle({ kind: "find", operation, target: TARGET, count: 3 }, this.now);
    this.drain();
  }

  lookUp(operation: number, key: Uint8Array): void {
    this.core.handle({ kind: "get", operation, key, valueKind: "descriptor" }, this.now);
    this.drain();
  }

  /** The open question to a node. */
  question(key: KeyText): Sent {
    const sent = this.sent.findLast(({ to }) => to.key === key);
    if (sent === undefined) throw new Error("it was not asked");
    return sent;
  }

  answer(key: KeyText, response: DhtResponse): void {
    const { exchange, attempt } = this.question(key);
    this.core.handle({ kind: "response", exchange, attempt, response }, this.now);
    this.drain();
  }

  fail(key: KeyText): void {
    this.core.handle({ kind: "failed", exchange: this.question(key).exchange }, this.now);
    this.drain();
  }

  hostOf(key: KeyText): string | undefined {
    return this.core.contacts.find((contact) => contact.key === key)?.addresses[0]?.host;
  }

  drain(): void {
    for (const effect of effectsOf(this.core)) {
      if (effect.kind === "send") this.sent.push(effect);
    }
  }
}

const nodes = (contacts: readonly Contact[] = []): DhtResponse => ({ kind: "nodes", contacts });

describe("what others say of a node that is known", () => {
  const [liar, a, b] = [1, 2, 3].map((at) => nodeAt(at)) as [Contact, Contact, Contact];
  const far = nodeAt(0x40);

  it("does not make it be asked anywhere else", () => {
    const node = new Node([liar, a, b, far]);
    node.find(1);
    node.answer(liar.key, nodes([contactAt(far.key, LIE)]));
    node.answer(a.key, nodes());
    node.fail(b.key);
    expect(node.question(far.key).to.addresses[0]?.host).toBe(far.addresses[0]?.host);
    node.answer(far.key, nodes());
    expect(node.hostOf(far.key)).toBe(far.addresses[0]?.host);
  });

  it.each(["answers", "fails"])("counts less than what it said itself while one %s", (how) => {
    const node = new Node([liar, a, b]);
    node.find(1);
    const moved = contactAt(b.key, NEW);
    node.core.handle({ kind: "met", contact: moved }, 1);
    if (how === "answers") node.answer(b.key, nodes());
    else node.fail(b.key);
    expect(node.hostOf(b.key)).toBe(NEW);
  });

  it("takes it out of the table when it is not where it was known to be", () => {
    const node = new Node([liar, a, b]);
    node.find(1);
    node.fail(b.key);
    expect(node.hostOf(b.key)).toBeUndefined();
  });
});

describe("who names nodes that are not there", () => {
  const known = [1, 2, 3, 0x41, 0x42, 0x43, 0x44].map((at) => nodeAt(at));
  const [liar, a, b] = known as [Contact, Contact, Contact];
  const ghosts = [1, 2, 3, 4, 5, 6].map((at) => nodeAt(0, at));

  it.each(["refused at once", "silent"])("is gone round, if they are %s", (how) => {
    const node = new Node(known);
    node.find(1);
    node.answer(liar.key, nodes(ghosts));
    node.answer(a.key, nodes());
    node.answer(b.key, nodes());
    for (let round = 0; round < 20; round++) {
      const open = ghosts.filter(({ key }) => node.sent.some(({ to }) => to.key === key));
      if (how === "silent") {
        node.now += 1_000;
        node.core.timeout(node.now);
        node.drain();
      } else for (const ghost of open) node.fail(ghost.key);
    }
    const asked = new Set(node.sent.map(({ to }) => to.key));
    expect(known.slice(3).some(({ key }) => asked.has(key))).toBe(true);
  });
});

describe("strangers who are said to be there", () => {
  const strangers = Array.from({ length: 40 }, (_, at) => nodeAt(0x80, at));

  /** How many were asked within two and a half seconds, when each answers after 10 ms, or none. */
  function askedBy(node: Node, answer: DhtResponse | "refused at once" | undefined): number {
    const source = "198.51.100.0/24";
    const asker = { source, isAddressProven: false };
    for (const [exchange, contact] of strangers.entries()) {
      const request = { kind: "ping" } as const;
      node.core.handle({ kind: "request", exchange, asker: { ...asker, contact }, request }, 0);
    }
    const answered = new Set<KeyText>();
    for (; node.now < 2_500; node.now += 10) {
      node.core.timeout(node.now);
      node.drain();
      if (answer === undefined) continue;
      for (const { key } of node.sent.map(({ to }) => to)) {
        if (answered.has(key)) continue;
        answered.add(key);
        if (answer === "refused at once") node.fail(key);
        else node.answer(key, answer);
      }
    }
    return new Set(node.sent.map(({ to }) => to.key)).size;
  }

  it("are met right after each other while they are", () => {
    const node = new Node([]);
    expect(askedBy(node, { kind: "pong" })).toBe(40);
    expect(node.core.contacts).toHaveLength(40);
  });

  it.each(["silent", "refused at once"] as const)(
    "are asked slowly, but for the first eight, while they are %s",
    (how) => {
      const answer = how === "silent" ? undefined : how;
      expect(askedBy(new Node([]), answer)).toBeLessThanOrEqual(8 + 10);
    },
  );

  it("tell whom they know, who is met then", () => {
    const node = new Node([]);
    const other = nodeAt(0x20);
    askedBy(node, nodes([other]));
    expect(node.question(strangers[0]?.key ?? "").request.kind).toBe("find-node");
    expect(node.core.contacts.map(({ key }) => key)).toContain(other.key);
  });
});

describe("who names others each time", () => {
  const known = [1, 2, 3].map((at) => nodeAt(at));
  const isKnown = (key: KeyText): boolean => known.some((contact) => contact.key === key);

  it.each(["are not there", "are names of one machine"])(
    "does not make a joiner ask around for ever, when they %s",
    (what) => {
      const areThere = what === "are names of one machine";
      // All but the known ones are heard at one host, of whose network few are taken.
      const hostOf = (id: Uint8Array) => (isKnown(keyOf(id)) ? undefined : LIE);
      const node = new Node(known, areThere ? hostOf : undefined);
      node.core.handle({ kind: "start", bootstrap: known }, 0);
      const perMinute: number[] = [];
      let [named, seen] = [0, 0];
      const fresh = (): Contact => nodeAt(0x40, named >> 8, named++ & 0xff);
      for (let minute = 0; minute < 5; minute++) {
        const from = seen;
        for (const end = node.now + 60_000; node.now < end; node.now += 25) {
          node.core.timeout(node.now);
          node.drain();
          for (; seen < node.sent.length; seen++) {
            const { to, request } = node.sent[seen] as Sent;
            if (!(areThere || isKnown(to.key))) node.fail(to.key);
            else if (request.kind === "ping") node.answer(to.key, { kind: "pong" });
            else node.answer(to.key, nodes([fresh(), fresh()]));
          }
        }
        perMinute.push(seen - from);
      }
      expect(perMinute[0]).toBeGreaterThan(64);
      expect(perMinute.at(-1)).toBeLessThan(20);
      expect(node.core.knowsAll).toBe(true);
    },
  );
});

describe("who has a descriptor that is over by our clock", () => {
  it("has not lied", () => {
    const identity = new NodeIdentity(new Uint8Array(32).fill(7));
    const signed = NodeDescriptor.sign(identity, {
      sequence: 1,
      expiresAtUnixS: UNIX_MS / 1_000 - 5,
      roles: [],
      geometry: { cellBytes: 1, onionBytes: 0, onionHopsMax: 0 },
      addresses: [],
      relays: [],
      onionKeys: [],
    });
    const value = { kind: "descriptor", ttlSeconds: 1, bytes: signed.toBytes() } as const;
    const keeper = nodeAt(1);
    const node = new Node([keeper]);
    for (let operation = 1; operation <= 4; operation++) {
      node.lookUp(operation, identity.id);
      node.answer(keeper.key, { kind: "value", value });
    }
    expect(node.core.isDemoted(keeper.id, node.now)).toBe(false);
    expect(node.core.statistics.operations).toBe(0);
  });
});
