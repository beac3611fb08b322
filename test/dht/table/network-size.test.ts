import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { sortByDistance } from "../../../src/dht/table/closest.ts";
import { NetworkSize } from "../../../src/dht/table/network-size.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { byteText, type KeyText } from "../../../src/dht/wire/key.ts";
import { contactAt, randomContacts } from "../nodes.ts";

const NODES = 1_000;
const contacts = randomContacts(1, NODES);
const random = new SeededRandom(2);

/** The twenty that are closest to a key from anywhere. */
function observeAnywhere(size: NetworkSize): void {
  const target = byteText(random.bytes(32));
  size.observe(target, sortByDistance(target, [...contacts]).slice(0, 20));
}

/** Twenty with ids that were ground around a key. */
function crowdAround(target: Uint8Array): Contact[] {
  return Array.from({ length: 20 }, () => {
    const id = target.slice();
    id.set(random.bytes(28), 4);
    return contactAt(id);
  });
}

it("tells how many nodes there are, give or take a third", () => {
  const size = new NetworkSize();
  for (let i = 0; i < 32; i++) observeAnywhere(size);
  expect(size.nodes(1)).toBeGreaterThan((2 / 3) * NODES);
  expect(size.nodes(1)).toBeLessThan((4 / 3) * NODES);
});

it.each([1, 40])("is not misled by a crowd that is seen beside another key, %d times", (times) => {
  const size = new NetworkSize();
  observeAnywhere(size);
  const target = random.bytes(32);
  const key: KeyText = byteText(target);
  for (let i = 0; i < times; i++) size.observe(key, sortByDistance(key, crowdAround(target)));
  expect(size.nodes(1)).toBeLessThan(2 * NODES);
});
