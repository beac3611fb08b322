import { expect } from "vitest";
import { equalBytes } from "../src/base/bytes.ts";

/** Byte arrays are compared as bytes: property by property, 100 kB would take seconds. */
expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return undefined;
    return a.constructor === b.constructor ? equalBytes(a, b) : undefined;
  },
]);
