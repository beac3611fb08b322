import { expect, it } from "vitest";
import { toHex } from "../../src/base/index.ts";
import { FINAL, MIDTERM, VOIDPHONE_NETWORK_LIMITS } from "../../src/voidphone/index.ts";
import { Bug, ChurnWorld } from "../voidphone/churn-world.ts";
import { LIVES_MS, lifeSeeds } from "./fuzz.ts";

const HOSTS = Array.from({ length: 24 }, (_, at) => `10.0.0.${at + 1}`);
const { operationMs } = VOIDPHONE_NETWORK_LIMITS;

/** Everything that peers do while others come and go; each ends in time, and once. */
async function live(world: ChurnWorld, turns: number): Promise<void> {
  const { clock, random } = world;
  const stored = new Map<string, string>();
  let open = 0;
  for (let turn = 0; turn < turns; turn++) {
    const host = HOSTS[random.below(HOSTS.length)] ?? "";
    const fate = random.below(12);
    if (fate === 0 && world.peers.length > 8) world.stop(host);
    else if (fate < 3) world.start(host);
    else if (fate === 3) world.any().isSilent = random.below(3) === 0;
    const { network, self } = world.any();
    const other = world.any().self;
    const key = random.bytes(32);
    const value = random.bytes(8);
    const controller = new AbortController();
    const { signal } = controller;
    const before = clock.now();
    const entry = { key, value, ttlSeconds: 60, replication: 20 };
    stored.set(toHex(key), toHex(value));
    const [known = ""] = [...stored.keys()].slice(random.below(stored.size));
    const asked = Uint8Array.from(Buffer.from(known, "hex"));
    open += 1;
    const doing = [
      () => network.find(key, { signal }),
      () => network.store(entry, { signal }),
      async () => {
        const found = await network.get(asked, { signal });
        if (found !== undefined && toHex(found) !== stored.get(known)) new Bug("another value");
      },
      async () => other === self || (await network.ping(other, { signal })),
    ][random.below(4)];
    doing?.()
      .catch(() => {})
      .finally(() => {
        open -= 1;
        if (clock.now() > before + operationMs) new Bug("an operation takes longer than it may");
      });
    if (random.below(6) === 0)
      clock.schedule(clock.now() + random.below(900), () => controller.abort());
    await clock.runUntil(clock.now() + random.below(900));
  }
  await clock.runUntil(clock.now() + operationMs);
  expect(open).toBe(0);
}

it.each([MIDTERM, FINAL])(
  "peers of ours come, go and take each other's place ($name)",
  async (dialect) => {
    for (const seed of lifeSeeds(10_000)) {
      const world = new ChurnWorld(seed, dialect);
      const { clock, random } = world;
      for (const host of HOSTS) world.start(host);
      await clock.runUntil(20_000);
      await live(world, 150);
      if (dialect === FINAL) await expectWhole(world, seed);
      for (const { self } of world.peers) world.stop(self.host);
      await clock.runUntil(clock.now() + 2_000);
      expect(Bug.seen.splice(0), `seed ${seed}`).toEqual([]);
      expect([clock.pending, random.below(1)], `seed ${seed}`).toEqual([0, 0]);
    }
  },
  LIVES_MS,
);

/** When all is calm, what is stored at one is found at all; and those found are there. */
async function expectWhole(world: ChurnWorld, seed: number): Promise<void> {
  const { clock, random } = world;
  for (const peer of world.peers) peer.isSilent = false;
  const [root] = world.peers;
  for (const { self, network } of world.peers) {
    if (root !== undefined && self !== root.self) await clock.runPromise(network.join(root.self));
  }
  for (let round = 0; round < 5; round++) {
    const entry = { key: random.bytes(32), value: random.bytes(9), ttlSeconds: 30, replication: 5 };
    expect(await clock.runPromise(world.any().network.store(entry)), `seed ${seed}`).toBe(5);
    for (const { network } of world.peers) {
      expect(await clock.runPromise(network.get(entry.key)), `seed ${seed}`).toEqual(entry.value);
      const found = await clock.runPromise(network.find(entry.key));
      expect(
        found.filter((contact) => !world.isThere(contact)),
        `seed ${seed}`,
      ).toEqual([]);
    }
    await clock.runUntil(clock.now() + 31_000);
    expect(
      await clock.runPromise(world.any().network.get(entry.key)),
      `seed ${seed}`,
    ).toBeUndefined();
  }
}
