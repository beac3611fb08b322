import { describe, expect, it } from "vitest";
import { CulvertError, equalBytes, onAbort, SeededRandom, toHex } from "../../src/base/index.ts";
import type { Contact, NodeMap, PlacementLimits } from "../../src/dht/index.ts";
import { PlacedMap } from "../../src/dht/index.ts";
import { compareDistance, keyOf } from "../../src/dht/wire/key.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { randomContacts } from "./nodes.ts";

interface Entry {
  readonly address: Uint8Array;
  readonly payload: Uint8Array;
}

interface Reply {
  readonly ttlSeconds: number;
  /** Who says so. */
  readonly node: string;
}

/** The Map of one node: write once, gets that wait, and the ways in which it may fail. */
class Keeper implements NodeMap<Entry, Reply> {
  readonly contact: Contact;
  readonly records = new Map<string, Entry>();
  readonly #waiting = new Map<string, ((entry: Entry) => void)[]>();
  readonly #clock: VirtualClock;
  mood: "honest" | "silent" | "forgetful" | "lying" | "full" | "slow" = "honest";
  /** What it grants; a shorter life than that is never over in these tests. */
  lifeSeconds = 3_600;
  gets = 0;

  constructor(contact: Contact, clock: VirtualClock) {
    this.contact = contact;
    this.#clock = clock;
  }

  async put(record: Entry, options: { readonly signal?: AbortSignal } = {}): Promise<Reply> {
    await this.#trip(options.signal);
    if (this.mood === "full") throw new CulvertError("CULVERT_FULL");
    const key = toHex(record.address);
    const held = this.records.get(key);
    if (held !== undefined && !equalBytes(held.payload, record.payload)) {
      throw new CulvertError("CULVERT_CONFLICT");
    }
    if (this.mood !== "forgetful") this.records.set(key, record);
    if (this.lifeSeconds < 3_600) {
      const endsAt = this.#clock.now() + 1_000 * this.lifeSeconds;
      this.#clock.schedule(endsAt, () => this.records.delete(key));
    }
    for (const wake of this.#waiting.get(key) ?? []) wake(record);
    await this.#trip(options.signal);
    return { ttlSeconds: this.lifeSeconds, node: this.mood === "lying" ? "" : this.contact.key };
  }

  async get(
    address: Uint8Array,
    { waitMs = 0, signal }: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Entry> {
    this.gets += 1;
    await this.#trip(signal);
    const key = toHex(address);
    if (this.mood === "lying") return { address, payload: new Uint8Array(1) };
    const entry = this.records.get(key) ?? (await this.#wait(key, waitMs, signal));
    await this.#trip(signal);
    if (entry === undefined) throw new CulvertError("CULVERT_NOT_FOUND");
    return entry;
  }

  #wait(key: string, waitMs: number, signal?: AbortSignal): Promise<Entry | undefined> {
    if (waitMs === 0) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      onAbort(signal, reject);
      this.#clock.schedule(this.#clock.now() + waitMs, () => resolve(undefined));
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve]);
    });
  }

  #trip(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      onAbort(signal, reject);
      if (this.mood === "silent") return;
      const ms = this.mood === "slow" ? 2_000 : 40;
      this.#clock.schedule(this.#clock.now() + ms, () => resolve());
    });
  }
}

/** Keepers and one client, whose DHT knows everybody and finds who is alive. */
class Town {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly keepers: Keeper[];
  readonly blamed = new Map<string, number>();
  readonly map: PlacedMap<Entry, Reply>;
  knowsAll = false;

  constructor(count: number, limits: Partial<PlacementLimits> = {}, seed = 5) {
    this.random = new SeededRandom(seed);
    this.keepers = randomContacts(seed, count).map((contact) => new Keeper(contact, this.clock));
    const town = this;
    this.map = new PlacedMap<Entry, Reply>(
      {
        dht: {
          get knowsAll() {
            return town.knowsAll;
          },
          statistics: { nodesEstimated: count },
          closestKnown: (address, wanted, isWanted = () => true) =>
            this.closest(address, wanted, ({ contact }) => isWanted(contact)),
          closest: async (address) => {
            return this.closest(address, 20, ({ mood }) => mood !== "silent");
          },
          isDemoted: (id) => (this.blamed.get(keyOf(id)) ?? 0) >= 2,
          blame: (id) => {
            this.blamed.set(keyOf(id), (this.blamed.get(keyOf(id)) ?? 0) + 1);
          },
        },
        clock: this.clock,
        random: this.random,
        mapOf: async (node) => this.keeperOf(node),
        isRecord: (address, entry) => equalBytes(entry.payload.subarray(0, 32), address),
        isReceipt: (node, _entry, reply) => reply.node === node.key,
      },
      limits,
    );
  }

  keeperOf({ key }: Contact): Keeper {
    const keeper = this.keepers.find(({ contact }) => contact.key === key);
    if (keeper === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
    return keeper;
  }

  closest(address: Uint8Array, count: number, isWanted: (keeper: Keeper) => boolean): Contact[] {
    return this.around(address)
      .filter(isWanted)
      .slice(0, count)
      .map(({ contact }) => contact);
  }

  /** Everybody, closest first. */
  around(address: Uint8Array): Keeper[] {
    const target = keyOf(address);
    return this.keepers.toSorted((a, b) => {
      return compareDistance(target, a.contact.key, b.contact.key);
    });
  }

  entry(): Entry {
    const address = this.random.bytes(32);
    return { address, payload: Uint8Array.of(...address, 1) };
  }

  holders({ address }: Entry): Keeper[] {
    return this.around(address).filter(({ records }) => records.has(toHex(address)));
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runPromise(promise);
  }

  async settle(ms: number): Promise<void> {
    await this.clock.runUntil(this.clock.now() + ms);
  }
}

function moods(keepers: readonly Keeper[], mood: Keeper["mood"]): void {
  for (const keeper of keepers) keeper.mood = mood;
}

const code = (name: string) => ({ code: name });

describe("a put", () => {
  it("lies at the five closest nodes, with receipts of three before it is done", async () => {
    const town = new Town(40);
    const entry = town.entry();
    for (const [i, keeper] of town.around(entry.address).entries()) keeper.lifeSeconds -= 60 * i;
    const reply = await town.run(town.map.put(entry));
    expect(town.holders(entry).length).toBeGreaterThanOrEqual(3);
    expect(reply.ttlSeconds, "two of the three").toBe(3_540);
    await town.settle(1_000);
    expect(town.holders(entry)).toEqual(town.around(entry.address).slice(0, 5));
  });

  it("goes to the next closest for who is silent, full or lying", async () => {
    const town = new Town(40);
    const entry = town.entry();
    const around = town.around(entry.address);
    moods(around.slice(0, 1), "silent");
    moods(around.slice(1, 2), "full");
    moods(around.slice(2, 3), "lying");
    await town.run(town.map.put(entry));
    await town.settle(60_000);
    expect(town.holders(entry).filter(({ mood }) => mood === "honest")).toHaveLength(5);
    expect([...town.blamed.keys()]).toEqual([around[2]?.contact.key]);
  });

  it("is in conflict with other bytes, and may be repeated with the same", async () => {
    const town = new Town(20);
    const entry = town.entry();
    await town.run(town.map.put(entry));
    await town.settle(1_000);
    await town.run(town.map.put(entry));
    const other = { ...entry, payload: Uint8Array.of(...entry.address, 2) };
    await expect(town.run(town.map.put(other))).rejects.toMatchObject(code("CULVERT_CONFLICT"));
    expect(await town.run(town.map.get(entry.address))).toEqual(entry);
  });

  it("needs all of a network that is smaller than the quorum", async () => {
    const town = new Town(2);
    const entry = town.entry();
    await town.run(town.map.put(entry));
    expect(town.holders(entry)).toHaveLength(2);
    moods(town.keepers.slice(0, 1), "full");
    await expect(town.run(town.map.put(town.entry()))).rejects.toMatchObject(code("CULVERT_FULL"));
  });

  it("fails with what most nodes said, or that nobody was reached", async () => {
    const town = new Town(10);
    moods(town.keepers, "full");
    await expect(town.run(town.map.put(town.entry()))).rejects.toMatchObject(code("CULVERT_FULL"));
    const nobody = new Town(0).map.put(town.entry());
    await expect(nobody).rejects.toMatchObject(code("CULVERT_UNREACHABLE"));
  });

  it("gives nothing to a node that broke its word twice", async () => {
    const town = new Town(40, { auditEvery: 1, auditMs: 1_000 });
    const around = town.around(new Uint8Array(32));
    moods(around.slice(0, 10), "forgetful");
    for (let i = 0; i < 60; i++) {
      const address = new Uint8Array(32);
      address[31] = i;
      await town.run(town.map.put({ address, payload: Uint8Array.of(...address, 1) }));
      await town.settle(2_000);
    }
    const blamed = around.filter(({ contact }) => town.blamed.has(contact.key));
    expect(blamed.every(({ mood }) => mood === "forgetful")).toBe(true);
    const last = { address: new Uint8Array(32).fill(0, 31), payload: new Uint8Array(33).fill(0) };
    await town.run(
      town.map.put({ ...last, address: Uint8Array.of(...last.address.fill(0, 0, 31)) }),
    );
    const demoted = around.filter(({ contact }) => (town.blamed.get(contact.key) ?? 0) >= 2);
    expect(demoted.length).toBeGreaterThanOrEqual(5);
  });

  it("blames nobody for a record whose life is over", async () => {
    const town = new Town(10, { auditEvery: 1, auditMs: 600_000 });
    for (const keeper of town.keepers) keeper.lifeSeconds = 30;
    for (let i = 0; i < 20; i++) await town.run(town.map.put(town.entry()));
    await town.settle(700_000);
    expect(town.keepers.reduce((sum, { gets }) => sum + gets, 0)).toBe(20);
    expect([...town.blamed]).toEqual([]);
  });

  it("asks no more nodes at once than it can keep in mind, however late all are", async () => {
    const town = new Town(40, { operationsMax: 2 });
    moods(town.keepers, "slow");
    const replies = [town.map.put(town.entry()), town.map.put(town.entry())];
    expect(await town.run(Promise.all(replies))).toHaveLength(2);
    await town.settle(60_000);
  });
});

describe("a put behind its quorum", () => {
  it("leaves its place to who has none, so that a silent node keeps nobody out", async () => {
    const town = new Town(40, { operationsMax: 2 });
    town.knowsAll = true;
    const entry = town.entry();
    moods(town.around(entry.address).slice(0, 1), "silent");
    const others = Array.from({ length: 3 }, (_, i) => ({
      ...entry,
      address: entry.address.with(31, i),
    }));
    for (const { address } of others) {
      await town.run(town.map.put({ address, payload: Uint8Array.of(...address, 1) }));
      await town.settle(1_000);
    }
    for (const one of others) expect(town.holders(one).length).toBeGreaterThanOrEqual(5);
    const waiting = others
      .slice(0, 2)
      .map(() => town.map.get(town.entry().address, { waitMs: 9_000 }));
    await expect(town.run(town.map.put(town.entry()))).rejects.toMatchObject(code("CULVERT_BUSY"));
    await town.run(Promise.allSettled(waiting));
  });
});

describe("a get", () => {
  it("asks one node when that one has it", async () => {
    const town = new Town(40);
    const entry = town.entry();
    await town.run(town.map.put(entry));
    await town.settle(1_000);
    expect(await town.run(town.map.get(entry.address))).toEqual(entry);
    expect(town.keepers.reduce((sum, { gets }) => sum + gets, 0)).toBe(1);
  });

  it("asks the next one beside a slow one, and takes whichever comes first", async () => {
    const town = new Town(40);
    const entry = town.entry();
    await town.run(town.map.put(entry));
    await town.settle(1_000);
    moods(town.around(entry.address).slice(0, 2), "slow");
    const from = town.clock.now();
    expect(await town.run(town.map.get(entry.address))).toEqual(entry);
    expect(town.clock.now() - from).toBeLessThan(1_500);
  });

  it("never gives a record that does not verify, and blames who gave it", async () => {
    const town = new Town(40);
    const entry = town.entry();
    await town.run(town.map.put(entry));
    await town.settle(1_000);
    const liars = town.around(entry.address).slice(0, 4);
    moods(liars, "lying");
    expect(await town.run(town.map.get(entry.address))).toEqual(entry);
    expect([...town.blamed.keys()]).toEqual(liars.map(({ contact }) => contact.key));
  });

  it("waits for the put, wherever among the closest that arrives", async () => {
    const town = new Town(40);
    const entry = town.entry();
    const waiting = town.map.get(entry.address, { waitMs: 60_000 });
    await town.settle(20_000);
    await town.run(town.map.put(entry));
    const from = town.clock.now();
    expect(await town.run(waiting)).toEqual(entry);
    expect(town.clock.now() - from).toBeLessThan(200);
  });

  it("leaves its question with few, and with more at growing gaps", async () => {
    const town = new Town(40);
    town.knowsAll = true;
    const waiting = town.map
      .get(town.entry().address, { waitMs: 60_000 })
      .catch(({ code }) => code);
    const asked = (): number => town.keepers.reduce((sum, { gets }) => sum + gets, 0);
    const counts: number[] = [];
    for (const ms of [400, 200, 1_000, 2_000, 4_000]) {
      await town.settle(ms);
      counts.push(asked());
    }
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    town.map.close();
    expect(await waiting).toBe("CULVERT_CLOSED");
  });

  it("is told of a put although the two closest are silent", async () => {
    const town = new Town(40);
    town.knowsAll = true;
    const entry = town.entry();
    moods(town.around(entry.address).slice(0, 2), "silent");
    const waiting = town.map.get(entry.address, { waitMs: 60_000 });
    await town.settle(2_000);
    await town.run(town.map.put(entry));
    const from = town.clock.now();
    expect(await town.run(waiting)).toEqual(entry);
    expect(town.clock.now() - from).toBeLessThan(200);
  });

  it("ends its wait in time, and finds nothing where nothing is", async () => {
    const town = new Town(40);
    const from = town.clock.now();
    const missing = town.map.get(new Uint8Array(32), { waitMs: 10_000 });
    await expect(town.run(missing)).rejects.toMatchObject(code("CULVERT_NOT_FOUND"));
    expect(town.clock.now() - from).toBeGreaterThanOrEqual(10_000);
    expect(town.clock.now() - from).toBeLessThan(15_000);
  });

  it("stops when it is told to, and on close", async () => {
    const town = new Town(10);
    const controller = new AbortController();
    const options = { waitMs: 60_000, signal: controller.signal };
    const aborted = town.map.get(new Uint8Array(32), options).catch((error) => error.name);
    const closed = town.map.get(new Uint8Array(32), { waitMs: 60_000 }).catch(({ code }) => code);
    await town.settle(1_000);
    controller.abort();
    expect(await aborted).toBe("AbortError");
    town.map.close();
    expect(await closed).toBe("CULVERT_CLOSED");
    const late = town.map.put(town.entry());
    await expect(late).rejects.toMatchObject(code("CULVERT_CLOSED"));
  });

  it("succeeds in 99 of 100 cases right after 30 % of the nodes vanished", async () => {
    const town = new Town(100);
    const entries = Array.from({ length: 300 }, () => town.entry());
    for (const entry of entries) await town.run(town.map.put(entry));
    await town.settle(5_000);
    moods(
      town.keepers.filter(() => town.random.unit() < 0.3),
      "silent",
    );
    let found = 0;
    for (const entry of entries) {
      const got = await town.run(town.map.get(entry.address).catch(() => undefined));
      if (got !== undefined) found += 1;
    }
    expect(found).toBeGreaterThanOrEqual(297);
  });
});
