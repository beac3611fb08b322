import { describe, expect, it } from "vitest";
import { LruMap, SeededRandom } from "../../src/base/index.ts";
import { collectGarbage } from "../collect-garbage.ts";

/** The same, by a list that is walked through. */
class Model {
  readonly entries: [number, number][] = [];

  use(key: number): number | undefined {
    const at = this.entries.findIndex(([known]) => known === key);
    const entry = at === -1 ? undefined : this.entries.splice(at, 1)[0];
    if (entry !== undefined) this.entries.push(entry);
    return entry?.[1];
  }

  set(key: number, value: number, capacity: number): void {
    this.delete(key);
    this.entries.push([key, value]);
    if (this.entries.length > capacity) this.entries.shift();
  }

  delete(key: number): void {
    const at = this.entries.findIndex(([known]) => known === key);
    if (at !== -1) this.entries.splice(at, 1);
  }
}

describe("a map that forgets what was not used for longest", () => {
  it.each([1, 2, 7, 1e9])("does what a list does, with room for %d", (capacity) => {
    const random = new SeededRandom(capacity);
    const map = new LruMap<number, number>(capacity);
    const model = new Model();
    for (let step = 0; step < 1_000; step++) {
      const key = random.below(12);
      switch (random.below(5)) {
        case 0:
          expect(map.get(key)).toBe(model.use(key));
          break;
        case 1:
          map.delete(key);
          model.delete(key);
          break;
        case 2:
          expect(map.peek(key)).toBe(model.entries.find(([known]) => known === key)?.[1]);
          break;
        default:
          map.set(key, step);
          model.set(key, step, capacity);
      }
      expect(map.size).toBe(model.entries.length);
      expect([...map.values()]).toEqual(model.entries.map(([, value]) => value));
      expect(map.oldest).toEqual(model.entries[0]);
    }
  });

  it("holds no more after many uses than before", async () => {
    const map = new LruMap<number, number>(100);
    for (let key = 0; key < 8; key++) map.set(key, key);
    const use = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) map.get(i % 8);
      await collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await use(1_000);
    expect((await use(300_000)) - before).toBeLessThan(1e6);
  });
});
