import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import type { Contact, PlacementLimits } from "../../src/dht/index.ts";
import { RecordWatchCore } from "../../src/dht/placement/record-watch-core.ts";
import { compareDistance, keyOf } from "../../src/dht/wire/key.ts";
import { effectsOf } from "../effects-of.ts";
import { randomContacts } from "./nodes.ts";

describe("a watch over kept records", () => {
  const ADDRESS = new Uint8Array(32);
  const TTL = { ttlSeconds: 100_000 };

  function watch(
    rank: number,
    limits: Partial<PlacementLimits> = {},
    kind: "kept" | "held" = "kept",
  ) {
    const contacts = randomContacts(3, 40).toSorted((a, b) => {
      return compareDistance(keyOf(ADDRESS), a.key, b.key);
    });
    const self = contacts.splice(rank, 1)[0];
    let known: readonly Contact[] = contacts.slice(3);
    const demoted = new Set<Contact>();
    const core = new RecordWatchCore({
      id: self?.id ?? ADDRESS,
      random: new SeededRandom(1),
      limits,
      neighbourhood: {
        nodesEstimated: contacts.length + 1,
        closestKnown: (_address, count, isWanted = () => true) => {
          return known.filter(isWanted).slice(0, count);
        },
        isDemoted: (contact) => demoted.has(contact),
      },
    });
    core.handle({ kind, address: ADDRESS, ...TTL }, 0);
    return {
      core,
      contacts,
      demoted,
      appear: (): void => {
        known = contacts;
      },
      look: (now: number): Contact[] => {
        core.timeout(now);
        const offers: Contact[] = [];
        for (const effect of effectsOf(core)) {
          offers.push(effect.to);
        }
        return offers;
      },
    };
  }

  it("offers a record to those that are new among its closest nodes, once", () => {
    const { contacts, appear, look } = watch(3);
    expect(look(100_000)).toEqual([]);
    appear();
    expect(look(200_000)).toEqual(contacts.slice(0, 3));
    expect(look(300_000)).toEqual([]);
  });

  it("offers none to who broke its word", () => {
    const { contacts, demoted, appear, look } = watch(3);
    for (const contact of contacts.slice(1, 2)) demoted.add(contact);
    appear();
    expect(look(200_000)).toEqual([contacts[0], contacts[2]]);
  });

  it("offers it again to one whom the offer did not reach", () => {
    const { core, contacts, appear, look } = watch(3);
    appear();
    const [first, second] = look(200_000);
    if (first === undefined || second === undefined) throw new Error("two offers");
    core.handle({ kind: "missed", address: ADDRESS, node: second }, 200_000);
    expect(look(300_000)).toEqual([contacts[1]]);
    expect(look(400_000)).toEqual([]);
  });

  it("offers a record of an earlier life to all of its closest nodes, once", () => {
    const { contacts, appear, look } = watch(1, {}, "held");
    appear();
    expect(look(100_000)).toEqual(contacts.slice(0, 4));
    expect(look(200_000)).toEqual([]);
  });

  it("leaves a record of an earlier life to closer nodes when there are two", () => {
    const { appear, look } = watch(2, {}, "held");
    appear();
    expect(look(100_000)).toEqual([]);
  });

  it("leaves it to closer keepers when there are two", () => {
    const { appear, look } = watch(9);
    appear();
    expect(look(200_000)).toEqual([]);
  });

  it("offers a record again to a keeper that has lost what it kept, once", () => {
    const { core, contacts, appear, look } = watch(3);
    appear();
    expect(look(200_000)).toEqual(contacts.slice(0, 3));
    core.handle({ kind: "emptied", id: contacts[1]?.id ?? ADDRESS }, 200_000);
    // Two of those that are closer have it still, and see to it.
    expect(look(300_000)).toEqual([]);
    for (const { id } of contacts.slice(0, 2)) core.handle({ kind: "emptied", id }, 300_000);
    expect(look(400_000)).toEqual(contacts.slice(0, 2));
    expect(look(500_000)).toEqual([]);
    // Nobody keeps it there.
    core.handle({ kind: "emptied", id: contacts[20]?.id ?? ADDRESS }, 500_000);
    expect(look(600_000)).toEqual([]);
  });

  it("takes note of so many that have lost what they kept, and of more in the next round", () => {
    const { core, contacts, look } = watch(3);
    for (const { id } of randomContacts(9, 300)) core.handle({ kind: "emptied", id }, 0);
    expect(core.hasRoomForEmptied).toBe(false);
    core.handle({ kind: "emptied", id: contacts[3]?.id ?? ADDRESS }, 0);
    expect(look(100_000)).toEqual([]);
    expect(core.hasRoomForEmptied).toBe(true);
  });

  it("ends with the record's life, or when the record is gone", () => {
    const { core, appear, look } = watch(3);
    core.handle({ kind: "lost", address: ADDRESS }, 0);
    appear();
    expect(look(200_000)).toEqual([]);
    expect(core.deadline()).toBe(Number.POSITIVE_INFINITY);
    core.handle({ kind: "kept", address: ADDRESS, ...TTL }, 200_000);
    expect(core.size).toBe(1);
    look(200_000 + 100_000_000);
    expect(core.size).toBe(0);
  });

  const addressOf = (i: number): Uint8Array => {
    const address = new Uint8Array(32).fill(1);
    new DataView(address.buffer).setUint32(28, i);
    return address;
  };

  it("holds no more records than its limit, and forgets the first", () => {
    const { core } = watch(3, { watchedMax: 4 });
    for (let i = 0; i < 100; i++) core.handle({ kind: "kept", address: addressOf(i), ...TTL }, 0);
    expect(core.size).toBe(4);
    core.handle({ kind: "lost", address: addressOf(98) }, 0);
    core.handle({ kind: "lost", address: addressOf(95) }, 0);
    expect(core.size).toBe(3); // 95 was gone
  });

  it("takes a record in as fast when another has to go", () => {
    const { core } = watch(3);
    const keep = (i: number): void => {
      core.handle({ kind: "kept", address: addressOf(i), ...TTL }, 0);
    };
    const usEach = (from: number, to: number, turn: (i: number) => void): number => {
      const { user } = process.cpuUsage();
      for (let i = from; i < to; i++) turn(i);
      return (process.cpuUsage().user - user) / (to - from);
    };
    const filling = usEach(0, 65_536, keep);
    const full = usEach(65_536, 100_000, keep);
    expect(core.size).toBe(65_536);
    expect(full).toBeLessThan(3 * filling);
    // There is room for one again and again, as where records expire.
    const comingAndGoing = usEach(100_000, 120_000, (i) => {
      core.handle({ kind: "lost", address: addressOf(i - 1) }, 0);
      keep(i);
      keep(i + 1_000_000);
    });
    expect(comingAndGoing).toBeLessThan(4 * filling);
  });
});
