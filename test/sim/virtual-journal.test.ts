import { expect, test } from "vitest";
import { type JournalChanges, SeededRandom, utf8 } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { VirtualJournal } from "../../src/testing/world/index.ts";

function journalOf(seed: number, commitMsMax = 100) {
  const clock = new VirtualClock();
  const journal = new VirtualJournal({ clock, random: new SeededRandom(seed), commitMsMax });
  const read = (name: string): Uint8Array | undefined => {
    let found: Uint8Array | undefined;
    journal.read(name, (bytes) => {
      found = bytes;
    });
    clock.advance(commitMsMax);
    return found;
  };
  return { clock, journal, read };
}

function changes(head: string, put: string[] = [], remove: string[] = []): JournalChanges {
  return { head: utf8(head), put: put.map((name) => ({ name, bytes: utf8(name) })), remove };
}

test("commits become durable in order, each after some time, and say so", () => {
  const { clock, journal, read } = journalOf(1);
  const done: number[] = [];
  for (const commit of [1, 2, 3]) {
    const change = changes(`${commit}`, [`d${commit}`], [`d${commit - 1}`]);
    journal.commit(change, () => done.push(commit));
  }
  expect(journal.head).toBeUndefined();
  clock.advance(300);
  expect(done).toEqual([1, 2, 3]);
  expect(journal.head).toEqual(utf8("3"));
  expect(read("d3")).toEqual(utf8("d3"));
  expect(read("d2")).toBeUndefined();
});

test("a crash keeps what is durable, drops what waits, and decides on what is at hand", () => {
  const heads = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const { clock, journal, read } = journalOf(seed);
    journal.commit(changes("durable", ["d0"]), () => {});
    clock.advance(100);
    const done: string[] = [];
    journal.commit(changes("written", ["d1"]), () => done.push("written"));
    journal.commit(changes("waiting", ["d2"]), () => done.push("waiting"));
    journal.crash();
    clock.advance(1_000);
    const head = String.fromCharCode(...(journal.head ?? []));
    heads.add(head);
    expect(done).toEqual([]);
    // All of a commit or none of it.
    expect(read("d1")).toEqual(head === "written" ? utf8("d1") : undefined);
    expect(read("d2")).toBeUndefined();
    expect(read("d0")).toEqual(utf8("d0"));
  }
  expect([...heads].sort()).toEqual(["durable", "written"]);
});

test("a read that a crash overtakes is never answered", () => {
  const { clock, journal } = journalOf(1);
  let isAnswered = false;
  journal.read("d1", () => {
    isAnswered = true;
  });
  journal.crash();
  clock.advance(1_000);
  expect(isAnswered).toBe(false);
});

test("a backup brings the old state back, whole", () => {
  const { clock, journal, read } = journalOf(1);
  expect(journal.restore()).toBe(false);
  journal.commit(changes("old", ["d0"]), () => {});
  clock.advance(100);
  journal.backUp();
  journal.commit(changes("new", ["d1"], ["d0"]), () => {});
  clock.advance(100);
  expect(journal.restore()).toBe(true);
  expect(journal.head).toEqual(utf8("old"));
  expect(read("d0")).toEqual(utf8("d0"));
  expect(read("d1")).toBeUndefined();
});
