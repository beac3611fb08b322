import { expect, test } from "vitest";
import { type CheckedPut, putsInStep } from "../../../src/mapservice/service/commit-step.ts";
import { recordOf } from "../fixtures.ts";

function putsOf(count: number, payloadSize: number): CheckedPut[] {
  const [record, key] = [recordOf(1, { payloadSize }), "address"];
  const put = { record, key, expiresMs: 1, payloadHash: undefined, charge: undefined };
  return Array.from({ length: count }, (_, request) => ({ ...put, asker: 1, request }));
}

test("a step has so many puts at the most, and fewer long ones", () => {
  expect(putsInStep(putsOf(1_000, 48))).toBe(256);
  // Up to that with which a mebibyte is reached.
  expect(putsInStep(putsOf(1_000, 60_000))).toBe(18);
});
