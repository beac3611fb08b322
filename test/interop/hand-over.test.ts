import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeIdentity } from "culvert/identity";
import type { NetworkClient, RunningNode } from "culvert/node";
import { expect, it, onTestFinished } from "vitest";
import { fromHex, SeededRandom } from "../../src/base/index.ts";
import { blindPublicKey, rootPublicKey } from "../../src/crypto/index.ts";
import { InProcessNetwork, until } from "./in-process-network.ts";

const CELL = 1_024;
const SEED = new SeededRandom(1).bytes(32);
const FRAME = new SeededRandom(2).bytes(32);
const PAYLOAD = new SeededRandom(3).bytes(CELL);
const ROOT = rootPublicKey(SEED);

const boundTo = (client: NetworkClient) =>
  client.transport().bind({ writeSeed: SEED, readRoot: ROOT });

function recordsOf(node: RunningNode): number {
  const { records = 0 } = node.summary();
  return records;
}

/** The seed of a node that is closer to the address than all that are there. */
function closerThan(nodes: readonly RunningNode[], address: Uint8Array): Uint8Array {
  const random = new SeededRandom(4);
  const distance = (id: Uint8Array): Buffer =>
    Buffer.from(id.map((byte, at) => byte ^ (address[at] ?? 0)));
  const others = nodes.map(({ name }) => distance(fromHex(name)));
  for (;;) {
    const seed = random.bytes(32);
    const own = distance(new NodeIdentity(seed).id);
    if (others.every((other) => Buffer.compare(own, other) < 0)) return seed;
  }
}

/** A network whose one node was stopped; what it keeps lies in `directory`. */
async function heldByStopped(): Promise<{ network: InProcessNetwork; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "culvert-hand-over-"));
  const network = new InProcessNetwork(
    { geometry: { cellBytes: CELL, onionBytes: 2_048, onionHopsMax: 5 } },
    { placement: { watchMs: 100 } },
  );
  onTestFinished(async () => {
    await network.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const first = await network.add({ directory });
  const writer = await network.client("direct");
  await boundTo(writer).put(FRAME, PAYLOAD, { ttlSeconds: 600 });
  await writer.close();
  await first.close();
  network.nodes.length = 0;
  return { network, directory };
}

it("hands over what it held before it was started again", async () => {
  const { network, directory } = await heldByStopped();
  const again = await network.add({ directory });
  expect(recordsOf(again)).toBe(1);
  const newcomer = await network.add();
  await until(() => recordsOf(newcomer) === 1);
});

it("offers what it held to one that came while it was away", async () => {
  const { network, directory } = await heldByStopped();
  const newcomer = await network.add();
  await network.add({ directory });
  await until(() => recordsOf(newcomer) === 1);
});

it("hands a record over to a closer node, where it outlives all who kept it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "culvert-hand-over-"));
  const network = new InProcessNetwork(
    { geometry: { cellBytes: CELL, onionBytes: 2_048, onionHopsMax: 5 } },
    { placement: { watchMs: 100 } },
  );
  try {
    await network.start(6);
    const before = [...network.nodes];
    const writer = await network.client("direct");
    await boundTo(writer).put(FRAME, PAYLOAD, { ttlSeconds: 600 });
    const keepers = (): RunningNode[] => before.filter((node) => recordsOf(node) === 1);
    await until(() => keepers().length === 5);
    await writer.close();

    const seed = closerThan(before, blindPublicKey(ROOT, FRAME));
    await writeFile(join(directory, "node.key"), seed);
    const newcomer = await network.add({ directory });
    await until(() => recordsOf(newcomer) === 1);

    await Promise.all(keepers().map((node) => node.close()));
    const reader = await network.client("direct", newcomer);
    expect(Buffer.from(await boundTo(reader).get(FRAME)).equals(PAYLOAD)).toBe(true);
    await reader.close();
  } finally {
    await network.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
