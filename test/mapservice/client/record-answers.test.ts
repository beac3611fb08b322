import { VirtualClock } from "culvert/testing";
import { expect, it } from "vitest";
import { RecordAnswers } from "../../../src/mapservice/client/record-answers.ts";
import type { MapAnswer } from "../../../src/mapservice/service/protocol.ts";

const ANSWER: MapAnswer = { kind: "not-found" };

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whoever gets an answer takes 0.4 ms for it, some reactions later. */
function rig() {
  const clock = new VirtualClock();
  const done: number[] = [];
  const handed: number[] = [];
  const answers = new RecordAnswers(clock, async (request) => {
    handed.push(request);
    for (let i = 0; i < 10; i++) await undefined;
    clock.advance(0.4);
    done.push(request);
    expect(handed).toEqual(done);
  });
  return { answers, done };
}

it("hands answers on one after the other, for a millisecond of every turn", async () => {
  const { answers, done } = rig();
  for (let request = 0; request < 7; request++) answers.push(request, ANSWER);
  const counts: number[] = [];
  while (done.length < 7) {
    await nextTurn();
    counts.push(done.length);
  }
  // Three when they came and one at the end of that turn, three at the end of the next.
  expect(counts).toEqual([4, 7]);
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

it("keeps one answer a request, and none that is not wanted any more", async () => {
  const { answers, done } = rig();
  answers.push(0, ANSWER); // is on its way
  for (const request of [1, 2, 3, 4, 1, 2, 3, 4]) answers.push(request, ANSWER);
  answers.forget(3);
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  expect(done).toEqual([0, 1, 2, 4]);
});
