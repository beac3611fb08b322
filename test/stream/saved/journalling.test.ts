import { MemoryJournalStore } from "culvert";
import { expect, it } from "vitest";
import { fromJournal, handOver } from "../../../src/stream/saved/journalling.ts";

it("a journal is closed when nothing comes of it, and may be opened again", async () => {
  const store = new MemoryJournalStore();
  const open = () => store.open("some");
  const broken = fromJournal(open, () => {
    throw new Error("no state");
  });
  await expect(broken).rejects.toThrow("no state");
  const journal = await open();
  const refused = handOver(journal, undefined, () => {
    throw new Error("no option");
  });
  await expect(refused).rejects.toThrow("no option");
  const aborted = handOver(await open(), AbortSignal.abort(), () => "made");
  await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
  expect(await handOver(await open(), undefined, () => "made")).toBe("made");
  await expect(open()).rejects.toMatchObject({ code: "CULVERT_STATE_IN_USE" });
});
