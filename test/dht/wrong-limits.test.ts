import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { DhtNodeCore, PlacementCore, VALUE_LIMITS } from "../../src/dht/index.ts";
import { resolveValueLimits } from "../../src/dht/values/value-limits.ts";

const random = new SeededRandom(1);
const neighbourhood = {
  knowsAll: true,
  nodesEstimated: 1,
  closestKnown: () => [],
  isDemoted: () => false,
};

function nodeWith(given: { readonly limits?: object; readonly valueLimits?: object }): DhtNodeCore {
  return new DhtNodeCore({ id: new Uint8Array(32), random, unixMsAtZero: 0, ...given });
}

it.each([undefined, "256", Number.NaN, -1])(
  "a limit of %s is refused: nothing would be bounded by it",
  (value) => {
    const of = (name: string): object => ({ [name]: value });
    const made = [
      () => nodeWith({ limits: of("operationsMax") }),
      () => nodeWith({ valueLimits: of("plainBytesMax") }),
      () => new PlacementCore({ neighbourhood, random, limits: of("auditsMax") }),
    ];
    for (const make of made) expect(make).toThrow(RangeError);
  },
);

it("limits of values that are left out have their defaults", () => {
  expect(resolveValueLimits()).toBe(VALUE_LIMITS);
  expect(resolveValueLimits({ recordsMax: 7 })).toEqual({ ...VALUE_LIMITS, recordsMax: 7 });
  expect(() => nodeWith({})).not.toThrow();
});
