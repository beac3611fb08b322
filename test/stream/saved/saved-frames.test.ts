import { describe, expect, it } from "vitest";
import {
  begunIn,
  framesToCbor,
  loadedJournal,
  type NeededFrames,
  sweep,
  waitingIn,
} from "../../../src/stream/saved/saved-frames.ts";

it("a state that nobody could load is not saved", () => {
  const frame = new Uint8Array(2 ** 16);
  const frames = (count: number): Map<string, Uint8Array> =>
    new Map(Array.from({ length: count }, (_, index) => [`d${index}`, frame]));
  expect(framesToCbor(frames(2 ** 14 - 32))).toHaveLength(2 ** 14 - 32);
  expect(() => framesToCbor(frames(2 ** 14))).toThrow(
    expect.objectContaining({
      code: "CULVERT_TOO_LARGE",
      detail: { limit: 2 ** 30, length: expect.any(Number) },
    }),
  );
});

const HEAD = Uint8Array.of(1);
const NEEDED: NeededFrames = {
  ...{ base: 3, next: 5, acks: [7], waitingBytes: 4 },
  begun: { length: 3, first: 2, next: 4 },
};
const BESIDE = new Map(
  ["d2", "d3", "d4", "d5", "a6", "a7", "b1", "b2", "b3", "b4", "waiting", "else"].map((name) => [
    name,
    Uint8Array.from({ length: { waiting: 10, b2: 1, b3: 2 }[name] ?? 5 }, (_, at) => at),
  ]),
);

const refused = expect.objectContaining({ code: "CULVERT_BAD_STATE" });

describe("what lies beside a saved state", () => {
  it("is loaded as far as the state needs it", async () => {
    const { journal } = await loadedJournal(HEAD, BESIDE, NEEDED);
    expect((await journal.names()).toSorted()).toEqual(["a7", "b2", "b3", "d3", "d4", "waiting"]);
    expect([...(await waitingIn(journal, NEEDED))]).toEqual([6, 7, 8, 9]);
    expect((await begunIn(journal, NEEDED)).map((piece) => [...piece])).toEqual([[0], [0, 1]]);
    const little = { ...NEEDED, waitingBytes: 0, begun: undefined };
    const other = await loadedJournal(HEAD, BESIDE, little);
    expect((await other.journal.names()).toSorted()).toEqual(["a7", "d3", "d4"]);
    expect(await waitingIn(other.journal, little)).toHaveLength(0);
  });

  it("is refused where bytes of it are missing, or too many", async () => {
    const { journal } = await loadedJournal(HEAD, BESIDE, NEEDED);
    await expect(waitingIn(journal, { ...NEEDED, waitingBytes: 11 })).rejects.toThrow(refused);
    for (const begun of [
      { length: 4, first: 2, next: 4 },
      { length: 2, first: 2, next: 4 },
      { length: 8, first: 1, next: 4 },
      { length: 2 ** 40, first: 3, next: 2 ** 40 },
    ]) {
      await expect(begunIn(journal, { ...NEEDED, begun })).rejects.toThrow(refused);
    }
  });

  it("is swept of what nobody needs, once", async () => {
    const all = {
      ...NEEDED,
      base: 0,
      next: 9,
      acks: [6, 7],
      begun: { length: 9, first: 0, next: 9 },
    };
    const { journal } = await loadedJournal(HEAD, BESIDE, all);
    let commits = 0;
    const commit = journal.commit.bind(journal);
    journal.commit = (changes) => {
      commits += 1;
      return commit(changes);
    };
    for (let time = 0; time < 2; time++) await sweep(journal, HEAD, NEEDED);
    expect((await journal.names()).toSorted()).toEqual(["a7", "b2", "b3", "d3", "d4", "waiting"]);
    expect([commits, await journal.load()]).toEqual([1, HEAD]);
  });
});
