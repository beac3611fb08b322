import { describe, expect, it } from "vitest";
import { Ledger } from "../../src/stream/ledger.ts";
import type { StreamEffect } from "../../src/stream/protocol.ts";

const bytes = Uint8Array.of(1);

function ledgerOf(durable: boolean) {
  const effects: StreamEffect[] = [];
  const head = { version: 0 };
  const ledger = new Ledger(effects, durable, () => Uint8Array.of(head.version));
  const told: string[] = [];
  const tell = (name: string) => (now: number) => told.push(`${name} at ${now}`);
  /** What the commits so far were: number, head, names put, names removed. */
  const commits = () =>
    effects.map((effect) => {
      if (effect.kind !== "journal") throw new TypeError("only commits were expected");
      const { head: saved, put, remove } = effect.changes;
      return [effect.commit, saved[0], put.map(({ name }) => name), remove];
    });
  return { ledger, head, told, tell, commits };
}

describe("a ledger with a journal", () => {
  it("lets nothing go on before its frame is durable", () => {
    const { ledger, head, told, tell, commits } = ledgerOf(true);
    ledger.stage("d0", bytes, tell("d0"));
    ledger.stage("a0", bytes, tell("a0"));
    head.version = 7;
    expect([commits(), told]).toEqual([[], []]);
    ledger.flush(1);
    expect(commits()).toEqual([[1, 7, ["d0", "a0"], []]]);
    expect(told).toEqual([]);
    ledger.journaled(1, 5);
    expect(told).toEqual(["d0 at 5", "a0 at 5"]);
  });

  it("has one commit under way, and gathers the rest for the next", () => {
    const { ledger, head, told, tell, commits } = ledgerOf(true);
    ledger.stage("d0", bytes, tell("d0"));
    ledger.flush(1);
    ledger.stage("d1", bytes, tell("d1"));
    ledger.afterHead(tell("head"));
    ledger.remove("d0");
    ledger.flush(2);
    expect(commits()).toHaveLength(1);
    ledger.journaled(1, 3);
    expect(told).toEqual(["d0 at 3"]);
    head.version = 2;
    ledger.flush(3);
    expect(commits()[1]).toEqual([2, 2, ["d1"], ["d0"]]);
    ledger.journaled(2, 4);
    expect(told).toEqual(["d0 at 3", "d1 at 4", "head at 4"]);
    ledger.flush(5);
    expect(commits()).toHaveLength(2);
  });

  it("is finished when the last head is durable, whatever commit is under way", () => {
    const { ledger, head, told, tell, commits } = ledgerOf(true);
    ledger.stage("d0", bytes, tell("d0"));
    ledger.flush(1);
    ledger.stage("d1", bytes, tell("d1"));
    head.version = 9;
    ledger.finish(2, tell("end"));
    expect([commits().length, told]).toEqual([1, []]);
    ledger.journaledLate(1, 3);
    expect(commits()[1]).toEqual([2, 9, ["d1"], []]);
    expect(told).toEqual([]);
    ledger.journaledLate(2, 4);
    expect(told).toEqual(["end at 4"]);
    ledger.journaledLate(7, 5);
    expect([commits().length, told]).toEqual([2, ["end at 4"]]);
  });

  it("writes a touched head on its own, and removals when there are many", () => {
    const { ledger, commits } = ledgerOf(true);
    ledger.flush(0);
    for (let i = 0; i < 63; i++) ledger.remove(`d${i}`);
    ledger.flush(0);
    expect(commits()).toEqual([]);
    ledger.remove("d63");
    ledger.flush(0);
    expect(commits()[0]?.[3]).toHaveLength(64);
    ledger.journaled(1, 0);
    ledger.touch();
    ledger.flush(0);
    expect(commits()[1]).toEqual([2, 0, [], []]);
    ledger.journaled(2, 0);
    ledger.flush(0);
    expect(commits()).toHaveLength(2);
  });

  it("takes an answer to another commit for a mistake of its owner", () => {
    const { ledger, tell } = ledgerOf(true);
    ledger.stage("d0", bytes, tell("d0"));
    ledger.flush(0);
    expect(() => ledger.journaled(2, 0)).toThrow(/in order/);
  });
});

describe("a ledger without a journal", () => {
  it("writes nothing, and what waits goes on at the next flush", () => {
    const { ledger, told, tell, commits } = ledgerOf(false);
    ledger.stage("d0", bytes, tell("d0"));
    ledger.afterHead(tell("head"));
    ledger.remove("d0");
    ledger.touch();
    expect(told).toEqual([]);
    ledger.flush(4);
    ledger.flush(5);
    expect([told, commits()]).toEqual([["d0 at 4", "head at 4"], []]);
  });
});
