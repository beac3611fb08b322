import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { expectFile, Machine } from "./culvert.ts";
import { killedTransfer } from "./killed-transfer.ts";

const { CULVERT_KILLS = "200", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);

const KILLS_PER_TRANSFER = 25;
/** Often in the middle of a commit. */
const LIFE_MS = { min: 100, max: 600 };

/**
 * One transfer whose two sides are killed at random. Returns how often. Each has a file of its own:
 * a sender that was begun anew and killed would go on with one that has changed since.
 */
async function transfer(
  machine: Machine,
  { endpoint, name }: { readonly endpoint: string; readonly name: string },
  random: SeededRandom,
): Promise<number> {
  const content = randomBytes(6_000_000);
  await writeFile(join(machine.folder, name), content);
  const map = ["--map", endpoint];
  const kills = await killedTransfer(random, {
    send: () => machine.culvert("send", name, ...map),
    receive: (ticket) => {
      writeFileSync(join(machine.folder, "ticket"), ticket);
      return machine.culvert("receive", "--ticket-file", "ticket", "--into", "inbox", ...map);
    },
    killsMax: KILLS_PER_TRANSFER,
    lifeMs: LIFE_MS,
  });
  expect(await readdir(join(machine.folder, "inbox"))).toEqual([name]);
  await expectFile(join(machine.folder, "inbox", name), content);
  await rm(join(machine.folder, "inbox"), { recursive: true });
  return kills;
}

test(
  `${KILLS} real SIGKILLs lose nothing, repeat nothing and hang nothing`,
  async () => {
    console.log(`seed ${SEED}, ${KILLS} kills (CULVERT_SEED, CULVERT_KILLS)`);
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--store", "map", "--cell", "2048");
    const random = new SeededRandom(SEED);
    for (let kills = 0; kills < KILLS; ) {
      kills += await transfer(machine, { endpoint, name: `photo-${kills}.jpg` }, random);
      console.log(`${kills} kills`);
    }
  },
  60_000 + KILLS * 20_000,
);
