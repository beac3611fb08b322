import { expect } from "vitest";
import { isCulvertError } from "../src/base/index.ts";

/** What a program without types may give where something else is wanted. */
export const ODD: readonly unknown[] = [undefined, null, 0, "x", {}, [], Symbol("s"), 1n, true];

/** What would be read as 32 bytes, most of it as zeros. */
export const LIKE_BYTES: readonly unknown[] = [
  "x".repeat(32),
  new Float64Array(32),
  Array(32).fill(1),
];

/** A value as if it were of the type that is wanted. */
export const given = <T>(value: unknown): T => value as T;

/** Odd values but for those that may be given. */
export function oddBut(...values: readonly unknown[]): readonly unknown[] {
  return ODD.filter((value) => !values.includes(value));
}

/** Not in words of the engine, nor as if something of ours were broken. */
const OPAQUE = /Cannot |not a function|not iterable|reading '|invariant|unhandled kind/;

/** Told as a mistake of whoever called. */
export function expectClear(error: unknown): void {
  const isNamed = error instanceof TypeError || error instanceof RangeError;
  expect(isNamed || isCulvertError(error, "CULVERT_USAGE"), String(error)).toBe(true);
  expect(String(error)).not.toMatch(OPAQUE);
}

/** The call throws, in words that are clear. */
export function expectRefused(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    expectClear(error);
    return;
  }
  throw new Error(`taken: ${call}`);
}

/** Each value is refused at once, by a throw or a rejection, in words that say so. */
export async function expectAllRefused(
  values: readonly unknown[],
  says: string,
  call: (value: never) => unknown,
): Promise<void> {
  for (const value of values) {
    const outcome: unknown = await (async () => await call(given<never>(value)))().then(
      () => "nothing was refused",
      (error: unknown) => error,
    );
    expect(String(outcome), String(value)).toContain(says);
    expectClear(outcome);
  }
}
