import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { type Culvert, canMakeTerminals, expectFile, Machine } from "./culvert.ts";
import { killedTransfer } from "./killed-transfer.ts";

/** Two users, each with a machine of their own, and a Map that both can reach. */
class Scene {
  readonly alice: Machine;
  readonly bob: Machine;
  readonly endpoint: string;
  readonly #place: Machine;

  private constructor(
    machines: { alice: Machine; bob: Machine; place: Machine },
    endpoint: string,
  ) {
    this.alice = machines.alice;
    this.bob = machines.bob;
    this.#place = machines.place;
    this.endpoint = endpoint;
  }

  static async create(...mapOptions: readonly string[]): Promise<Scene> {
    const [alice, bob] = [await Machine.create(), await Machine.create()];
    const place = await Machine.create();
    const { endpoint } = await place.map("--memory", ...mapOptions);
    return new Scene({ alice, bob, place }, endpoint);
  }

  send(...args: readonly string[]): Culvert {
    return this.alice.culvert("send", ...args, "--map", this.endpoint);
  }

  receive(...args: readonly string[]): Culvert {
    return this.bob.culvert("receive", ...args, "--map", this.endpoint);
  }

  /** A file of alice's, with random bytes. */
  async file(name: string, bytes: number): Promise<Uint8Array> {
    const content = randomBytes(bytes);
    await writeFile(join(this.alice.folder, name), content);
    return content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of [this.alice, this.bob, this.#place]) await machine[Symbol.asyncDispose]();
  }
}

async function ticketOf(sender: Culvert): Promise<string> {
  const [, ticket = ""] = await sender.says(/(culvert1[a-z0-9]+)/);
  return ticket;
}

describe("a file from one machine to another", () => {
  test("takes two commands, the second of which the first one prints", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 300_000);
    const sender = scene.send("photo.jpg");
    const [, printed = ""] = await sender.says(/^culvert (receive culvert1[a-z0-9]+ --map \S+)$/m);
    const receiver = await scene.bob.run(...printed.split(" "));
    expect(receiver.code, receiver.stderr).toBe(0);
    expect(await sender.ended).toEqual({ code: 0, signal: null });
    expect([sender.stdout, receiver.stdout]).toEqual(["", ""]);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
    expect(await readdir(scene.bob.folder)).toEqual(["photo.jpg", "state"]);
    const again = await scene.bob.run(...printed.split(" "));
    expect(again.code).toBe(0);
    expect(again.stderr).toContain("received photo.jpg");
  });

  test("can be a folder, with modes, times and empty files", async () => {
    await using scene = await Scene.create();
    const from = join(scene.alice.folder, "trip");
    await mkdir(join(from, "day 1"), { recursive: true });
    await writeFile(join(from, "day 1/ü.txt"), "hello");
    await writeFile(join(from, "empty"), "");
    await chmod(join(from, "empty"), 0o640);
    await chmod(join(from, "day 1"), 0o750);
    await utimes(join(from, "empty"), 1_500_000_000, 1_500_000_000);
    const sender = scene.send("trip", "--json");
    const receiver = scene.receive(await ticketOf(sender), "--into", "inbox", "--json");
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await sender.ended).code).toBe(0);
    const to = join(scene.bob.folder, "inbox/trip");
    const allowed = 0o777 & ~process.umask();
    for (const [folder, mode] of [
      [".", 0o777],
      ["..", 0o777],
      ["day 1", 0o750],
    ] as const) {
      expect((await stat(join(to, folder))).mode & 0o777, folder).toBe(mode & allowed);
    }
    expect(await readFile(join(to, "day 1/ü.txt"), "utf8")).toBe("hello");
    const empty = await stat(join(to, "empty"));
    expect([empty.size, empty.mode & 0o777, empty.mtimeMs]).toEqual([0, 0o640, 1_500_000_000_000]);
    expect(receiver.events.at(-1)).toMatchObject({ v: 1, event: "received", title: "trip" });
    expect(sender.events.at(-1)).toMatchObject({ v: 1, event: "sent", title: "trip" });
  });

  test("survives kill -9 of either side, again and again, while a third is lost", async () => {
    await using scene = await Scene.create("--lose", "0.33", "--seed", "5");
    const content = await scene.file("photo.jpg", 8_000_000);
    const kills = await killedTransfer(new SeededRandom(11), {
      send: () => scene.send("photo.jpg"),
      receive: (ticket) => scene.receive(ticket),
      killsMax: 8,
      lifeMs: { min: 300, max: 900 },
    });
    expect(kills).toBeGreaterThan(2);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
    expect(await readdir(scene.bob.folder)).toEqual(["photo.jpg", "state"]);
  });

  test("need not have both online: --detach leaves, the same command looks after it", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 200_000);
    const first = scene.send("photo.jpg", "--detach");
    const ticket = await ticketOf(first);
    expect((await first.ended).code, first.stderr).toBe(0);
    expect(first.stderr).toContain("stored photo.jpg");
    const receiver = scene.receive(ticket);
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
    const second = scene.send("photo.jpg", "--detach");
    expect((await second.ended).code, second.stderr).toBe(0);
    expect(second.stderr).toContain("sent photo.jpg");
  });

  test("stops on Ctrl-C with its state saved, and goes on", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 200_000);
    const first = scene.send("photo.jpg");
    const ticket = await ticketOf(first);
    await first.says(/acknowledged/);
    first.process.kill("SIGINT");
    expect(await first.ended).toEqual({ code: 130, signal: null });
    const receiver = scene.receive(ticket);
    await receiver.says(/received/);
    receiver.process.kill("SIGTERM");
    const { code } = await receiver.ended;
    expect([143, 0]).toContain(code);
    const again = [scene.send("photo.jpg"), scene.receive(ticket)] as const;
    for (const run of again) expect((await run.ended).code, run.stderr).toBe(0);
    expect(await ticketOf(again[0])).toBe(ticket);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
  });
});

describe("what goes wrong on the way", () => {
  test("the same command twice at once is refused: its state is in use", async () => {
    await using scene = await Scene.create();
    await scene.file("photo.jpg", 1000);
    const first = scene.send("photo.jpg");
    await first.says(/acknowledged/);
    const second = scene.send("photo.jpg", "--json");
    expect((await second.ended).code).toBe(8);
    const [told, ...more] = second.events;
    const hint = expect.stringContaining("--new");
    expect(told).toMatchObject({ event: "error", code: "CULVERT_STATE_IN_USE", hint });
    expect(more, "a ticket of what is not served here").toEqual([]);
  });

  test("a file of the same name is not replaced, unless that is asked for", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 1000);
    const mine = join(scene.bob.folder, "photo.jpg");
    await writeFile(mine, "mine");
    const sender = scene.send("photo.jpg");
    const ticket = await ticketOf(sender);
    const refused = scene.receive(ticket);
    expect((await refused.ended).code).toBe(1);
    expect(refused.stderr).toContain("--force");
    expect(await readFile(mine, "utf8")).toBe("mine");
    const forced = scene.receive(ticket, "--force");
    expect((await forced.ended).code, forced.stderr).toBe(0);
    expect((await sender.ended).code).toBe(0);
    await expectFile(mine, content);
  });

  test.runIf(canMakeTerminals())("of a no to replacing a file the sender hears", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 100_000);
    await writeFile(join(scene.bob.folder, "photo.jpg"), "mine");
    const sender = scene.send("photo.jpg");
    const ticket = await ticketOf(sender);
    const asked = scene.bob.onTerminal("receive", ticket, "--map", scene.endpoint);
    await asked.says(/Replace\? \[y\/N\]/);
    asked.process.stdin?.write("n\r");
    expect((await asked.ended).code).toBe(1);
    await sender.says(/warning: the other side has files of these names/);
    // Whoever comes for it later is told as well, as long as nothing has come of it.
    sender.process.kill("SIGINT");
    await sender.ended;
    const status = await scene.alice.run("status");
    expect(status.stdout).toContain("the other side has files of these names");
    const again = scene.send("photo.jpg");
    await again.says(/warning: the other side has files of these names/);
    const receiver = scene.receive(ticket, "--into", "inbox");
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await again.ended).code, again.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "inbox/photo.jpg"), content);
    expect(await readFile(join(scene.bob.folder, "photo.jpg"), "utf8")).toBe("mine");
  });

  test("what a receiver refuses ends for its sender, too", async () => {
    await using scene = await Scene.create();
    await scene.file("photo.jpg", 100_000);
    const sender = scene.send("photo.jpg", "--json");
    const ticket = await ticketOf(sender);
    const refused = scene.receive(ticket, "--refuse", "--json");
    expect((await refused.ended).code, refused.stderr).toBe(0);
    expect(refused.events.at(-1)).toMatchObject({ event: "refused" });
    expect((await sender.ended).code).toBe(1);
    expect(sender.events.at(-1)).toMatchObject({
      code: "CULVERT_PEER_ABORTED",
      message: "the other side does not want this",
    });
    const again = scene.receive(ticket);
    expect((await again.ended).code).toBe(1);
    expect(again.stderr).toMatch(/refused before: with --refuse/);
    expect((await scene.receive(ticket, "--refuse").ended).code).toBe(0);
    const anew = scene.send("photo.jpg");
    expect(await ticketOf(anew)).not.toBe(ticket);
  });

  test("a receiver that does not come is waited for as long as asked, and may come", async () => {
    await using scene = await Scene.create();
    const content = await scene.file("photo.jpg", 1000);
    const first = scene.send("photo.jpg", "--peer-timeout", "1500ms");
    const ticket = await ticketOf(first);
    expect((await first.ended).code, first.stderr).toBe(4);
    const [second, receiver] = [scene.send("photo.jpg"), scene.receive(ticket)];
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await second.ended).code, second.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
  });

  test("a ticket that has carried a transfer carries no other one", async () => {
    await using scene = await Scene.create();
    await using eve = await Machine.create();
    await scene.file("photo.jpg", 1000);
    const sender = scene.send("photo.jpg");
    const ticket = await ticketOf(sender);
    expect((await scene.receive(ticket).ended).code).toBe(0);
    expect((await sender.ended).code).toBe(0);
    // Nor when it is tried again, or where a file of that name is; and nothing is left of any.
    for (const time of [1, 2, 3]) {
      if (time === 3) await writeFile(join(eve.folder, "photo.jpg"), "hers");
      const late = await eve.run("receive", ticket, "--map", scene.endpoint, "--json");
      expect(late.code, `${time}: ${late.stderr}`).toBe(3);
      expect(late.events.at(-1)).toMatchObject({ code: "CULVERT_SECRET_USED" });
    }
    expect((await eve.run("status")).stdout).not.toContain("receive");
    expect(await readFile(join(eve.folder, "photo.jpg"), "utf8")).toBe("hers");
    expect((await readdir(eve.folder)).filter((name) => name.startsWith(".culvert-"))).toEqual([]);
  });

  test("a file that has changed since is not sent on", async () => {
    await using scene = await Scene.create();
    await scene.file("photo.jpg", 1000);
    const first = scene.send("photo.jpg");
    await first.says(/acknowledged/);
    first.process.kill("SIGINT");
    await first.ended;
    await scene.file("photo.jpg", 1001);
    const second = scene.send("photo.jpg");
    expect((await second.ended).code).toBe(1);
    expect(second.stderr).toMatch(/has changed.*--new/s);
    const anew = scene.send("photo.jpg", "--new");
    const ticket = await ticketOf(anew);
    anew.process.kill("SIGINT");
    expect((await anew.ended).code).toBe(130);
    // The same command goes on with it, though there is an older one of the same path.
    const again = scene.send("photo.jpg");
    expect(await ticketOf(again)).toBe(ticket);
    const receiver = scene.receive(ticket);
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await again.ended).code).toBe(0);
  });

  test("a Map that goes away and comes back is waited for", async () => {
    await using scene = await Scene.create();
    await using place = await Machine.create();
    const { map, endpoint } = await place.map("--store", "records");
    const content = await scene.file("photo.jpg", 500_000);
    const sender = scene.alice.culvert("send", "photo.jpg", "--map", endpoint);
    const ticket = await ticketOf(sender);
    await sender.says(/acknowledged/);
    map.process.kill("SIGKILL");
    await map.ended;
    const again = place.culvert("map", "--listen", endpoint, "--store", "records");
    await again.says(/ on /);
    const receiver = scene.bob.culvert("receive", ticket, "--map", endpoint);
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await sender.ended).code, sender.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "photo.jpg"), content);
  });
});

describe("secrets", () => {
  test("are in no command line of a process, and in no file that others can read", async () => {
    await using scene = await Scene.create();
    await scene.file("photo.jpg", 1000);
    const sender = scene.send("photo.jpg");
    const ticket = await ticketOf(sender);
    sender.process.kill("SIGINT");
    await sender.ended;
    const receiver = scene.receive(ticket);
    await receiver.says(/received/);
    const commandLine = await readFile(`/proc/${receiver.process.pid}/cmdline`, "utf8");
    expect(commandLine).not.toContain(ticket);
    expect(receiver.stderr).toContain("--ticket-file");
    for (const machine of [scene.alice, scene.bob]) {
      const state = join(machine.folder, "state");
      for (const name of await readdir(state, { recursive: true })) {
        const { mode } = await stat(join(state, name));
        expect(mode & 0o077, name).toBe(0);
      }
    }
  });

  test("can come by a file, by stdin and by the environment", async () => {
    await using scene = await Scene.create();
    const from = scene.bob.folder;
    await writeFile(join(from, "ticket"), "culvert1 nonsense\n");
    const byFile = await scene.bob.run("receive", "--ticket-file", "ticket", "--map", "x:1");
    const byStdin = scene.receive("-");
    byStdin.process.stdin?.end("culvert1 nonsense\n");
    expect([byFile.code, (await byStdin.ended).code]).toEqual([3, 3]);
    const none = await scene.bob.run("receive", "--map", "x:1");
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("CULVERT_TICKET");
  });
});
