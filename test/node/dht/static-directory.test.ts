import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { formatDescriptorLine, StaticDirectory } from "../../../src/node/index.ts";

const NOW_S = 1_800_000_000;
const unixMs = (): number => NOW_S * 1_000;

function node(seed: number, claims: { sequence?: number; expiresAtUnixS?: number } = {}) {
  return NodeDescriptor.sign(new NodeIdentity(new Uint8Array(32).fill(seed)), {
    ...{ sequence: 1, expiresAtUnixS: NOW_S + 60, roles: [], addresses: [], relays: [] },
    ...{ geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 }, onionKeys: [], ...claims },
  });
}

describe("a file of nodes", () => {
  let folder = "";
  let path = "";
  let versions = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "culvert-nodes-"));
    path = join(folder, "nodes");
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Replaces the file, as editors do: another place on disk whatever the clock says. */
  async function write(...lines: string[]): Promise<void> {
    versions += 1;
    await writeFile(`${path}.${versions}`, lines.join("\n"));
    await rename(`${path}.${versions}`, path);
  }

  it("finds its nodes by id, and the newest descriptor of each", async () => {
    const lines = [node(1, { sequence: 2 }), node(1, { sequence: 5 }), node(1), node(2)];
    await write("# ours", "", ...lines.map(formatDescriptorLine), "  ");
    const directory = await StaticDirectory.open(path, { unixMs });
    expect((await directory.lookup(node(1).id))?.claims.sequence).toBe(5);
    expect((await directory.lookup(node(2).id))?.id).toEqual(node(2).id);
    expect(await directory.lookup(node(3).id)).toBeUndefined();
    expect(await directory.discover(9)).toHaveLength(2);
    expect(await directory.discover(1)).toHaveLength(1);
  });

  it("gives nobody who has expired", async () => {
    const old = node(1, { expiresAtUnixS: NOW_S });
    await write(formatDescriptorLine(old), formatDescriptorLine(node(2)));
    const directory = await StaticDirectory.open(path, { unixMs });
    expect(await directory.lookup(old.id)).toBeUndefined();
    expect(await directory.discover(9)).toHaveLength(1);
  });

  it("tells the contacts of nodes that have to be asked themselves", async () => {
    await write(
      `${"ab".repeat(32)}@udp://192.0.2.1:7000 # the first`,
      `${"cd".repeat(32)}@tcp://[2001:db8::1]:7001`,
    );
    const directory = await StaticDirectory.open(path, { unixMs });
    expect(await directory.contacts()).toEqual([
      {
        id: new Uint8Array(32).fill(0xab),
        address: { carrier: "udp", host: "192.0.2.1", port: 7_000 },
      },
      {
        id: new Uint8Array(32).fill(0xcd),
        address: { carrier: "tcp", host: "2001:db8::1", port: 7_001 },
      },
    ]);
  });

  it("is read again when it has changed", async () => {
    await write(formatDescriptorLine(node(1)));
    const directory = await StaticDirectory.open(path, { unixMs });
    await write(formatDescriptorLine(node(2)));
    expect(await directory.lookup(node(1).id)).toBeUndefined();
    expect(await directory.lookup(node(2).id)).toBeDefined();
  });

  it("that has become unreadable leaves what was read, and says so", async () => {
    const told: unknown[] = [];
    await write(formatDescriptorLine(node(1)));
    const log = (_level: string, event: string, fields?: object): void => {
      told.push([event, fields]);
    };
    const directory = await StaticDirectory.open(path, { unixMs, log });
    await write("garbage");
    expect(await directory.lookup(node(1).id)).toBeDefined();
    expect(told).toEqual([["nodes-file-unreadable", { code: "CULVERT_USAGE" }]]);
    await rm(path);
    expect(await directory.discover(9)).toHaveLength(1);
    await write(formatDescriptorLine(node(2)));
    expect(await directory.lookup(node(2).id)).toBeDefined();
  });

  it.each([
    ["garbage", "garbage"],
    ["a contact without a port", "udp://192.0.2.1"],
    ["a descriptor that somebody bent", formatDescriptorLine(node(1)).replace(/.$/, "A")],
  ])("with %s is refused when it is opened, with the line", async (_what, line) => {
    await write("# fine", line);
    await expect(StaticDirectory.open(path, { unixMs })).rejects.toMatchObject({
      ...{ code: "CULVERT_USAGE", detail: { line: 2 } },
    });
  });

  it("that is not there is refused when it is opened", async () => {
    await expect(StaticDirectory.open(path)).rejects.toMatchObject({ code: "CULVERT_FILE" });
  });
});
