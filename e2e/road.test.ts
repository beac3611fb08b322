import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { type Culvert, expectFile, Machine } from "./culvert.ts";
import { expectDone, killedTransfer } from "./killed-transfer.ts";
import { NetworkOfProcesses } from "./network-process.ts";
import { TICKET } from "./road-scene.ts";

/** `CULVERT_KILLS=200 make e2e` is the long run; it takes an hour or more on two cores. */
const { CULVERT_KILLS = "12", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);

/** Three relays, and always others for the next circuit. */
const NODES = 7;
const FILE_BYTES = 200_000;

const KILLS_PER_TRANSFER = 6;
const LIFE_MS = { min: 200, max: 1_500 };

/** Alice and Bob, and the network that both begin with. */
class Road {
  readonly alice: Machine;
  readonly bob: Machine;
  readonly network: NetworkOfProcesses;
  readonly #place: Machine;

  private constructor(
    machines: { alice: Machine; bob: Machine; place: Machine },
    network: NetworkOfProcesses,
  ) {
    this.alice = machines.alice;
    this.bob = machines.bob;
    this.#place = machines.place;
    this.network = network;
  }

  static async create(): Promise<Road> {
    const [alice, bob] = [await Machine.create(), await Machine.create()];
    const place = await Machine.create();
    const network = await NetworkOfProcesses.start(place, { count: NODES });
    return new Road({ alice, bob, place }, network);
  }

  async file(name: string): Promise<Buffer> {
    const content = randomBytes(FILE_BYTES);
    await writeFile(join(this.alice.folder, name), content);
    return content;
  }

  send(...words: readonly string[]): Culvert {
    return this.alice.culvert("send", ...words, "--nodes", this.network.names);
  }

  receive(...words: readonly string[]): Culvert {
    return this.bob.culvert("receive", ...words, "--nodes", this.network.names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of [this.alice, this.bob, this.#place]) await machine[Symbol.asyncDispose]();
  }
}

/** One transfer while nodes and both sides are killed at random. Returns how often. */
async function transfer(road: Road, name: string, random: SeededRandom): Promise<number> {
  const content = await road.file(name);
  const kills = await killedTransfer(random, {
    send: () => road.send(name),
    receive: (ticket) => road.receive(ticket),
    killsMax: KILLS_PER_TRANSFER,
    lifeMs: LIFE_MS,
    killOther: () => road.network.restart(random.below(NODES), "SIGKILL"),
  });
  await expectFile(join(road.bob.folder, name), content);
  return kills;
}

describe("through three relays to five keepers", () => {
  test("a file reaches one who comes when the sender has left", async () => {
    await using road = await Road.create();
    const content = await road.file("photo.jpg");
    const sender = road.send("photo.jpg", "--detach");
    await expectDone(sender);
    const [ticket] = await sender.says(TICKET);
    await road.network.kill(NODES - 1);
    const receiver = road.receive(ticket);
    await expectDone(receiver);
    await expectFile(join(road.bob.folder, "photo.jpg"), content);
  }, 180_000);

  test(
    `${KILLS} SIGKILLs of nodes and of both sides lose nothing and hang nothing`,
    async () => {
      console.log(`seed ${SEED}, ${KILLS} kills (CULVERT_SEED, CULVERT_KILLS)`);
      await using road = await Road.create();
      const random = new SeededRandom(SEED);
      for (let kills = 0, turn = 0; kills < KILLS; turn++) {
        kills += await transfer(road, `photo${turn}.jpg`, random);
        console.log(`${kills} kills, ${turn + 1} transfers`);
      }
    },
    120_000 + KILLS * 60_000,
  );

  test("every node can be restarted in turn while a file is on its way", async () => {
    await using road = await Road.create();
    const content = await road.file("photo.jpg");
    const sender = road.send("photo.jpg");
    const [ticket] = await sender.says(TICKET);
    const receiver = road.receive(ticket);
    for (let at = 0; at < NODES; at++) await road.network.restart(at, "SIGTERM");
    await expectDone(receiver);
    await expectDone(sender);
    await expectFile(join(road.bob.folder, "photo.jpg"), content);
  }, 240_000);

  test("a whole network that was stopped has its names and its records again", async () => {
    await using road = await Road.create();
    const { nodes } = road.network;
    const before = nodes.map(({ contacts }) => contacts);
    const content = await road.file("photo.jpg");
    const sender = road.send("photo.jpg", "--detach");
    await expectDone(sender);
    const [ticket] = await sender.says(TICKET);
    await road.network.restartAll("SIGKILL");
    expect(nodes.map(({ contacts }) => contacts)).toEqual(before);
    const receiver = road.receive(ticket);
    await expectDone(receiver);
    await expectFile(join(road.bob.folder, "photo.jpg"), content);
  }, 240_000);
});
