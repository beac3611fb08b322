import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { PlacementCore } from "../../src/dht/placement/placement-core.ts";
import type {
  NodeAnswer,
  PlacementEffect,
  PlacementOutcome,
} from "../../src/dht/placement/placement-protocol.ts";
import { sortByDistance } from "../../src/dht/table/closest.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { byteText, type KeyText, keyOf } from "../../src/dht/wire/key.ts";
import { contactAt, randomContacts } from "./nodes.ts";

const HONEST = 200;

/** Nodes that keep what they are given, and some with ids around an address that only say so. */
class City {
  readonly random: SeededRandom;
  readonly address: Uint8Array;
  readonly #honest: readonly Contact[];
  #all: Contact[];
  readonly #crowd = new Set<KeyText>();
  readonly #kept = new Set<KeyText>();
  /** Nodes that were asked for the record, in their order. */
  asked: Contact[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.address = this.random.bytes(32);
    this.#honest = randomContacts(1_000 + seed, HONEST);
    this.#all = [...this.#honest];
  }

  /** Ids that share so many bytes with the address. */
  surround(count: number, sharedBytes: number): void {
    for (let i = 0; i < count; i++) {
      const id = this.address.slice();
      id.set(this.random.bytes(32 - sharedBytes), sharedBytes);
      const contact = contactAt(byteText(id), `200.${i}.1.1`);
      this.#crowd.add(contact.key);
      this.#all.push(contact);
    }
  }

  get copies(): number {
    return this.#kept.size;
  }

  put(mood: "takes" | "refuses" = "takes"): PlacementOutcome | undefined {
    return this.#run("put", ({ key }) => {
      const isLiar = this.#crowd.has(key);
      if (isLiar && mood === "refuses") return { kind: "failed", code: "CULVERT_CONFLICT" };
      if (!isLiar) this.#kept.add(key);
      return { kind: "stored", ttlSeconds: 60 };
    });
  }

  get(): PlacementOutcome | undefined {
    this.asked = [];
    return this.#run("get", (node) => {
      this.asked.push(node);
      const isThere = this.#kept.has(node.key);
      return isThere ? { kind: "found" } : { kind: "failed", code: "CULVERT_NOT_FOUND" };
    });
  }

  #run(kind: "put" | "get", ask: (node: Contact) => NodeAnswer): PlacementOutcome | undefined {
    const { address, random } = this;
    const sorted = sortByDistance(keyOf(address), [...this.#all]);
    const core = new PlacementCore({
      neighbourhood: {
        knowsAll: true,
        nodesEstimated: this.#all.length,
        closestKnown: (_address, count, isWanted = () => true) => {
          return sorted.filter(isWanted).slice(0, count);
        },
        isDemoted: () => false,
      },
      random,
    });
    const common = { operation: 1, address } as const;
    core.handle(kind === "put" ? { kind, ...common } : { kind, ...common, waitMs: 0 }, 0);
    let outcome: PlacementOutcome | undefined;
    for (let next = core.poll(); next !== undefined; next = core.poll()) {
      outcome ??= outcomeIn(next);
      if (next.kind !== "put-at" && next.kind !== "get-from") continue;
      core.handle({ kind: "answer", request: next.request, answer: ask(next.node) }, 1);
    }
    return outcome;
  }
}

function outcomeIn(effect: PlacementEffect): PlacementOutcome | undefined {
  return effect.kind === "done" ? effect.outcome : undefined;
}

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

it.each([5, 80])("%d ids ground around an address do not have every copy", (count) => {
  for (const seed of SEEDS) {
    const city = new City(seed);
    city.surround(count, 4);
    expect(city.put(), `seed ${seed}`).toMatchObject({ kind: "stored" });
    expect(city.copies, `seed ${seed}`).toBeGreaterThanOrEqual(5);
    expect(city.get(), `seed ${seed}`).toMatchObject({ kind: "found" });
  }
});

it.each([5, 80])("%d that come after the put do not hide what others keep", (count) => {
  let found = 0;
  for (const seed of SEEDS) {
    const city = new City(seed);
    city.put();
    city.surround(count, 4);
    if (city.get()?.kind === "found") found += 1;
  }
  expect(found / SEEDS.length).toBeGreaterThan(0.9);
});

it("a crowd that says that there is another record does not end the put", () => {
  const city = new City(1);
  city.surround(80, 4);
  expect(city.put("refuses")).toMatchObject({ kind: "stored" });
  expect(city.get()).toMatchObject({ kind: "found" });
});

it("where nobody crowds, a record has five copies and a get asks one node, nearly always", () => {
  let [copies, asked] = [0, 0];
  const seeds = Array.from({ length: 200 }, (_, i) => i + 1);
  for (const seed of seeds) {
    const city = new City(seed);
    city.put();
    copies += city.copies;
    city.get();
    asked += city.asked.length;
  }
  expect(copies / seeds.length).toBeLessThan(5.5);
  expect(asked / seeds.length).toBe(1);
});
