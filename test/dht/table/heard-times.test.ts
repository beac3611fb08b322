import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { HeardTimes } from "../../../src/dht/table/heard-times.ts";

it("does what a list of numbers does, while it grows and shrinks", () => {
  const random = new SeededRandom(1);
  const list = [1.5, 2.5, 3.5];
  const times = new HeardTimes(list);
  for (let step = 0; step < 2_000; step++) {
    const at = random.below(list.length + 1);
    const now = 1_000 * random.unit();
    const isShorter = list.length > 200 || random.unit() < 0.3;
    if (isShorter && at < list.length) {
      list.splice(at, 1);
      times.remove(at);
    } else {
      list.splice(at, 0, now);
      times.insert(at, now);
    }
    const set = random.below(list.length);
    list[set] = now;
    times.set(set, now);
    expect(list.map((_, index) => times.at(index))).toEqual(list);
  }
});
