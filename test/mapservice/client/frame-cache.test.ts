import { expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { FrameCache } from "../../../src/mapservice/client/frame-cache.ts";

const random = new SeededRandom(1);

test("finds the frames of a window again, by what the id is and not by which array", () => {
  const cache = new FrameCache<number>();
  const ids = Array.from({ length: 64 }, () => random.bytes(32));
  for (const [i, id] of ids.entries()) cache.set(id, i);
  const found = ids.filter((id, i) => cache.get(id.slice()) === i);
  expect(found.length).toBeGreaterThan(56);
});

test("never takes one frame for another, though they share a slot or an array", () => {
  const cache = new FrameCache<string>();
  const id = random.bytes(32);
  cache.set(id, "first");
  const other = id.slice();
  other[31] = (other[31] as number) ^ 1;
  expect(cache.get(other)).toBeUndefined();
  cache.set(other, "second");
  expect(cache.get(id)).toBeUndefined();
  expect(cache.get(other)).toBe("second");
  other.set(id);
  expect(cache.get(other)).toBeUndefined();
});

test("knows a frame by its own copy of the id, a Buffer too", () => {
  const cache = new FrameCache<number>();
  const id = Buffer.from(random.bytes(32));
  cache.set(id, 1);
  id[31] = (id[31] as number) ^ 1;
  expect(cache.get(id)).toBeUndefined();
});

test("forgets a frame, and not another one in its slot", () => {
  const cache = new FrameCache<number>();
  const id = random.bytes(32);
  const other = id.slice();
  other[31] = (other[31] as number) ^ 1;
  cache.set(id, 1);
  cache.delete(other);
  expect(cache.get(id)).toBe(1);
  cache.delete(id);
  expect(cache.get(id)).toBeUndefined();
  cache.delete(id);
  cache.set(id, 2);
  expect(cache.get(id)).toBe(2);
});
