import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateSecret, Stream } from "culvert";
import { connectMap, MapClient } from "culvert/mapservice";
import { describe, expect, test } from "vitest";
import { formatTicket, parseTicket } from "../src/cli/ticket/ticket.ts";
import { encodeHeader, makeManifest } from "../src/cli/transfer/manifest.ts";
import { type Culvert, type Ending, Machine } from "./culvert.ts";

/** How the receiver of a sender that does not keep to the rules ends, and what the sender hears. */
async function receiveFrom(
  machine: Machine,
  pieces: readonly Uint8Array[],
): Promise<{ receiver: Culvert & Ending; again: Culvert & Ending; heard: unknown }> {
  const { endpoint } = await machine.map("--memory");
  const connection = await connectMap(endpoint);
  try {
    const secret = generateSecret();
    const sender = Stream.listen(new MapClient(connection), secret);
    const failed = new Promise((resolve) => sender.once("error", resolve));
    for (const piece of pieces) sender.write(piece);
    sender.end();
    const ticket = formatTicket({ role: "receive", secret });
    const words = ["receive", ticket, "--map", endpoint, "--into", "inbox"];
    const receiver = await machine.run(...words);
    return { receiver, heard: await failed, again: await machine.run(...words) };
  } finally {
    connection.close();
  }
}

function headerFor(path: string): Uint8Array {
  const file = { kind: "file", path, mode: 0o644, size: 5, mtimeMs: 0 } as const;
  return encodeHeader(makeManifest([file]));
}

const hello = new TextEncoder().encode("hello");
const zeros = new Uint8Array(32);
const refusedWith = (code: number) => ({ code: "CULVERT_PEER_ABORTED", detail: { code } });

describe("a sender that does not keep to the rules", () => {
  test.each(["../evil", "/tmp/culvert-evil", "a/../../evil", "a\\..\\evil", "a\0", ".culvert-x"])(
    "cannot name %j",
    async (path) => {
      await using machine = await Machine.create();
      const { receiver, again, heard } = await receiveFrom(machine, [
        headerFor(path),
        hello,
        zeros,
      ]);
      expect([receiver.code, again.code]).toEqual([1, 1]);
      expect(again.stderr).toContain("was refused before: its names cannot be given here");
      expect(heard).toMatchObject(refusedWith(1));
      expect(receiver.stderr).toContain("will not be written");
      expect(await readdir(join(machine.folder, "inbox"))).toEqual([]);
      expect(await readdir(machine.folder)).not.toContain("evil");
    },
  );

  test("is found out when the contents are not what it hashed", async () => {
    await using machine = await Machine.create();
    const { receiver, again, heard } = await receiveFrom(machine, [headerFor("a"), hello, zeros]);
    expect([receiver.code, again.code]).toEqual([6, 6]);
    expect(again.stderr).toContain("what arrived was not what was sent");
    expect(heard).toMatchObject(refusedWith(2));
    expect(await readdir(join(machine.folder, "inbox"))).toEqual([]);
    expect((await machine.run("status")).stdout).toContain("receive");
  });

  test.each([
    ["something else", [hello, hello, hello]],
    ["less than it announced", [headerFor("a"), hello]],
  ])("is refused for sending %s", async (_what, pieces) => {
    await using machine = await Machine.create();
    const { receiver, heard } = await receiveFrom(machine, pieces);
    expect(receiver.code).toBe(6);
    expect(heard).toMatchObject(refusedWith(3));
    expect(receiver.stderr).toMatch(/^culvert: error: /m);
    expect(await readdir(join(machine.folder, "inbox"))).toEqual([]);
  });
});

test.each([
  ["gives up", 0, /the other side refused this, or gave it up\n.*with a new ticket/],
  ["refuses names", 1, /the other side will not write files of these names\n.*rename/],
])("a receiver that %s ends the sender, which then begins anew", async (_what, code, says) => {
  await using machine = await Machine.create();
  const { endpoint } = await machine.map("--memory");
  await writeFile(join(machine.folder, "a"), "hello");
  const ticketOf = async (run: Culvert): Promise<string> =>
    (await run.says(/culvert1[a-z0-9]+/))[0];
  const sender = machine.culvert("send", "a", "--map", endpoint);
  const ticket = await ticketOf(sender);
  const connection = await connectMap(endpoint);
  const receiver = Stream.dial(new MapClient(connection), parseTicket(ticket).secret);
  receiver.on("error", () => {}).once("data", () => receiver.reset(code));
  expect((await sender.ended).code).toBe(1);
  connection.close();
  expect(sender.stderr).toMatch(says);
  expect((await machine.run("status")).stdout).toMatch(/ send +refused /);
  expect(await ticketOf(machine.culvert("send", "a", "--map", endpoint))).not.toBe(ticket);
});
