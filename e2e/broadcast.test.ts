import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Culvert, Machine } from "./culvert.ts";

async function printedBy(writer: Culvert): Promise<string[]> {
  const [, words = ""] = await writer.says(/^culvert (subscribe .*)$/m);
  return words.split(" ");
}

describe("a broadcast", () => {
  test("reaches every subscriber, early and late, and ends for all of them", async () => {
    await using machine = await Machine.create();
    await using other = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const writer = machine.culvert("broadcast", "--map", endpoint);
    const words = await printedBy(writer);
    const early = machine.culvert(...words);
    const content = randomBytes(50_000).toString("base64");
    writer.process.stdin?.end(content);
    expect((await writer.ended).code, writer.stderr).toBe(0);
    const late = other.culvert(...words);
    for (const reader of [early, late]) {
      expect((await reader.ended).code, reader.stderr).toBe(0);
      expect(reader.stdout === content).toBe(true);
    }
    const again = await other.run(...words);
    expect([again.code, again.stdout]).toEqual([0, ""]);
    const [, id = ""] = await writer.says(/--resume ([0-9a-f]{12})/);
    const keeper = machine.culvert("broadcast", "--resume", id, "--map", endpoint);
    keeper.process.stdin?.end();
    await keeper.says(/kept in the Map for as long as this runs/);
    keeper.process.kill("SIGINT");
    expect((await keeper.ended).code, keeper.stderr).toBe(130);
  });

  test("goes on after a signal, and so do its subscribers", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const writer = machine.culvert("broadcast", "--map", endpoint);
    const words = await printedBy(writer);
    const reader = machine.culvert(...words);
    writer.process.stdin?.write("first ");
    await reader.says(/first /);
    writer.process.kill("SIGTERM");
    reader.process.kill("SIGHUP");
    expect([(await writer.ended).code, (await reader.ended).code]).toEqual([143, 129]);
    const status = await machine.run("status", "--json");
    const [id] = status.events.flatMap(({ command, id }) => (command === "broadcast" ? [id] : []));
    const resumed = machine.culvert("broadcast", "--resume", String(id), "--map", endpoint);
    resumed.process.stdin?.end("second");
    const again = machine.culvert(...words);
    expect((await resumed.ended).code, resumed.stderr).toBe(0);
    expect((await again.ended).code, again.stderr).toBe(0);
    expect(again.stdout).toBe("second");
  });

  test.runIf(process.platform === "linux")(
    "is not lost to a subscriber whose stdout is closed",
    async () => {
      await using machine = await Machine.create();
      const { endpoint } = await machine.map("--memory");
      const writer = machine.culvert("broadcast", "--map", endpoint);
      const words = await printedBy(writer);
      writer.process.stdin?.end("all of it");
      const closed = machine.start(words, { launcher: ["sh", "-c", 'exec "$@" >&-', "sh"] });
      expect((await closed.ended).code, closed.stderr).toBe(1);
      const reader = await machine.run(...words);
      expect([reader.code, reader.stdout]).toEqual([0, "all of it"]);
    },
  );

  test("has tickets of its own kind", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const writer = machine.culvert("broadcast", "--map", endpoint);
    const [, ticket = ""] = await printedBy(writer);
    const mistaken = await machine.run("receive", ticket, "--map", endpoint);
    expect(mistaken.code).toBe(3);
    expect(mistaken.stderr).toContain("culvert subscribe");
  });
});
