import { randomBytes } from "node:crypto";
import { cp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Culvert, type Ending, Machine } from "./culvert.ts";

/** A machine on which a transfer was begun and stopped, and the folder of its session. */
async function begun(
  machine: Machine,
  endpoint: string,
): Promise<{ session: string; again: () => Promise<Culvert & Ending> }> {
  await writeFile(join(machine.folder, "photo.jpg"), randomBytes(100_000));
  const first = machine.culvert("send", "photo.jpg", "--map", endpoint);
  await first.says(/acknowledged/);
  first.process.kill("SIGINT");
  await first.ended;
  const sessions = join(machine.folder, "state/culvert/sessions");
  const [id = ""] = await readdir(sessions);
  const again = () => machine.run("send", "photo.jpg", "--map", endpoint, "--json");
  return { session: join(sessions, id), again };
}

function lastOf({ events }: Culvert): Record<string, unknown> {
  return events.at(-1) ?? {};
}

describe("kept state", () => {
  test("of a Map with cells of another size is refused", async () => {
    await using machine = await Machine.create();
    const { map, endpoint } = await machine.map("--memory", "--cell", "2048");
    const { again } = await begun(machine, endpoint);
    map.process.kill("SIGTERM");
    expect((await map.ended).code).toBe(143);
    const other = machine.culvert("map", "--memory", "--cell", "4096", "--listen", endpoint);
    await other.says(/ on /);
    const sender = await again();
    expect(sender.code).toBe(8);
    expect(lastOf(sender)).toMatchObject({ event: "error", code: "CULVERT_GEOMETRY_CHANGED" });
  });

  test("of a Map itself is named when it is damaged or of other cells, with a way on", async () => {
    await using machine = await Machine.create();
    const words = ["map", "--listen", "127.0.0.1:0", "--store", "kept"];
    const { map } = await machine.map("--store", "kept", "--cell", "2048");
    map.process.kill("SIGTERM");
    await map.ended;
    const other = await machine.run(...words);
    expect([other.code, other.stderr]).toEqual([8, expect.stringMatching(/ 2048 .*\n.*--cell/)]);
    await truncate(join(machine.folder, "kept/records/CURRENT"), 0);
    const damaged = await machine.run(...words);
    expect(damaged.code).toBe(8);
    expect(damaged.stderr).toMatch(/kept\/records is damaged\n.*hint: move it out of the way/);
  });

  test.each(["map", "node"])(
    "of a %s that is running names another folder as a way",
    async (name) => {
      await using machine = await Machine.create();
      const address = name === "map" ? "127.0.0.1:0" : "udp://127.0.0.1:0";
      const first = machine.culvert(name, "--listen", address);
      await first.says(/ in /);
      const second = await machine.run(name, "--listen", address);
      expect(second.code, second.stderr).toBe(8);
      expect(second.stderr).toMatch(/hint: .*--store/);
    },
  );

  test("that is damaged is named, and can be forgotten", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const { session } = await begun(machine, endpoint);
    await truncate(join(session, "session"), 20);
    const status = await machine.run("status", "--json");
    expect(lastOf(status)).toMatchObject({ event: "warning", code: "CULVERT_BAD_STATE" });
    const id = session.slice(-12);
    expect((await machine.run("status", "--forget", id)).code).toBe(0);
    expect((await machine.run("status")).stderr).toContain("nothing is unfinished");
  });

  test("that was restored from an older copy is found out", async () => {
    await using machine = await Machine.create();
    await using other = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const first = machine.culvert("pipe", "--send-only", "--map", endpoint);
    const [, words = ""] = await first.says(/^culvert (pipe .*)$/m);
    const reader = other.culvert(...words.split(" "));
    const sessions = join(machine.folder, "state/culvert/sessions");
    const [id = ""] = await readdir(sessions);
    const write = async (writer: Culvert, text: string): Promise<void> => {
      writer.process.stdin?.write(text);
      await reader.says(new RegExp(text));
      writer.process.kill("SIGINT");
      await writer.ended;
    };
    await write(first, "one");
    await cp(join(sessions, id), join(machine.folder, "copy"), { recursive: true });
    const resume = ["pipe", "--send-only", "--resume", id, "--map", endpoint];
    await write(machine.culvert(...resume), "two");
    await rm(join(sessions, id), { recursive: true });
    await cp(join(machine.folder, "copy"), join(sessions, id), { recursive: true });
    const stale = machine.culvert(...resume);
    stale.process.stdin?.end("other");
    expect((await stale.ended).code, stale.stderr).toBe(8);
    expect(stale.stderr).toContain("restored backup");
    expect(reader.stdout).toBe("onetwo");
  });

  test.each([[["pipe"]], [["forward", "--to", "127.0.0.1:1"]]])(
    "that another process has hands out no ticket: %o",
    async (words) => {
      await using machine = await Machine.create();
      const { endpoint } = await machine.map("--memory");
      const first = machine.culvert(...words, "--map", endpoint);
      await first.says(/culvert1/);
      const [id = ""] = await readdir(join(machine.folder, "state/culvert/sessions"));
      const second = await machine.run(...words, "--resume", id, "--map", endpoint);
      expect(second.code, second.stderr).toBe(8);
      expect(second.stderr).toMatch(/^culvert: error: .*\nculvert: hint: .*\n$/);
    },
  );
});
