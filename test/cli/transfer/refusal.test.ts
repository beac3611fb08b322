import { expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { refusalCodeOf, refusedBy } from "../../../src/cli/transfer/refusal.ts";
import { RefusedNames } from "../../../src/cli/transfer/staging.ts";

test.each([
  [new RefusedNames("..: leads out"), 1, "will not write files of these names"],
  [new CulvertError("CULVERT_INTEGRITY"), 2, "is not what was sent"],
  [new CulvertError("CULVERT_PROTOCOL"), 3, "does not know this kind of transfer"],
])("what a receiver refuses for %s is told to its sender", (error, code, words) => {
  expect(refusalCodeOf(error)).toBe(code);
  const heard = new CulvertError("CULVERT_PEER_ABORTED", undefined, { detail: { code } });
  const told = refusedBy(heard);
  expect([told.code, told.cause]).toEqual(["CULVERT_PEER_ABORTED", heard]);
  expect(told.message).toContain(words);
  expect(told.hint).not.toBe("");
});

test("what a receiver does not want is told, too", () => {
  const heard = new CulvertError("CULVERT_PEER_ABORTED", undefined, { detail: { code: 4 } });
  expect(refusedBy(heard).message).toBe("the other side does not want this");
});

test("what may go better another time is not refused", () => {
  for (const code of ["CULVERT_FILE", "CULVERT_FULL", "CULVERT_HALTED"] as const) {
    expect(refusalCodeOf(new CulvertError(code))).toBe(undefined);
  }
});

test.each([{ code: 0 }, { code: 5 }, { code: 65_535 }, { code: -1 }, { code: "toString" }, {}])(
  "a sender that hears %j says what it knows",
  (detail) => {
    const told = refusedBy(new CulvertError("CULVERT_PEER_ABORTED", undefined, { detail }));
    expect(told.message).toBe("the other side refused this, or gave it up");
    expect(told.hint).toContain("with a new ticket");
  },
);
