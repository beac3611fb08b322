import { expect, test } from "vitest";
import { systemRandom } from "../../src/io/random.ts";

test("bytes are fresh, of the length asked for, and a plain Uint8Array", () => {
  const first = systemRandom.bytes(32);
  expect(first.length).toBe(32);
  expect(first.constructor).toBe(Uint8Array);
  expect(systemRandom.bytes(32)).not.toEqual(first);
  expect(systemRandom.bytes(0).length).toBe(0);
  expect(systemRandom.bytes(100_000).length).toBe(100_000);
});

test("unit lies in [0, 1)", () => {
  for (let i = 0; i < 1_000; i++) {
    const value = systemRandom.unit();
    expect(value >= 0 && value < 1).toBe(true);
  }
});
