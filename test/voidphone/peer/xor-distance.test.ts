import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { sortedByDistance, xorDistance } from "../../../src/voidphone/peer/xor-distance.ts";

const random = new SeededRandom(1);
const ids = Array.from({ length: 40 }, () => ({ id: random.bytes(32) }));
const target = random.bytes(32);

describe("the XOR distance", () => {
  it("orders as the numbers do", () => {
    const numberOf = (bytes: Uint8Array): bigint =>
      BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
    const distance = ({ id }: { id: Uint8Array }): bigint => numberOf(id) ^ numberOf(target);
    const expected = ids.toSorted((a, b) => (distance(a) < distance(b) ? -1 : 1));
    expect(sortedByDistance(ids, target)).toEqual(expected);
  });

  it("is nothing to itself, and the same both ways", () => {
    expect(xorDistance(target, target)).toBe("0".repeat(64));
    const [{ id } = { id: target }] = ids;
    expect(xorDistance(id, target)).toBe(xorDistance(target, id));
  });
});
