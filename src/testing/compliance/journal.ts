import {
  assert,
  equalBytes,
  type Journal,
  type JournalChanges,
  type JournalStore,
  utf8,
} from "../../base/index.ts";
import {
  type Cases,
  expectFailure,
  type Fixture,
  type RegisterTest,
  registerCases,
} from "./suite.ts";

/** What a journal suite needs from the implementation under test. */
export interface JournalFixture extends Fixture {
  readonly store: JournalStore;
  /** The same place seen by a process that was started after the first one died. */
  restart(): Promise<JournalStore>;
}

/**
 * The contract of {@link JournalStore} and {@link Journal}, for any implementation. `test`
 * registers one case with the test runner at hand.
 *
 * @example
 * ```ts
 * journalCompliance(test, async () => {
 *   const store = new MemoryJournalStore();
 *   return { store, restart: async () => (store.crash(), store), teardown: async () => {} };
 * });
 * ```
 */
export function journalCompliance(test: RegisterTest, setup: () => Promise<JournalFixture>): void {
  registerCases(test, setup, CASES);
}

const CASES: Cases<JournalFixture> = {
  "a stream that was never seen has no state": async ({ store }) => {
    const journal = await store.open("a");
    assert((await journal.load()) === undefined, "there is no head");
    assert((await journal.read("d1")) === undefined, "there is no frame");
    assert((await journal.names()).length === 0, "there are no names");
    await journal.close();
  },

  "what was committed is there after a restart without a close": async ({ store, restart }) => {
    const journal = await store.open("a");
    await journal.commit(changes(1, { put: ["d3", "d0", "a1"] }));
    await journal.commit(changes(2, { put: ["d4"], remove: ["d3"] }));
    const again = await (await restart()).open("a");
    await expectState(again, 2, ["a1", "d0", "d4"]);
    await again.close();
  },

  "removing a frame that is not there does nothing": async ({ store }) => {
    const journal = await store.open("a");
    await journal.commit(changes(1, { put: ["d1"], remove: ["d7"] }));
    await expectState(journal, 1, ["d1"]);
    await journal.close();
  },

  "a frame that is put again is replaced": async ({ store }) => {
    const journal = await store.open("a");
    const longer = new Uint8Array(5000).fill(9);
    await journal.commit(changes(1, { put: ["d1"] }));
    await journal.commit({ head: head(2), put: [{ name: "d1", bytes: longer }], remove: [] });
    const found = await journal.read("d1");
    assert(found !== undefined && equalBytes(found, longer), "the last put holds");
    await journal.close();
  },

  "streams do not see each other": async ({ store }) => {
    const [a, b] = [await store.open("a"), await store.open("b")];
    await a.commit(changes(1, { put: ["d1"] }));
    await b.commit(changes(2, { put: ["d2"] }));
    await expectState(a, 1, ["d1"]);
    await expectState(b, 2, ["d2"]);
    await a.close();
    await b.close();
  },

  "streams are told apart by their whole names": async ({ store }) => {
    const [a, ad] = [await store.open("a"), await store.open("ad")];
    await a.commit(changes(1, { put: ["d1", "1"] }));
    await ad.commit(changes(2, { put: ["1"] }));
    await expectState(a, 1, ["1", "d1"]);
    await expectState(ad, 2, ["1"]);
    await a.close();
    await ad.close();
  },

  "of two who open a journal at once, one holds it": async ({ store }) => {
    const opened = await Promise.allSettled([store.open("a"), store.open("a")]);
    const held = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const refused = opened.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    assert(held.length === 1, "exactly one holds it");
    await expectFailure(Promise.reject(refused[0]), "CULVERT_STATE_IN_USE");
    for (const journal of held) await journal.close();
  },

  "a journal is held once": async ({ store }) => {
    const journal = await store.open("a");
    await expectFailure(store.open("a"), "CULVERT_STATE_IN_USE");
    await journal.close();
    await (await store.open("a")).close();
  },

  "a closed journal refuses, and closing twice does nothing": async ({ store }) => {
    const journal = await store.open("a");
    await journal.commit(changes(1, {}));
    await journal.close();
    await journal.close();
    await expectFailure(journal.commit(changes(2, {})), "CULVERT_JOURNAL");
    await expectFailure(journal.load(), "CULVERT_JOURNAL");
    await expectFailure(journal.read("d1"), "CULVERT_JOURNAL");
    await expectFailure(journal.names(), "CULVERT_JOURNAL");
    const again = await store.open("a");
    await expectState(again, 1, []);
    await again.close();
  },

  "the giver may change its bytes once the commit is durable": async ({ store }) => {
    const journal = await store.open("a");
    const given = changes(1, { put: ["d1"] });
    await journal.commit(given);
    given.head.fill(0xee);
    given.put[0]?.bytes.fill(0xee);
    await expectState(journal, 1, ["d1"]);
    await journal.close();
  },

  "bytes may lie within others, and be none": async ({ store }) => {
    const journal = await store.open("a");
    const [whole, name] = [new Uint8Array(500).fill(0x77), "d1"];
    whole.set(head(1), 8);
    whole.set(frame(name), 16);
    const put = [
      { name, bytes: whole.subarray(16, 16 + frame(name).length) },
      { name: "d2", bytes: whole.subarray(0, 0) },
    ];
    await journal.commit({ head: whole.subarray(8, 8 + head(1).length), put, remove: [] });
    assert((await journal.read("d2"))?.length === 0, "a frame without bytes is there");
    await journal.commit(changes(1, { remove: ["d2"] }));
    await expectState(journal, 1, [name]);
    await journal.close();
  },

  "what was read belongs to the one who read it": async ({ store }) => {
    const journal = await store.open("a");
    await journal.commit(changes(1, { put: ["d1"] }));
    (await journal.load())?.fill(0xee);
    (await journal.read("d1"))?.fill(0xee);
    await expectState(journal, 1, ["d1"]);
    await journal.close();
  },

  "a frame may be read beside a commit": async ({ store }) => {
    const journal = await store.open("a");
    await journal.commit(changes(1, { put: ["d1", "d2"] }));
    const committing = journal.commit(changes(2, { put: ["d3"], remove: ["d2"] }));
    const found = await journal.read("d1");
    assert(found !== undefined && equalBytes(found, frame("d1")), "the frame is whole");
    await committing;
    await expectState(journal, 2, ["d1", "d3"]);
    await journal.close();
  },

  "a large commit is one step": async ({ store, restart }) => {
    const journal = await store.open("a");
    const names = Array.from({ length: 2000 }, (_, index) => `d${1000 + index}`);
    await journal.commit(changes(1, { put: names }));
    await journal.commit(changes(2, { remove: names.slice(0, 1990) }));
    const again = await (await restart()).open("a");
    await expectState(again, 2, names.slice(1990));
    await again.close();
  },
};

function head(seed: number): Uint8Array {
  return Uint8Array.of(0xcc, seed);
}

function frame(name: string): Uint8Array {
  return utf8(name.repeat(50));
}

function changes(seed: number, options: { put?: string[]; remove?: string[] }): JournalChanges {
  const put = (options.put ?? []).map((name) => ({ name, bytes: frame(name) }));
  return { head: head(seed), put, remove: options.remove ?? [] };
}

async function expectState(journal: Journal, seed: number, names: string[]): Promise<void> {
  const found = await journal.load();
  assert(found !== undefined && equalBytes(found, head(seed)), "the last head is there");
  assert(found.constructor === Uint8Array, "bytes are plain byte arrays");
  const listed = (await journal.names()).sort();
  assert(listed.join() === names.join(), `frames ${names.join()} are there: ${listed.join()}`);
  for (const name of names) {
    const bytes = await journal.read(name);
    assert(bytes !== undefined && equalBytes(bytes, frame(name)), `frame ${name} is whole`);
    assert(bytes.constructor === Uint8Array, "bytes are plain byte arrays");
  }
}
