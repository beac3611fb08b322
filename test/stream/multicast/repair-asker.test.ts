import { expect, it } from "vitest";
import { toHex } from "../../../src/base/index.ts";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import { generateCapability } from "../../../src/stream/multicast/capability-text.ts";
import { Numbering } from "../../../src/stream/multicast/numbering.ts";
import { RepairAsker } from "../../../src/stream/multicast/repair-asker.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

it("a question whose place is taken by an older copy's is asked at the next one, at once", () => {
  const { exchange, effects, random, asked } = exchangeFixture();
  const commits = new CommitQueue(effects, false, () => new Uint8Array(1));
  const numbering = new Numbering(0n, 0);
  const init = { exchange, effects, commits, random, numbering, cellBytes: 100, early: () => [] };
  const asker = new RepairAsker(init, generateCapability());
  const pump = (now: number): void => {
    asker.pump(now, { base: 3, seen: 5, since: 0 });
    commits.flush(now);
  };
  pump(0);
  const now = asker.deadline(0);
  pump(now);
  const [first] = asked("put");
  const request = exchange.fail(first?.request ?? -1);
  if (request === undefined) throw new Error("it has asked");
  asker.onTaken(request, now + 10);
  pump(now + 10);
  expect(new Set(asked("put").map(({ frameId }) => toHex(frameId))).size).toBe(2);
});
