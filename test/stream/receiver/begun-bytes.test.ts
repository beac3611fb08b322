import { describe, expect, it } from "vitest";
import { BegunBytes } from "../../../src/stream/receiver/begun-bytes.ts";
import { begunIn, loadedJournal } from "../../../src/stream/saved/saved-frames.ts";
import type { BegunState } from "../../../src/stream/state.ts";

/** What a journal would hold of begun bytes. */
function journalled(state?: BegunState, pieces?: readonly Uint8Array[]) {
  const names: string[] = [];
  const commits = {
    keep: (name: string) => names.push(name),
    remove: (name: string) => names.splice(names.indexOf(name), 1),
  };
  return { names, begun: new BegunBytes(commits, state, pieces) };
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("begun bytes", () => {
  it("are nothing while all that is taken is used", () => {
    const { names, begun } = journalled();
    begun.take(10, undefined);
    begun.take(5, { length: 0, bytes: bytes() });
    expect([begun.save(), names]).toEqual([undefined, []]);
  });

  it("are kept in the pieces that they came in, until all of them are used", () => {
    const { names, begun } = journalled();
    begun.take(10, { length: 2, bytes: bytes(1, 2) });
    begun.take(3, { length: 5, bytes: bytes(3, 4, 5) });
    expect([begun.save(), names]).toEqual([{ length: 5, first: 0, next: 2 }, ["b0", "b1"]]);
    expect([...begun.byName()]).toEqual([
      ["b0", bytes(1, 2)],
      ["b1", bytes(3, 4, 5)],
    ]);
    begun.take(1, undefined);
    expect([begun.save(), names, begun.byName().size]).toEqual([undefined, [], 0]);
  });

  it("give way to those that begin behind them", () => {
    const { names, begun } = journalled();
    begun.take(10, { length: 2, bytes: bytes(1, 2) });
    begun.take(4, { length: 4, bytes: bytes(3, 4, 5, 6) });
    expect([begun.save(), names]).toEqual([{ length: 4, first: 1, next: 2 }, ["b1"]]);
  });

  it("are not kept twice when another session reads them again, and goes on", () => {
    const { names, begun } = journalled({ length: 3, first: 7, next: 9 }, [bytes(1), bytes(2, 3)]);
    begun.take(-1, { length: 2, bytes: bytes(1, 2) });
    begun.take(2, { length: 5, bytes: bytes(3, 4, 5) });
    expect([begun.save(), names]).toEqual([{ length: 5, first: 7, next: 10 }, ["b9"]]);
    expect(begun.byName().get("b9")).toEqual(bytes(4, 5));
  });

  it("stay while another session has used a part of them only", () => {
    const { begun } = journalled({ length: 3, first: 7, next: 8 }, [bytes(1, 2, 3)]);
    begun.take(-1, undefined);
    expect(begun.save()).toEqual({ length: 3, first: 7, next: 8 });
    begun.take(0, undefined);
    expect(begun.save()).toEqual(undefined);
  });
});

it("that a state only claims, however many, are missed at the first one", async () => {
  const claimed = { length: 2 ** 40, first: 0, next: 2 ** 40 };
  const needed = { base: 0, next: 0, acks: [], waitingBytes: 0, begun: claimed };
  const frames = new Map([
    ["b0", bytes(1)],
    ["b2", bytes(2)],
    ["b02", bytes(3)],
    ["d0", bytes(4)],
  ]);
  const { journal } = await loadedJournal(new Uint8Array(1), frames, needed);
  expect(await journal.names()).toEqual(["b0", "b2"]);
  await expect(begunIn(journal, needed)).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
});
