import { RoadWorld } from "culvert/testing";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { rootPublicKey } from "../../src/crypto/index.ts";
import type { NetworkClient } from "../../src/node/index.ts";
import { RoadStream } from "../../src/testing/road/road-stream.ts";

const REQUESTS = 5;
/** More than it takes to have the circuits of the next stream built. */
const CALM_MS = 5_000;
const STEP_MS = 60_000;

/** Six nodes, a writer and a reader, who have been there for a while. */
async function calmWorld(seed: number) {
  const plan = { seed, nodes: 6, clients: 2, streams: 0, bytes: 0, via: "onion" } as const;
  const world = new RoadWorld(plan);
  await world.start();
  const { clock, clients } = world;
  await clock.runUntil(clock.now() + CALM_MS);
  const [near, far] = clients as [NetworkClient, NetworkClient];
  return { world, clock, near, far, random: new SeededRandom(seed) };
}

type Calm = Awaited<ReturnType<typeof calmWorld>>;

/** One operation of the Map through the relays and the exit: a get of what is there. */
async function requestMs({ clock, far, random }: Calm): Promise<number> {
  const writeSeed = random.bytes(32);
  const map = far.transport().bind({ writeSeed, readRoot: rootPublicKey(writeSeed) });
  const frame = random.bytes(32);
  const cell = random.bytes(map.payloadSize);
  await clock.runPromise(map.put(frame, cell, { ttlSeconds: 600 }), STEP_MS);
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const from = clock.now();
    await clock.runPromise(map.get(frame, { waitMs: 0 }), STEP_MS);
    times.push(clock.now() - from);
  }
  return middle(times);
}

/** From the first write of a new stream to the first byte that its reader has. */
async function firstByteMs({ clock, near, far, random }: Calm): Promise<number> {
  const secret = random.bytes(32);
  const common = { secret, clock, random, options: {} };
  const reader = RoadStream.begin({ ...common, transport: far.transport(), role: "dialer" });
  const writer = RoadStream.begin({ ...common, transport: near.transport(), role: "listener" });
  let isThere = false;
  reader.on("data", () => {
    isThere = true;
  });
  const from = clock.now();
  writer.write(Uint8Array.of(1));
  await clock.runUntil(() => isThere, STEP_MS);
  const tookMs = clock.now() - from;
  writer.end();
  reader.end();
  await clock.runUntil(clock.now() + CALM_MS);
  return tookMs;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe("the first byte of a stream through three relays", () => {
  it("takes little longer than one request: circuits are there, and its get waits", async () => {
    const calm = await calmWorld(1);
    const oneMs = await requestMs(calm);
    await calm.clock.runUntil(calm.clock.now() + CALM_MS);
    expect((await firstByteMs(calm)) / oneMs).toBeLessThan(1.5);
    await calm.world.finish({ tookMs: 0 });
  });
});
