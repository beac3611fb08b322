import { expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { PlacementCore } from "../../src/dht/placement/placement-core.ts";
import type {
  Neighbourhood,
  NodeAnswer,
  PlacementEffect,
  PlacementOutcome,
} from "../../src/dht/placement/placement-protocol.ts";
import { RecordWatchCore } from "../../src/dht/placement/record-watch-core.ts";
import { sortByDistance } from "../../src/dht/table/closest.ts";
import type { Contact } from "../../src/dht/wire/contact.ts";
import { byteText, type KeyText, keyOf, textBytes } from "../../src/dht/wire/key.ts";
import { publicHost } from "../../src/testing/swarm/swarm.ts";
import { effectsOf } from "../effects-of.ts";
import { contactAt, randomContacts } from "./nodes.ts";

const HONEST = 200;

/** Nodes that keep what they are given, and some with ids around an address that only say so. */
class City {
  readonly random: SeededRandom;
  readonly address: Uint8Array;
  #all: Contact[];
  readonly #crowd = new Set<KeyText>();
  /** Who has the record, and watches over it. */
  readonly #kept = new Map<KeyText, RecordWatchCore>();
  #now = 0;
  #newcomers = 0;
  /** Nodes that were asked for the record, in their order. */
  asked: Contact[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.address = this.random.bytes(32);
    this.#all = randomContacts(1_000 + seed, HONEST);
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
    return this.#run("put", (node) => {
      const isLiar = this.#crowd.has(node.key);
      if (isLiar && mood === "refuses") return { kind: "failed", code: "CULVERT_CONFLICT" };
      this.#keep(node);
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

  /** One who has the record is gone for good, and somebody else is about where it was. */
  replaceKeeper(): void {
    const keepers = [...this.#kept.keys()];
    const gone = keepers[this.random.below(keepers.length)];
    if (gone === undefined) return;
    this.#kept.delete(gone);
    this.#newcomers += 1;
    const id = this.random.bytes(32);
    id.set(textBytes(gone).subarray(0, 2));
    const newcomer = contactAt(id, publicHost(HONEST + this.#newcomers));
    this.#all = [...this.#all.filter(({ key }) => key !== gone), newcomer];
  }

  /** All who have the record see to it. */
  look(): void {
    this.#now += 200_000;
    for (const watch of [...this.#kept.values()]) {
      while (watch.deadline() <= this.#now) watch.timeout(this.#now);
      for (const { to } of effectsOf(watch)) this.#keep(to);
    }
  }

  #keep({ key, id }: Contact): void {
    if (this.#crowd.has(key)) return;
    const { address, random } = this;
    const known = this.#kept.get(key);
    const watch = known ?? new RecordWatchCore({ id, random, neighbourhood: this.#around(key) });
    this.#kept.set(key, watch);
    watch.handle({ kind: "kept", address, ttlSeconds: 1_000_000 }, this.#now);
  }

  /** What a node knows of the others: everybody. */
  #around(self?: KeyText): Neighbourhood {
    const others = (): Contact[] => this.#all.filter(({ key }) => key !== self);
    return {
      knowsAll: true,
      get nodesEstimated() {
        return others().length;
      },
      closestKnown: (address, count, isWanted = () => true) => {
        return sortByDistance(keyOf(address), others()).filter(isWanted).slice(0, count);
      },
      isDemoted: () => false,
    };
  }

  #run(kind: "put" | "get", ask: (node: Contact) => NodeAnswer): PlacementOutcome | undefined {
    const { address, random } = this;
    const core = new PlacementCore({ neighbourhood: this.#around(), random });
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

it.each([5, 80])("%d around an address do not end the care for what others keep", (count) => {
  let found = 0;
  for (const seed of SEEDS) {
    const city = new City(seed);
    city.put();
    city.surround(count, 4);
    city.look();
    for (let i = 0; i < 20; i++) {
      city.replaceKeeper();
      city.look();
    }
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
