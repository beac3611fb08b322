import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { DHT_LIMITS } from "../../../src/dht/limits.ts";
import { RoutingTable } from "../../../src/dht/table/routing-table.ts";
import { Contact, type IsWanted } from "../../../src/dht/wire/contact.ts";
import { compareDistance, type KeyText, sharedBits } from "../../../src/dht/wire/key.ts";
import { publicHost } from "../../../src/testing/swarm/swarm.ts";
import { contactAt, heardContacts, keyWith, randomContacts } from "../nodes.ts";

const SELF = keyWith();

function table(limits: Partial<typeof DHT_LIMITS> = {}, isLocal = false): RoutingTable {
  const secret = new Uint8Array(16).fill(9);
  const isElsewhere: IsWanted = (contact) => contact.isLocal && !isLocal;
  const whole = { ...DHT_LIMITS, ...limits };
  return new RoutingTable({ self: SELF, secret, isElsewhere, limits: whole });
}

function filled(count: number, limits: Partial<typeof DHT_LIMITS> = {}) {
  const contacts = heardContacts(7, count);
  const full = table(limits);
  for (const [at, contact] of contacts.entries()) full.observe(contact, at);
  return { full, contacts };
}

/** The closest by sorting everybody: slow, and beyond doubt. */
function closestOf(contacts: readonly Contact[], target: KeyText, count: number): Contact[] {
  return contacts.toSorted((a, b) => compareDistance(target, a.key, b.key)).slice(0, count);
}

describe("a routing table of a small network", () => {
  it("keeps everybody, and finds the closest to any key", () => {
    const { full, contacts } = filled(500);
    expect(full.size).toBe(500);
    expect(full.isWhole).toBe(true);
    const random = new SeededRandom(1);
    for (let i = 0; i < 200; i++) {
      const target = contactAt(random.bytes(32)).key;
      expect(full.closest(target, 20)).toEqual(closestOf(contacts, target, 20));
    }
  });

  it("finds all there are when fewer are there than asked for", () => {
    const { full, contacts } = filled(7);
    const target = keyWith(0x80);
    expect(full.closest(target, 20)).toEqual(closestOf(contacts, target, 7));
    expect(table().closest(target, 20)).toEqual([]);
  });

  it("skips whom the caller does not want, and looks further for it", () => {
    const { full, contacts } = filled(300);
    const target = contacts[0]?.key ?? SELF;
    const unwanted = new Set(closestOf(contacts, target, 25).map(({ key }) => key));
    const rest = contacts.filter(({ key }) => !unwanted.has(key));
    const found = full.closest(target, 10, ({ key }) => !unwanted.has(key));
    expect(found).toEqual(closestOf(rest, target, 10));
  });

  it("keeps what it has of a node that says that it moved into a private network", () => {
    const one = table();
    const [id, host] = [keyWith(0x80), "64.0.0.1"];
    one.observe(contactAt(id, host), 0);
    expect(one.observe(contactAt(id, "10.0.0.1").heardAt(host), 1)).toBe("refused");
    expect(one.find(id)?.isLocal).toBe(false);
    expect(one.observe(contactAt(id, "64.0.1.1"), 2)).toBe("known");
    expect(one.find(id)?.reach).toBe(contactAt(id, "64.0.1.1").reach);
  });

  it("never holds the node itself", () => {
    expect(table().observe(contactAt(SELF, "64.0.0.1"), 0)).toBe("refused");
  });
});

describe("a routing table of a large network", () => {
  it("cuts itself down to buckets, the far ones larger", () => {
    const { full } = filled(3_000);
    expect(full.isWhole).toBe(false);
    const sizes = new Map<number, number>();
    for (const { key } of full.contacts) {
      const depth = sharedBits(SELF, key);
      sizes.set(depth, (sizes.get(depth) ?? 0) + 1);
    }
    expect([0, 1, 2, 3, 4, 5].map((depth) => sizes.get(depth))).toEqual([256, 128, 64, 32, 20, 20]);
    expect(Math.max(...sizes.values())).toBeLessThanOrEqual(256);
  });

  it("keeps everybody in the neighbourhood", () => {
    const { full, contacts } = filled(3_000);
    expect(full.closest(SELF, 20)).toEqual(closestOf(contacts, SELF, 20));
  });

  it("keeps long-known nodes, and names the one to ping before a newcomer gets a place", () => {
    const { full, contacts } = filled(3_000);
    const newcomer = contactAt(keyWith(0xff, 1, 2, 3));
    const admission = full.observe(newcomer, 5_000);
    expect(admission).toBe("full");
    expect(full.find(newcomer.key)).toBeUndefined();
    const oldest = full.leastRecentlyHeardBeside(newcomer.key);
    const inBucket = full.contacts.filter(({ key }) => sharedBits(SELF, key) === 0);
    const age = (contact: Contact): number => contacts.indexOf(contact);
    expect(oldest?.contact).toBe(inBucket.toSorted((a, b) => age(a) - age(b))[0]);
    full.remove(oldest?.contact.key ?? SELF, 6_000);
    expect(full.find(newcomer.key)).toBe(newcomer);
  });

  it("remembers a bounded number of newcomers beside a bucket, the last ones", () => {
    const { full } = filled(3_000);
    const newcomers = Array.from({ length: 120 }, (_, i) => contactAt(keyWith(0xff, i, 9)))
      .filter((newcomer) => !full.outdraws(newcomer))
      .slice(0, 30);
    for (const newcomer of newcomers) expect(full.observe(newcomer, 5_000)).toBe("full");
    const inBucket = full.contacts.filter(({ key }) => sharedBits(SELF, key) === 0);
    for (const { key } of inBucket) full.remove(key, 6_000);
    const kept = newcomers.filter(({ key }) => full.find(key) !== undefined);
    expect(kept).toEqual(newcomers.slice(-DHT_LIMITS.replacementsMax));
  });

  const shareOf = (contacts: readonly Contact[], { contacts: kept }: RoutingTable): number => {
    const keys = new Set(contacts.map(({ key }) => key));
    return kept.filter(({ key }) => keys.has(key)).length / kept.length;
  };

  it("is nobody's who comes first, or calls often: networks draw lots for most places", () => {
    const crowd = heardContacts(8, 4_000);
    const others = heardContacts(7, 4_000, (i) => publicHost(5_000 + i));
    const pressed = table();
    for (const contact of crowd) pressed.observe(contact, 0);
    for (const contact of others) pressed.observe(contact, 1);
    for (const contact of crowd) pressed.observe(contact, 2);
    // Half of three quarters.
    expect(shareOf(others, pressed)).toBeGreaterThan(0.25);
    // Whoever was there first keeps a quarter, and half of the rest.
    const settled = table();
    for (const contact of [...others, ...crowd]) settled.observe(contact, 0);
    expect(shareOf(others, settled)).toBeGreaterThan(0.4);
  });

  it.each([
    ["any number of names", () => "64.9.9.9"],
    [
      "all of a /32 of IPv6",
      (i: number) => `2400:1:${(i >> 8).toString(16)}:${((i & 255) << 8).toString(16)}::1`,
    ],
  ])("gives hardly a place away to who has %s", (_what, hostOf) => {
    const others = heardContacts(7, 4_000);
    const owner = heardContacts(9, 4_000, hostOf);
    const settled = table();
    for (const contact of [...others, ...owner]) settled.observe(contact, 0);
    // Two in each bucket, and what was nobody's.
    expect(settled.size * shareOf(owner, settled)).toBeLessThanOrEqual(2 * 12);
  });

  it("gives no place away to who only says where it is", () => {
    const { full, contacts } = filled(4_000);
    const liars = randomContacts(9, 4_000).map(({ key }, i) =>
      contactAt(key, publicHost(5_000 + i)),
    );
    const before = new Set(full.contacts);
    for (const liar of liars) full.observe(liar, 5_000);
    const kept = full.contacts.filter((contact) => before.has(contact));
    expect([kept.length, contacts.length]).toEqual([before.size, 4_000]);
  });

  it("draws other lots at another node", () => {
    const crowd = heardContacts(8, 4_000);
    const kept = [1, 2].map((byte) => {
      const secret = new Uint8Array(16).fill(byte);
      const one = new RoutingTable({
        self: SELF,
        secret,
        isElsewhere: () => false,
        limits: DHT_LIMITS,
      });
      for (const contact of crowd) one.observe(contact, 0);
      return new Set(one.contacts.map(({ key }) => key));
    });
    const [first = new Set(), second = new Set()] = kept;
    expect([...first].filter((key) => second.has(key)).length).toBeLessThan(0.6 * first.size);
  });

  it("keeps everybody again when few are left", () => {
    const { full } = filled(3_000);
    for (const { key } of [...full.contacts].slice(0, 500)) full.remove(key, 0);
    expect(full.isWhole).toBe(true);
  });
});

describe("against crowds", () => {
  it("takes two of a /24 into a bucket, and shows two in a closest set", () => {
    const full = table();
    const crowd = Array.from({ length: 10 }, (_, i) => {
      return contactAt(keyWith(0x80, i), `203.0.114.${i + 1}`);
    });
    expect(crowd.map((contact) => full.observe(contact, 0))).toEqual([
      "added",
      "added",
      ...Array<string>(8).fill("refused"),
    ]);
    // Two in each of two buckets are two in a closest set all the same.
    for (const i of [1, 2]) full.observe(contactAt(keyWith(0x40, i), `203.0.114.${i + 100}`), 0);
    expect(full.size).toBe(4);
    expect(full.closest(keyWith(0x80), 20)).toHaveLength(2);
  });

  it("counts an IPv6 network of 56 bits as one", () => {
    const full = table();
    const kinds = ["2001:db8:1:100::1", "2001:db8:1:1ff::1", "2001:db8:1:133::1"].map((host, i) =>
      full.observe(contactAt(keyWith(0x80, i), host), 0),
    );
    expect(kinds).toEqual(["added", "added", "refused"]);
    const other = contactAt(keyWith(0x80, 9), "2001:db8:1:200::1");
    expect(full.observe(other, 0)).toBe("added");
  });

  it.each([
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.7.7",
    "169.254.1.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "fe80::1",
  ])("takes %s for nobody's but a neighbour's", (host) => {
    expect(table().observe(contactAt(keyWith(0x80), host), 0)).toBe("refused");
    const local = table({}, true);
    const many = [1, 2, 3, 4].map((i) => local.observe(contactAt(keyWith(0x80, i), host), 0));
    expect(many).toEqual(["added", "added", "added", "added"]);
  });

  it("gives claimed ids a small part, and never the place of a proven one", () => {
    const claimed = (id: number): Contact =>
      Contact.claimed(contactAt(keyWith(0x80, id)).id, {
        carrier: "tcp",
        host: `64.1.${id}.1`,
        port: 7402,
      });
    const full = table({ claimedMax: 3 });
    const kinds = [1, 2, 3, 4].map((id) => full.observe(claimed(id), 0));
    expect(kinds).toEqual(["added", "added", "added", "refused"]);
    const proven = contactAt(keyWith(0x80, 1));
    expect(full.observe(proven, 1)).toBe("known");
    expect(full.observe(claimed(1), 2)).toBe("refused");
    expect(full.find(proven.key)).toBe(proven);
    // The place that the claim has left is free for another one.
    expect(full.observe(claimed(4), 3)).toBe("added");
  });
});

describe("a node that is known", () => {
  it("is told of with what it said last", () => {
    const full = table();
    full.observe(contactAt(keyWith(0x80), "64.1.1.1"), 0);
    full.observe(contactAt(keyWith(0x80), "64.2.2.2"), 1);
    expect(full.contacts.map(({ addresses }) => addresses[0]?.host)).toEqual(["64.2.2.2"]);
  });

  it("is the oldest when it was not heard for longest", () => {
    const full = table();
    const [a, b] = [contactAt(keyWith(0x80)), contactAt(keyWith(0x40))];
    full.observe(a, 1);
    full.observe(b, 2);
    full.heard(a.key, 3);
    expect(full.leastRecentlyHeard()).toEqual({ contact: b, heardAt: 2 });
    expect(full.leastRecentlyHeard([a])).toEqual({ contact: a, heardAt: 3 });
  });
});
