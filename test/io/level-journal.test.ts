import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LevelJournalStore } from "../../src/io/level-journal.ts";
import type { Journal, JournalStore } from "../../src/stream/protocol.ts";
import { journalCompliance } from "../../src/testing/compliance/journal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-journal-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("journals on disk", () => {
  journalCompliance(test, async () => {
    const held: Journal[] = [];
    const store = remembering(new LevelJournalStore(folder), held);
    return {
      store,
      // A process that dies lets go of its locks; real SIGKILLs are tried in e2e.
      restart: async () => {
        for (const journal of held) await journal.close();
        return new LevelJournalStore(folder);
      },
      teardown: async () => {
        for (const journal of held) await journal.close();
      },
    };
  });

  test("nobody else may look into the folder of a stream", async () => {
    const journal = await new LevelJournalStore(folder).open("abc");
    expect((await stat(join(folder, "abc"))).mode & 0o777).toBe(0o700);
    await journal.close();
  });

  test("a name that would leave the folder is a mistake of the caller", async () => {
    const store = new LevelJournalStore(folder);
    for (const name of ["", "..", "a/b", "a\\b", "a.b", "x".repeat(129)]) {
      await expect(store.open(name)).rejects.toThrow(RangeError);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("a damaged database and a folder that is a file are journal errors", async () => {
    const store = new LevelJournalStore(folder);
    const journal = await store.open("a");
    await journal.commit({ head: Uint8Array.of(1), put: [], remove: [] });
    await journal.close();
    await writeFile(join(folder, "a", "CURRENT"), "nonsense\n");
    await expect(store.open("a")).rejects.toMatchObject({ code: "CULVERT_JOURNAL" });
    await writeFile(join(folder, "b"), "");
    await expect(store.open("b")).rejects.toMatchObject({ code: "CULVERT_JOURNAL" });
  });
});

function remembering(store: JournalStore, held: Journal[]): JournalStore {
  return {
    async open(streamId) {
      const journal = await store.open(streamId);
      held.push(journal);
      return journal;
    },
  };
}
