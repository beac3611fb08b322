import { expect, it } from "vitest";
import { equalBytes, SeededRandom } from "../../../src/base/index.ts";
import { AddressHash } from "../../../src/mapservice/record/address-hash.ts";
import { type WaitingGet, WaitingGets } from "../../../src/mapservice/service/waiting-gets.ts";

const hash = new AddressHash(new SeededRandom(7).bytes(165));

function addressOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(number);
}

/** All of them in one list, in the order in which they came. */
class Model {
  gets: WaitingGet[] = [];

  of(asker: number): WaitingGet[] {
    return this.gets.filter((get) => get.asker === asker);
  }

  at(address: Uint8Array): WaitingGet[] {
    return this.gets.filter((get) => equalBytes(get.address, address));
  }

  remove(gone: readonly WaitingGet[]): void {
    this.gets = this.gets.filter((get) => !gone.includes(get));
  }
}

it.each([1, 2, 3])("finds what a list finds (seed %d)", (seed) => {
  const random = new SeededRandom(seed);
  const waiting = new WaitingGets(hash);
  const model = new Model();
  for (let now = 0; now < 4_000; now += random.below(4)) {
    const [asker, request] = [random.below(4), random.below(30)];
    const address = addressOf(random.below(12));
    const found = model.of(asker).find((get) => get.request === request);
    expect(waiting.find(asker, request)).toBe(found);
    switch (random.below(8)) {
      case 0:
        if (found !== undefined) waiting.remove(found);
        model.remove(found === undefined ? [] : [found]);
        break;
      case 1:
        for (const get of waiting.at(address)) waiting.remove(get);
        model.remove(model.at(address));
        break;
      case 2:
        if (random.below(20) > 0) break;
        waiting.removeAsker(asker);
        model.remove(model.of(asker));
        break;
      default: {
        const waits = random.below(3) > 0;
        const deadline = waits ? now + random.below(200) : Number.POSITIVE_INFINITY;
        const get = { asker, source: `source ${asker % 2}`, request, address, waits, deadline };
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
    expect(waiting.at(address)).toEqual(model.at(address));
    expect(waiting.sizeAt(address)).toBe(model.at(address).length);
    expect(waiting.sizeOf(asker)).toBe(model.of(asker).length);
    const source = `source ${asker % 2}`;
    const ofSource = model.gets.filter((get) => get.source === source).length;
    expect(waiting.sizeOfSource(source)).toBe(ofSource);
    expect(waiting.size).toBe(model.gets.length);
  }
});

it("leaves a get alone that has the number of one that is gone", () => {
  const waiting = new WaitingGets(hash);
  const get = {
    asker: 1,
    source: "s",
    request: 1,
    address: addressOf(1),
    waits: true,
    deadline: 50,
  };
  const other = { ...get, address: addressOf(2) };
  waiting.add(get);
  waiting.remove(get);
  waiting.add(other);
  waiting.remove(get);
  expect(waiting.find(1, 1)).toBe(other);
  expect(waiting.takeDue(50)).toEqual([other]);
});
