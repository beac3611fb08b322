import { randomBytes } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { type Culvert, expectFile, Machine } from "./culvert.ts";

const { CULVERT_KILLS = "200", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);

/** A transfer that is killed so often is left in peace at last: another one takes its place. */
const KILLS_PER_TRANSFER = 25;

/** Long enough to get something done between two kills, often in the middle of a commit. */
const LIFE_MS = { min: 100, max: 600 };

const TICKET = /culvert1[a-z0-9]+/;

async function kill(victim: Culvert): Promise<void> {
  victim.process.kill("SIGKILL");
  await victim.ended;
}

/** One transfer whose two sides are killed at random. Returns how often. */
async function transfer(machine: Machine, endpoint: string, random: SeededRandom): Promise<number> {
  const content = randomBytes(6_000_000);
  await writeFile(join(machine.folder, "photo.jpg"), content);
  const send = (): Culvert => machine.culvert("send", "photo.jpg", "--map", endpoint);
  let sender = send();
  const [ticket] = await sender.says(TICKET);
  await writeFile(join(machine.folder, "ticket"), ticket);
  const words = ["--ticket-file", "ticket", "--into", "inbox", "--map", endpoint];
  const receive = (): Culvert => machine.culvert("receive", ...words);
  let receiver = receive();
  let kills = 0;
  // A sender that is killed between its last word and its end begins anew, with another ticket.
  let hasBegunAnew = false;
  while (kills < KILLS_PER_TRANSFER && !hasBegunAnew) {
    const lifeMs = LIFE_MS.min + random.below(LIFE_MS.max - LIFE_MS.min);
    await new Promise((resolve) => setTimeout(resolve, lifeMs));
    if (sender.hasEnded || receiver.hasEnded) break;
    kills += 1;
    if (random.unit() < 0.5) {
      await kill(receiver);
      receiver = receive();
    } else {
      await kill(sender);
      sender = send();
      hasBegunAnew = (await sender.says(TICKET))[0] !== ticket;
    }
  }
  expect((await receiver.ended).code, receiver.stderr).toBe(0);
  if (hasBegunAnew) await kill(sender);
  else expect((await sender.ended).code, sender.stderr).toBe(0);
  expect(await readdir(join(machine.folder, "inbox"))).toEqual(["photo.jpg"]);
  await expectFile(join(machine.folder, "inbox/photo.jpg"), content);
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
      kills += await transfer(machine, endpoint, random);
      console.log(`${kills} kills`);
    }
  },
  60_000 + KILLS * 20_000,
);
