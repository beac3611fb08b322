import { expect, it } from "vitest";
import { StateWaits } from "../../../src/stream/saved/state-waits.ts";

it("a wait that is aborted is not begun, though what it waits for is true", async () => {
  const waits = new StateWaits();
  await waits.until(() => true);
  const aborted = waits.until(() => true, AbortSignal.abort());
  await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
});

it("what has come true when all ends is no failure, and all else is", async () => {
  const waits = new StateWaits();
  let isTrue = false;
  const waiting = Promise.allSettled([waits.until(() => isTrue), waits.until(() => false)]);
  await Promise.resolve();
  isTrue = true;
  waits.fail(new Error("over"));
  expect((await waiting).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
});
