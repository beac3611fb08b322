import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectFile } from "./culvert.ts";
import { ended, expectFailure, Scene, TICKET } from "./road-scene.ts";

const HOUR_MS = 3_600_000;
/** Longer than any node keeps a record: docs/LIMITS.md. */
const FORGOTTEN_MS = 8 * 24 * HOUR_MS;

/** Whether this machine lets a user mount a small disk of their own. */
const canMount = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
if (!canMount) console.log("left out: this machine lets nobody mount a small disk");

describe("clocks", () => {
  test.each([-1, 1])(
    "of a client that are %d h off do not matter",
    async (hours) => {
      await using scene = await Scene.create({ count: 6 });
      scene.alice.clockAheadMs = hours * HOUR_MS;
      await scene.expectCarried("onion");
    },
    300_000,
  );

  test("of some nodes that are an hour off do not matter", async () => {
    const off = new Map([
      [1, HOUR_MS],
      [3, -HOUR_MS],
    ]);
    await using scene = await Scene.create({
      count: 8,
      each: (at) => ({ clockAheadMs: off.get(at) ?? 0 }),
    });
    await scene.expectCarried("onion");
    await scene.expectCarried("direct");
  });
});

describe("a transfer that is not read before the nodes forget it", () => {
  test("ends for who waits, and is put again by who sent it", async () => {
    let aheadMs = 0;
    await using scene = await Scene.create({
      count: 3,
      each: () => ({ clockAheadMs: aheadMs }),
    });
    const road = ["--nodes", scene.network.names, "--via", "direct"];
    const sender = await scene.alice.run("send", "photo.jpg", "--detach", ...road);
    expect(sender.code, sender.stderr).toBe(0);
    const [ticket] = await sender.says(TICKET);
    aheadMs = FORGOTTEN_MS;
    for (const machine of [scene.alice, scene.bob]) machine.clockAheadMs = aheadMs;
    await scene.network.restartAll("SIGTERM");
    const inVain = await scene.bob.run("receive", ticket, "--peer-timeout", "5s", ...road);
    expectFailure(inVain, 4, /other side/);
    const again = scene.alice.culvert("send", "photo.jpg", ...road);
    await again.says(/left the Map.*put again/);
    const receiver = await scene.bob.run("receive", ticket, ...road);
    expect(receiver.code, receiver.stderr).toBe(0);
    expect((await ended(again)).code, again.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "photo.jpg"), scene.content);
  });
});

describe("room", () => {
  test.runIf(canMount)(
    "that a node's disk does not have is found at the others",
    async () => {
      await using scene = await Scene.create(async (place) => {
        await mkdir(join(place.folder, "node2"));
        const launcher = place.smallDisk({ folder: "node2", bytes: 131_072 });
        return { count: 6, each: (at) => (at === 2 ? { launcher } : {}) };
      });
      await scene.expectCarried("onion");
      await scene.expectCarried("direct");
    },
    300_000,
  );

  test.runIf(canMount)(
    "that the disk of a client does not have ends it with a hint",
    async () => {
      await using scene = await Scene.create({ count: 3 });
      const { alice, bob, network, content } = scene;
      const road = ["--nodes", network.names, "--via", "direct"];
      await mkdir(join(alice.folder, "state"));
      const words = ["send", "photo.jpg", "--detach", ...road];
      const full = alice.onSmallDisk({ folder: "state", bytes: 65_536 }, ...words);
      const { code, stderr } = await ended(full);
      expect([1, 8], stderr).toContain(code);
      expectFailure(Object.assign(full, await full.ended), code ?? 0, /disk/);
      const again = await alice.run(...words);
      expect(again.code, again.stderr).toBe(0);
      const [ticket] = await again.says(TICKET);
      const receiver = await bob.run("receive", ticket, ...road);
      expect(receiver.code, receiver.stderr).toBe(0);
      await expectFile(join(bob.folder, "photo.jpg"), content);
    },
    240_000,
  );

  test("that no node has ends a transfer with a hint, and it goes on later", async () => {
    let entries = 8;
    await using scene = await Scene.create(async (place) => {
      const config = join(place.folder, "node.toml");
      await writeFile(config, `[storage]\nentries = ${entries}\n`);
      return { count: 3, words: ["--config", config] };
    });
    const { alice, bob, network, place, content } = scene;
    const road = ["--nodes", network.names, "--via", "direct"];
    const sender = await alice.run("send", "photo.jpg", "--peer-timeout", "10s", ...road);
    expectFailure(sender, sender.code === 4 ? 4 : 5, /full|other side/);
    entries = 1_000;
    await writeFile(join(place.folder, "node.toml"), `[storage]\nentries = ${entries}\n`);
    await network.restartAll("SIGTERM");
    const again = alice.culvert("send", "photo.jpg", ...road);
    const [ticket] = await again.says(TICKET);
    const receiver = await bob.run("receive", ticket, ...road);
    expect(receiver.code, receiver.stderr).toBe(0);
    expect((await ended(again)).code, again.stderr).toBe(0);
    await expectFile(join(bob.folder, "photo.jpg"), content);
  });
});

describe("a node of other cells", () => {
  test("is no part of the network that it wants to join, which goes on without it", async () => {
    await using scene = await Scene.create({
      count: 6,
      each: (at) => (at === 5 ? { words: ["--cell", "4096"] } : {}),
    });
    const [, , , , , other] = scene.network.nodes;
    expect(other?.running.stderr).toMatch(/alone so far/);
    await scene.expectCarried("onion");
  });

  test("is refused by a client whose transfer has begun with others", async () => {
    await using scene = await Scene.create({ count: 1 });
    const direct = ["--via", "direct"];
    const sender = scene.alice.culvert(
      "send",
      "photo.jpg",
      "--nodes",
      scene.network.names,
      ...direct,
    );
    await sender.says(/acknowledged/);
    sender.process.kill("SIGINT");
    await sender.ended;
    await using elsewhere = await Scene.create({ count: 1, words: ["--cell", "4096"] });
    const nodes = ["--nodes", elsewhere.network.names, ...direct];
    expectFailure(await scene.alice.run("send", "photo.jpg", ...nodes), 8, /begun|new/);
  });
});
