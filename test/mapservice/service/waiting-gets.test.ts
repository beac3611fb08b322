import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { type WaitingGet, WaitingGets } from "../../../src/mapservice/service/waiting-gets.ts";

/** All of them in one list, in the order in which they came. */
class Model {
  gets: WaitingGet[] = [];

  of(asker: number): WaitingGet[] {
    return this.gets.filter((get) => get.asker === asker);
  }

  at(key: string): WaitingGet[] {
    return this.gets.filter((get) => get.key === key);
  }

  remove(gone: readonly WaitingGet[]): void {
    this.gets = this.gets.filter((get) => !gone.includes(get));
  }
}

it.each([1, 2, 3])("finds what a list finds (seed %d)", (seed) => {
  const random = new SeededRandom(seed);
  const waiting = new WaitingGets();
  const model = new Model();
  for (let now = 0; now < 4_000; now += random.below(4)) {
    const [asker, request] = [random.below(4), random.below(30)];
    const key = `address ${random.below(12)}`;
    const found = model.of(asker).find((get) => get.request === request);
    expect(waiting.find(asker, request)).toBe(found);
    switch (random.below(8)) {
      case 0:
        if (found !== undefined) waiting.remove(found);
        model.remove(found === undefined ? [] : [found]);
        break;
      case 1:
        for (const get of waiting.at(key)) waiting.remove(get);
        model.remove(model.at(key));
        break;
      case 2:
        if (random.below(20) > 0) break;
        waiting.removeAsker(asker);
        model.remove(model.of(asker));
        break;
      default: {
        const waits = random.below(3) > 0;
        const deadline = waits ? now + random.below(200) : Number.POSITIVE_INFINITY;
        const get = { asker, source: `source ${asker % 2}`, request, key, waits, deadline };
        expect(waiting.add(get)).toBe(found === undefined);
        if (found === undefined) model.gets.push(get);
      }
    }
    const due = waiting.takeDue(now);
    // A slot is ten milliseconds long, and is over when its last get is due.
    for (const get of due) expect(get.deadline).toBeLessThanOrEqual(now);
    model.remove(due);
    for (const get of model.gets) expect(get.deadline).toBeGreaterThan(now - 10);
    expect(waiting.deadline()).toBeGreaterThan(now);
    expect(waiting.at(key)).toEqual(model.at(key));
    expect(waiting.sizeAt(key)).toBe(model.at(key).length);
    expect(waiting.sizeOf(asker)).toBe(model.of(asker).length);
    const source = `source ${asker % 2}`;
    const ofSource = model.gets.filter((get) => get.source === source).length;
    expect(waiting.sizeOfSource(source)).toBe(ofSource);
    expect(waiting.size).toBe(model.gets.length);
  }
});

it("leaves a get alone that has the number of one that is gone", () => {
  const waiting = new WaitingGets();
  const get = { asker: 1, source: "s", request: 1, key: "k", waits: true, deadline: 50 };
  const other = { ...get, key: "other" };
  waiting.add(get);
  waiting.remove(get);
  waiting.add(other);
  waiting.remove(get);
  expect(waiting.find(1, 1)).toBe(other);
  expect(waiting.takeDue(50)).toEqual([other]);
});
