import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../test/interop/eventually.ts";
import { Machine } from "./culvert.ts";
import { freePort } from "./free-port.ts";
import { NetworkOfProcesses } from "./network-process.ts";

const NODES = 6;
const VICTIM = 3;
/** Neighbours look at their records once in a minute, about. */
const PATIENCE_MS = 240_000;

/** How many records a node has, by its metrics. */
async function recordsAt(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  return Number(/^culvert_store_entries (\d+)$/m.exec(await response.text())?.[1]);
}

test("a node that lost its records, but not its key, is given them again", async () => {
  await using place = await Machine.create();
  await using alice = await Machine.create();
  const port = await freePort();
  const network = await NetworkOfProcesses.start(place, {
    count: NODES,
    each: (at) => (at === VICTIM ? { words: ["--metrics", `127.0.0.1:${port}`] } : {}),
  });
  await writeFile(join(alice.folder, "photo.jpg"), randomBytes(60_000));
  const words = ["send", "photo.jpg", "--nodes", network.names, "--via", "direct"];
  const sender = alice.culvert(...words);
  await sender.says(/stored 100 %/);
  // Three of five keepers are enough to say so, and this one may be behind.
  await eventually(async () => (await recordsAt(port)) > 3 || undefined, PATIENCE_MS);
  // Nobody is left who would put them again.
  sender.process.kill("SIGKILL");
  await sender.ended;
  const had = await recordsAt(port);
  const again = await network.restart(VICTIM, "SIGKILL", async (name) => {
    await rm(join(place.folder, name, "records"), { recursive: true });
  });
  expect(again.contacts).toEqual(network.nodes[VICTIM]?.contacts);
  // Not all: of what the sender was cut off from, those who care for it may never have got a copy.
  await eventually(async () => (await recordsAt(port)) >= had / 2 || undefined, PATIENCE_MS);
});
