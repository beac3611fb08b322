import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Culvert, expectFile, Machine } from "./culvert.ts";
import { NetworkOfProcesses } from "./network-process.ts";
import { type LabHost, RoadLab, weatherHere } from "./road-lab.ts";
import { TICKET } from "./road-scene.ts";

const NODES = 12;
const WEATHER = weatherHere();
/** Within the budgets of so many exits: they are public, as on the internet. */
const FILE_BYTES = 200_000;

/** Twelve nodes and two users, each on a host of its own. */
class Internet {
  readonly lab = new RoadLab(WEATHER);
  readonly place: Machine;
  readonly alice: Machine;
  readonly bob: Machine;
  readonly content = randomBytes(FILE_BYTES);
  readonly #ends: readonly LabHost[];
  #network: NetworkOfProcesses | undefined;

  private constructor(machines: readonly [Machine, Machine, Machine]) {
    [this.place, this.alice, this.bob] = machines;
    this.#ends = [this.lab.addHost(), this.lab.addHost()];
  }

  /** Nodes listen on IPv4, or on IPv6; users begin with what they listen on. */
  static async create(family: "ipv4" | "ipv6"): Promise<Internet> {
    const machines = [await Machine.create(), await Machine.create()] as const;
    const internet = new Internet([await Machine.create(), ...machines]);
    const { lab, place, alice } = internet;
    const hosts = Array.from({ length: NODES }, () => lab.addHost());
    const hostOf = (at: number): string => {
      const { ipv4 = "", ipv6 = "" } = hosts[at] ?? {};
      return family === "ipv4" ? ipv4 : `[${ipv6}]`;
    };
    internet.#network = await NetworkOfProcesses.start(place, {
      count: NODES,
      hostOf,
      each: (at) => ({ launcher: hosts[at]?.launcher ?? [] }),
    });
    await writeFile(join(alice.folder, "photo.jpg"), internet.content);
    return internet;
  }

  get network(): NetworkOfProcesses {
    if (this.#network === undefined) throw new Error("there are no nodes");
    return this.#network;
  }

  /** The host of a node in the laboratory, after the two users. */
  hostOf(node: number): number {
    return this.#ends.length + node;
  }

  send(...words: readonly string[]): Culvert {
    return this.#start(this.alice, 0, ["send", "photo.jpg", ...words]);
  }

  receive(...words: readonly string[]): Culvert {
    return this.#start(this.bob, 1, ["receive", ...words]);
  }

  async expectReceived(receiver: Culvert): Promise<void> {
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    await expectFile(join(this.bob.folder, "photo.jpg"), this.content);
  }

  #start(machine: Machine, end: number, words: readonly string[]): Culvert {
    const launcher = this.#ends[end]?.launcher ?? [];
    return machine.start([...words, "--nodes", this.network.names], { launcher });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of [this.alice, this.bob, this.place]) await machine[Symbol.asyncDispose]();
    this.lab.close();
  }
}

if (WEATHER.kind === "none") console.log(`twelve hosts are left out: ${WEATHER.reason}`);
if (WEATHER.kind === "lossy") console.log("no netem here: the lines lose packets without delay");

describe.runIf(WEATHER.kind !== "none")("twelve hosts behind lines that lose packets", () => {
  test("carry a file while each is restarted in turn", async () => {
    await using internet = await Internet.create("ipv4");
    const sender = internet.send();
    const [ticket] = await sender.says(TICKET);
    const receiver = internet.receive(ticket);
    for (let at = 0; at < NODES; at++) await internet.network.restart(at, "SIGTERM");
    await internet.expectReceived(receiver);
    expect((await sender.ended).code, sender.stderr).toBe(0);
  });

  test("carry it through a partition of a third of them that heals", async () => {
    await using internet = await Internet.create("ipv4");
    const sender = internet.send();
    const [ticket] = await sender.says(TICKET);
    await sender.says(/stored [1-9]/);
    const far = [8, 9, 10, 11].map((at) => internet.hostOf(at));
    internet.lab.cut(...far);
    const receiver = internet.receive(ticket);
    await receiver.says(/received [1-9]/);
    internet.lab.heal(...far);
    await internet.expectReceived(receiver);
    expect((await sender.ended).code, sender.stderr).toBe(0);
  });

  test("carry it over IPv6 to one who comes when the sender has left", async () => {
    await using internet = await Internet.create("ipv6");
    const sender = internet.send("--detach");
    expect((await sender.ended).code, sender.stderr).toBe(0);
    const [ticket] = await sender.says(TICKET);
    await internet.expectReceived(internet.receive(ticket));
  });
});
