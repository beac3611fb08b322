import { describe, expect, it } from "vitest";
import { LookupCore } from "../../../src/dht/lookup/lookup-core.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { compareDistance, type KeyText } from "../../../src/dht/wire/key.ts";
import { contactAt, keyWith, randomContacts } from "../nodes.ts";

const TARGET = keyWith();
const SELF = keyWith(0xff, 0xff);

function lookup(
  options: {
    width?: number;
    parallelism?: number;
    taken?: Set<KeyText>;
    mayHurry?: () => boolean;
    isLate?: (key: KeyText) => boolean;
  } = {},
) {
  const bounds = { width: 5, parallelism: 3, candidatesMax: 20, askedMax: 100, perNetworkMax: 2 };
  return new LookupCore({ self: SELF, target: TARGET, taken: new Set(), ...bounds, ...options });
}

function byDistance(contacts: readonly Contact[]): Contact[] {
  return contacts.toSorted((a, b) => compareDistance(TARGET, a.key, b.key));
}

function askAll(core: LookupCore): Contact[] {
  const asked: Contact[] = [];
  for (let next = core.next(); next !== undefined; next = core.next()) asked.push(next);
  return asked;
}

describe("one path of a lookup", () => {
  it("asks the closest first, alpha at once", () => {
    const seeds = byDistance(randomContacts(1, 10));
    const core = lookup();
    core.learn(seeds.toReversed());
    expect(askAll(core)).toEqual(seeds.slice(0, 3));
    core.answered(seeds[0]?.key ?? "");
    expect(askAll(core)).toEqual(seeds.slice(3, 4));
  });

  it("ends when the closest that live have answered, and never before", () => {
    const nodes = byDistance(randomContacts(2, 12));
    const core = lookup();
    core.learn(nodes.slice(6));
    const heard = new Set<Contact>();
    for (let [next] = askAll(core); next !== undefined; next = core.next()) {
      expect(core.isDone).toBe(false);
      heard.add(next);
      core.answered(next.key, nodes);
      for (const more of askAll(core)) {
        heard.add(more);
        core.answered(more.key);
      }
    }
    while (!core.isDone) for (const { key } of core.front()) core.answered(key);
    expect(nodes.slice(0, 5).every((node) => heard.has(node))).toBe(true);
    expect(core.front()).toEqual(nodes.slice(0, 5));
  });

  it("asks another one beside a late node, and takes its answer all the same", () => {
    const seeds = byDistance(randomContacts(3, 6));
    const core = lookup({ parallelism: 1 });
    core.learn(seeds);
    expect(core.next()).toBe(seeds[0]);
    expect(core.next()).toBeUndefined();
    core.slow(seeds[0]?.key ?? "");
    expect(core.next()).toBe(seeds[1]);
    const closer = contactAt(keyWith(0, 0, 1));
    core.answered(seeds[0]?.key ?? "", [closer]);
    core.answered(seeds[1]?.key ?? "");
    expect(core.next()).toBe(closer);
    expect(core.hopsOf(closer.key)).toBe(2);
  });

  it("asks two more at once for each one that is late", () => {
    const seeds = byDistance(randomContacts(7, 16));
    const core = lookup({ width: 16 });
    core.learn(seeds);
    expect(askAll(core)).toEqual(seeds.slice(0, 3));
    core.slow(seeds[0]?.key ?? "");
    core.slow(seeds[0]?.key ?? "");
    expect(askAll(core)).toEqual(seeds.slice(3, 6));
    core.answered(seeds[1]?.key ?? "");
    expect(askAll(core)).toEqual(seeds.slice(6, 7));
  });

  it("asks no more than that where there is no room for more", () => {
    const seeds = byDistance(randomContacts(7, 16));
    const core = lookup({ width: 16, mayHurry: () => false });
    core.learn(seeds);
    expect(askAll(core)).toEqual(seeds.slice(0, 3));
    core.slow(seeds[0]?.key ?? "");
    expect(askAll(core)).toEqual(seeds.slice(3, 4));
  });

  it("asks later those it has known all along, by the round trips that it tells", () => {
    const [first, second, third] = byDistance(randomContacts(8, 3));
    if (first === undefined || second === undefined || third === undefined) throw new Error("3");
    const core = lookup({ parallelism: 1 });
    core.learn([first, second]);
    expect(core.next()).toBe(first);
    core.answered(first.key, [third]);
    core.postpone();
    expect([first, second, third].map(({ key }) => core.hopsOf(key))).toEqual([1, 2, 2]);
  });

  it("asks a node that is late in general after the others", () => {
    const seeds = byDistance(randomContacts(6, 4));
    const core = lookup({ parallelism: 2, isLate: (key) => key === seeds[0]?.key });
    core.learn(seeds);
    expect(askAll(core)).toEqual(seeds.slice(1, 3));
    core.answered(seeds[1]?.key ?? "");
    core.answered(seeds[2]?.key ?? "");
    expect(askAll(core)).toEqual([seeds[3], seeds[0]]);
  });

  it("waits for a late node, not for one that is late twice", () => {
    const seeds = byDistance(randomContacts(4, 2));
    const core = lookup({ width: 2 });
    core.learn(seeds);
    askAll(core);
    const [first, second] = seeds.map(({ key }) => key);
    core.answered(second ?? "");
    core.slow(first ?? "");
    expect(core.isDone).toBe(false);
    core.silent(first ?? "");
    expect(core.isDone).toBe(true);
    expect(core.front()).toEqual([seeds[1]]);
  });

  it("does without what failed, and goes to the next closest", () => {
    const seeds = byDistance(randomContacts(5, 8));
    const core = lookup({ width: 2, parallelism: 8 });
    core.learn(seeds);
    expect(askAll(core)).toHaveLength(2);
    core.failed(seeds[0]?.key ?? "");
    expect(askAll(core)).toEqual([seeds[2]]);
  });

  it("counts two of one network, however many there are", () => {
    const crowd = Array.from({ length: 9 }, (_, i) => contactAt(keyWith(0, 0, i + 1), "64.9.9.1"));
    const honest = byDistance(randomContacts(6, 5));
    const core = lookup({ parallelism: 9 });
    core.learn([...crowd, ...honest]);
    expect(askAll(core)).toEqual([crowd[0], crowd[1], ...honest.slice(0, 3)]);
  });

  it("leaves alone whom another path has asked", () => {
    const seeds = byDistance(randomContacts(7, 6));
    const taken = new Set<KeyText>();
    const [one, two] = [lookup({ taken, parallelism: 2 }), lookup({ taken, parallelism: 2 })];
    one.learn(seeds);
    two.learn(seeds);
    expect(askAll(one)).toEqual(seeds.slice(0, 2));
    expect(askAll(two)).toEqual(seeds.slice(2, 4));
  });

  it("never asks itself, and keeps the closest when there are too many to keep", () => {
    const many = byDistance(randomContacts(8, 100));
    const core = lookup({ width: 20, parallelism: 100 });
    core.learn([contactAt(SELF), ...many]);
    expect(askAll(core)).toEqual(many.slice(0, 20));
  });
});
