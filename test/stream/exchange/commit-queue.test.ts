import { describe, expect, it } from "vitest";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import type { StreamEffect } from "../../../src/stream/exchange/protocol.ts";

const bytes = Uint8Array.of(1);

function queueOf(durable: boolean) {
  const effects: StreamEffect[] = [];
  const head = { version: 0 };
  const queue = new CommitQueue(effects, durable, () => Uint8Array.of(head.version));
  const told: string[] = [];
  const tell = (name: string) => (now: number) => told.push(`${name} at ${now}`);
  /** What the commits so far were: number, head, names put, names removed. */
  const commits = () =>
    effects.map((effect) => {
      if (effect.kind !== "journal") throw new TypeError("only commits were expected");
      const { head: saved, put, remove } = effect.changes;
      return [effect.commit, saved[0], put.map(({ name }) => name), remove];
    });
  return { queue, head, told, tell, commits };
}

describe("a queue with a journal", () => {
  it("lets nothing go on before its frame is durable", () => {
    const { queue, head, told, tell, commits } = queueOf(true);
    queue.stage("d0", bytes, tell("d0"));
    queue.stage("a0", bytes, tell("a0"));
    head.version = 7;
    expect([commits(), told]).toEqual([[], []]);
    queue.flush(1);
    expect(commits()).toEqual([[1, 7, ["d0", "a0"], []]]);
    expect(told).toEqual([]);
    queue.journaled(1, 5);
    expect(told).toEqual(["d0 at 5", "a0 at 5"]);
  });

  it("has one commit under way, and gathers the rest for the next", () => {
    const { queue, head, told, tell, commits } = queueOf(true);
    queue.stage("d0", bytes, tell("d0"));
    queue.flush(1);
    queue.stage("d1", bytes, tell("d1"));
    queue.remove("d0");
    queue.flush(2);
    expect(commits()).toHaveLength(1);
    queue.journaled(1, 3);
    expect(told).toEqual(["d0 at 3"]);
    head.version = 2;
    queue.flush(3);
    expect(commits()[1]).toEqual([2, 2, ["d1"], ["d0"]]);
    queue.journaled(2, 4);
    expect(told).toEqual(["d0 at 3", "d1 at 4"]);
    queue.flush(5);
    expect(commits()).toHaveLength(2);
  });

  it("is finished when the last head is durable, whatever commit is under way", () => {
    const { queue, head, told, tell, commits } = queueOf(true);
    queue.stage("d0", bytes, tell("d0"));
    queue.flush(1);
    queue.stage("d1", bytes, tell("d1"));
    head.version = 9;
    queue.finish(2, tell("end"));
    expect([commits().length, told]).toEqual([1, []]);
    queue.journaledLate(1, 3);
    expect(commits()[1]).toEqual([2, 9, ["d1"], []]);
    expect(told).toEqual([]);
    queue.journaledLate(2, 4);
    expect(told).toEqual(["end at 4"]);
    queue.journaledLate(7, 5);
    expect([commits().length, told]).toEqual([2, ["end at 4"]]);
  });

  it("writes a touched head on its own, and removals when there are many", () => {
    const { queue, commits } = queueOf(true);
    queue.flush(0);
    for (let i = 0; i < 63; i++) queue.remove(`d${i}`);
    queue.flush(0);
    expect(commits()).toEqual([]);
    queue.remove("d63");
    queue.flush(0);
    expect(commits()[0]?.[3]).toHaveLength(64);
    queue.journaled(1, 0);
    queue.touch();
    queue.flush(0);
    expect(commits()[1]).toEqual([2, 0, [], []]);
    queue.journaled(2, 0);
    queue.flush(0);
    expect(commits()).toHaveLength(2);
  });

  it("takes an answer to another commit for a mistake of its owner", () => {
    const { queue, tell } = queueOf(true);
    queue.stage("d0", bytes, tell("d0"));
    queue.flush(0);
    expect(() => queue.journaled(2, 0)).toThrow(/in order/);
  });
});

describe("a queue without a journal", () => {
  it("writes nothing, and what waits goes on at the next flush", () => {
    const { queue, told, tell, commits } = queueOf(false);
    queue.stage("d0", bytes, tell("d0"));
    queue.remove("d0");
    queue.touch();
    expect(told).toEqual([]);
    queue.flush(4);
    queue.flush(5);
    expect([told, commits()]).toEqual([["d0 at 4"], []]);
  });
});
