import { expect, test } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import { showsConflict } from "../../../src/mapservice/client/shown-conflict.ts";
import { type MapRecord, verifyRecord } from "../../../src/mapservice/index.ts";
import { recordOf, tombstoneOf } from "../fixtures.ts";

/** Whether a Map that has this at an address shows that `put` was in vain. */
function shows(shown: MapRecord, put: MapRecord): Promise<boolean> {
  return showsConflict({ get: async () => shown }, put, { isGenuine: verifyRecord });
}

test("a conflict is what its address has signed, is another record, and is not older", async () => {
  const [cell, other, end] = [recordOf(1), recordOf(1, { content: 1 }), tombstoneOf(1)];
  expect(await shows(other, cell)).toBe(true);
  expect(await shows(end, cell)).toBe(true);
  expect(await shows(cell, cell)).toBe(false);
  // A Map that has not heard of the end yet.
  expect(await shows(cell, end)).toBe(false);
  const forged = { ...other, signature: cell.signature };
  expect(await shows(forged, cell)).toBe(false);
});

test("a Map that has nothing there shows none, and one that does not answer says so", async () => {
  const asked = (code: "CULVERT_NOT_FOUND" | "CULVERT_BUSY"): Promise<boolean> =>
    showsConflict({ get: () => Promise.reject(new CulvertError(code)) }, recordOf(1), {
      isGenuine: verifyRecord,
    });
  expect(await asked("CULVERT_NOT_FOUND")).toBe(false);
  await expect(asked("CULVERT_BUSY")).rejects.toMatchObject({ code: "CULVERT_BUSY" });
});
