import { describe, expect, it } from "vitest";
import { NumberMap, SeededRandom } from "../../src/base/index.ts";
import { collectGarbage } from "../collect-garbage.ts";

/** Keys that fall into few slots, that follow each other, or that are larger than 32 bits. */
const KEYS: readonly { readonly name: string; readonly key: (i: number) => number }[] = [
  { name: "that follow each other", key: (i) => i },
  { name: "that fall into one slot", key: (i) => i * 2 ** 20 },
  { name: "of more than 32 bits", key: (i) => 2 ** 40 + i * 2 ** 31 },
];

describe("a map from numbers", () => {
  it.each(KEYS)("does what the engine's does, with keys $name", ({ key }) => {
    const random = new SeededRandom(1);
    const map = new NumberMap<{ readonly step: number }>();
    const model = new Map<number, { readonly step: number }>();
    for (let step = 0; step < 4_000; step++) {
      // It grows for a while, then shrinks, again and again.
      const isGrowing = step % 1_000 < 500;
      const which = key(random.below(200));
      if (random.below(10) < (isGrowing ? 7 : 3)) {
        map.set(which, { step });
        model.set(which, { step });
      } else {
        expect(map.delete(which)).toBe(model.delete(which));
      }
      expect(map.size).toBe(model.size);
      const other = key(random.below(200));
      expect(map.get(other)).toEqual(model.get(other));
      expect(map.has(other)).toBe(model.has(other));
    }
    const keys = [...model.keys()].sort((a, b) => a - b);
    expect(map.keys()).toEqual(keys);
    expect(map.values()).toEqual(keys.map((each) => model.get(each)));
    map.clear();
    expect([map.size, map.keys(), map.values()]).toEqual([0, [], []]);
    expect(map.get(key(1))).toBeUndefined();
  });

  it("is found to be what was there when it is changed while somebody goes through it", () => {
    const map = new NumberMap<string>();
    for (let key = 0; key < 8; key++) map.set(key, String(key));
    const seen: string[] = [];
    for (const key of map.keys()) {
      seen.push(map.get(key) ?? "gone");
      if (key % 2 === 0) map.delete(key + 1);
      map.set(100 + key, "later");
    }
    expect(seen).toEqual(["0", "gone", "2", "gone", "4", "gone", "6", "gone"]);
  });

  it("lets go of what it had", async () => {
    const map = new NumberMap<object>();
    const refs: WeakRef<object>[] = [];
    for (let key = 0; key < 1_000; key++) {
      const value = { key };
      refs.push(new WeakRef(value));
      map.set(key, value);
      map.delete(key - 10);
    }
    await collectGarbage();
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBe(10);
    expect(map.size).toBe(10);
  });

  it("has no negative key", () => {
    const map = new NumberMap<number>();
    map.set(0, 1);
    expect([map.get(-1), map.has(-1), map.delete(-1), map.size]).toEqual([
      undefined,
      false,
      false,
      1,
    ]);
    expect(() => map.set(-1, 1)).toThrow("a key is not negative");
  });
});
