import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  isCulvertError,
  type Journal,
  type JournalStore,
  SeededRandom,
} from "../../src/base/index.ts";
import { LevelJournalStore } from "../../src/io/level-journal.ts";
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

  test("a database that cannot be closed is a journal error", async () => {
    const journal = await new LevelJournalStore(folder).open("a");
    const refused = vi.spyOn(Level.prototype, "close").mockRejectedValueOnce(new Error("EIO"));
    await expect(journal.close()).rejects.toMatchObject({ code: "CULVERT_JOURNAL" });
    refused.mockRestore();
    await journal.close();
  });

  test("a bit that a disk has turned is never taken for what was kept", async () => {
    const random = new SeededRandom(1);
    const kept = { head: random.bytes(400), frame: random.bytes(100) };
    const store = new LevelJournalStore(folder);
    const journal = await store.open("a");
    const put = [{ name: "d1", bytes: kept.frame }];
    await journal.commit({ head: kept.head, put, remove: [] });
    await journal.close();
    // What was in its log is in a table once it has been opened again.
    await (await store.open("a")).close();
    const path = join(folder, "a");
    const table = (await readdir(path)).find((name) => name.endsWith(".ldb")) ?? "none";
    const whole = new Uint8Array(await readFile(join(path, table)));
    let refusals = 0;
    for (let at = 0; at < whole.length; at += 7) {
      const turned = whole.with(at, (whole[at] ?? 0) ^ (1 << random.below(8)));
      await writeFile(join(path, table), turned);
      try {
        const { head, frame } = await readBack(store);
        // Or nothing is left at all; that a frame is missing its stream finds out by itself.
        if (head !== undefined) expect(head).toEqual(kept.head);
        if (frame !== undefined) expect(frame).toEqual(kept.frame);
      } catch (error) {
        if (!isCulvertError(error)) throw error;
        expect(["CULVERT_BAD_STATE", "CULVERT_JOURNAL"]).toContain(error.code);
        refusals += 1;
      }
    }
    expect(refusals).toBeGreaterThan(whole.length / 14);
  });

  test.runIf(existsSync("/proc/self"))("say so where no folder can be made", async () => {
    const opening = new LevelJournalStore("/proc/culvert").open("stream");
    await expect(opening).rejects.toMatchObject({ code: "CULVERT_JOURNAL" });
  });
});

async function readBack(store: JournalStore) {
  const journal = await store.open("a");
  try {
    return { head: await journal.load(), frame: await journal.read("d1") };
  } finally {
    await journal.close();
  }
}

function remembering(store: JournalStore, held: Journal[]): JournalStore {
  return {
    async open(streamId) {
      const journal = await store.open(streamId);
      held.push(journal);
      return journal;
    },
  };
}
