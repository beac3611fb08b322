import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { type Culvert, type Ending, expectFile, Machine } from "./culvert.ts";
import { NetworkOfProcesses, type NetworkOptions } from "./network-process.ts";

const FILE_BYTES = 100_000;

/** What the receiver needs. */
export const TICKET = /culvert1[a-z0-9]+/;

/** A network, and two who use it. */
export class Scene {
  readonly place: Machine;
  readonly alice: Machine;
  readonly bob: Machine;
  readonly network: NetworkOfProcesses;
  readonly content: Uint8Array;

  private constructor(
    machines: { place: Machine; alice: Machine; bob: Machine },
    network: NetworkOfProcesses,
    content: Uint8Array,
  ) {
    this.place = machines.place;
    this.alice = machines.alice;
    this.bob = machines.bob;
    this.network = network;
    this.content = content;
  }

  /**
   * With a `photo.jpg` of alice's.
   *
   * @param options of the network; asked for with the machine of its nodes, if that matters
   */
  static async create(
    options: NetworkOptions | ((place: Machine) => Promise<NetworkOptions>),
  ): Promise<Scene> {
    const [place, alice] = [await Machine.create(), await Machine.create()];
    const bob = await Machine.create();
    const ready = typeof options === "function" ? await options(place) : options;
    const network = await NetworkOfProcesses.start(place, ready);
    const content = randomBytes(FILE_BYTES);
    await writeFile(join(alice.folder, "photo.jpg"), content);
    return new Scene({ place, alice, bob }, network, content);
  }

  /** A whole file, from alice to bob, who comes when she has left. */
  async expectCarried(via: "direct" | "onion"): Promise<void> {
    const road = ["--nodes", this.network.names, "--via", via];
    const sender = await this.alice.run("send", "photo.jpg", "--new", "--detach", ...road);
    expect(sender.code, sender.stderr).toBe(0);
    const [ticket] = await sender.says(TICKET);
    const receiver = await this.bob.run("receive", ticket, "--into", via, ...road);
    expect(receiver.code, receiver.stderr).toBe(0);
    await expectFile(join(this.bob.folder, via, "photo.jpg"), this.content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of [this.alice, this.bob, this.place]) await machine[Symbol.asyncDispose]();
  }
}

/** An error on stderr, in the form of the command, and its hint. */
export function expectFailure(run: Culvert & Ending, code: number, words: RegExp): void {
  expect(run.code, run.stderr).toBe(code);
  expect(run.stderr).toMatch(/^culvert: error: .+\nculvert: hint: .+$/m);
  expect(run.stderr).toMatch(words);
  expect(run.stderr).not.toContain("    at ");
}

/** The process with how it has ended. */
export async function ended(culvert: Culvert): Promise<Culvert & Ending> {
  return Object.assign(culvert, await culvert.ended);
}
