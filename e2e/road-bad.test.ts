import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectFile, Machine } from "./culvert.ts";
import { NetworkOfProcesses } from "./network-process.ts";
import { ended, expectFailure, Scene, TICKET } from "./road-scene.ts";

describe("a network", () => {
  test("of which no node answers is exit status 5, with a hint", async () => {
    await using machine = await Machine.create();
    await writeFile(join(machine.folder, "photo.jpg"), "hello");
    const nobody = `${"ab".repeat(32)}@udp://127.0.0.1:9`;
    expectFailure(await machine.run("send", "photo.jpg", "--nodes", nobody), 5, /--nodes/);
    const malformed = await machine.run("send", "photo.jpg", "--nodes", "127.0.0.1:9");
    expectFailure(malformed, 2, /ID@udp:/);
  }, 60_000);

  test("whose node is another than the one that was named is exit status 6", async () => {
    await using scene = await Scene.create({ count: 1 });
    const liar = scene.network.names.replace(/^\w{64}/, "ab".repeat(32));
    const run = await scene.alice.run("send", "photo.jpg", "--nodes", liar, "--via", "direct");
    expectFailure(run, 6, /another node/);
  }, 60_000);

  test("of other cells cannot be named together with one", async () => {
    await using scene = await Scene.create({ count: 1 });
    const words = ["--cell", "4096"];
    const other = await NetworkOfProcesses.start(scene.place, { count: 1, name: "other", words });
    const both = `${scene.network.names},${other.names}`;
    const run = await scene.alice.run("send", "photo.jpg", "--nodes", both, "--via", "direct");
    expectFailure(run, 8, /one network/);
  }, 60_000);

  test("of one node carries directly, and says that it has no room for a route", async () => {
    await using scene = await Scene.create({ count: 1 });
    const nodes = ["--nodes", scene.network.names];
    expectFailure(await scene.alice.run("send", "photo.jpg", ...nodes), 5, /--via direct/);
    await scene.expectCarried("direct");
  }, 120_000);

  test("of three nodes, fewer than should keep a record, carries through all three", async () => {
    await using scene = await Scene.create({ count: 3 });
    await scene.expectCarried("onion");
  }, 240_000);

  test("on IPv6 carries", async () => {
    await using scene = await Scene.create({ count: 3, host: "[::1]" });
    await scene.expectCarried("direct");
    await scene.expectCarried("onion");
  }, 240_000);
});

describe("a transfer", () => {
  test("outlives the first hop that is killed under it", async () => {
    await using scene = await Scene.create({ count: 6 });
    const nodes = ["--nodes", scene.network.names];
    const sender = scene.alice.culvert("send", "photo.jpg", ...nodes);
    const [ticket] = await sender.says(TICKET);
    await sender.says(/stored [1-9]/);
    await scene.network.kill(2);
    await scene.network.kill(3);
    const receiver = await scene.bob.run("receive", ticket, ...nodes);
    expect(receiver.code, receiver.stderr).toBe(0);
    expect((await sender.ended).code, sender.stderr).toBe(0);
    await expectFile(join(scene.bob.folder, "photo.jpg"), scene.content);
  }, 240_000);

  test("is for the first receiver of a ticket, and no other", async () => {
    await using scene = await Scene.create({ count: 3 });
    await using eve = await Machine.create();
    const road = ["--nodes", scene.network.names, "--via", "direct"];
    const sender = scene.alice.culvert("send", "photo.jpg", ...road);
    const [ticket] = await sender.says(TICKET);
    const first = await scene.bob.run("receive", ticket, ...road);
    expect(first.code, first.stderr).toBe(0);
    expect((await sender.ended).code, sender.stderr).toBe(0);
    expectFailure(await eve.run("receive", ticket, ...road), 3, /ticket/);
  }, 120_000);

  test("stops when its file changes, and goes on as another one with --new", async () => {
    await using scene = await Scene.create({ count: 3 });
    const road = ["--nodes", scene.network.names, "--via", "direct"];
    const sender = scene.alice.culvert("send", "photo.jpg", ...road);
    await sender.says(/acknowledged/);
    sender.process.kill("SIGINT");
    expect((await sender.ended).code).toBe(130);
    await writeFile(join(scene.alice.folder, "photo.jpg"), randomBytes(scene.content.length + 1));
    const again = scene.alice.culvert("send", "photo.jpg", ...road);
    expectFailure(await ended(again), 1, /has changed.*--new/s);
    const anew = await scene.alice.run("send", "photo.jpg", "--new", "--detach", ...road);
    expect(anew.code, anew.stderr).toBe(0);
  }, 120_000);
});
