import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Contact } from "../../../src/dht/index.ts";
import {
  Directory,
  NodeDescriptor,
  type NodeId,
  NodeIdentity,
  nodeIdText,
} from "../../../src/identity/index.ts";
import { guardsWriter, keptGuards, readGuards } from "../../../src/node/onion/guards-file.ts";
import { SequenceFile } from "../../../src/node/reach/sequence-file.ts";

/** What an end knows of where nodes are, and what it was told of that. */
class Places {
  readonly directory = new Directory({ unixMs: () => 0 });
  readonly hints: [NodeId, readonly number[]][] = [];
  readonly links = {
    hint: (id: NodeId, { addresses }: Pick<Contact, "addresses">) => {
      this.hints.push([id, addresses.map(({ port }) => port)]);
    },
  };
  /** By their ids, those that answer. */
  readonly there = new Map<string, NodeDescriptor>();
  readonly askItself = async (id: NodeId): Promise<NodeDescriptor | undefined> =>
    this.there.get(nodeIdText(id));
}

function nodeAt(seed: number, port: number): NodeDescriptor {
  return NodeDescriptor.sign(new NodeIdentity(new Uint8Array(32).fill(seed)), {
    ...{ sequence: port, expiresAtUnixS: 7_200, roles: ["onion-relay"], relays: [] },
    geometry: { cellBytes: 1_900, onionBytes: 2_048, onionHopsMax: 5 },
    addresses: [{ carrier: "udp", host: "192.0.2.1", port }],
    onionKeys: [],
  });
}

describe("where guards are", () => {
  it("is known in the next run, in which they are asked themselves", async () => {
    const directory = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const [first, second, other] = [nodeAt(1, 1), nodeAt(2, 2), nodeAt(3, 3)];
    const before = new Places();
    for (const node of [first, second, other]) before.directory.add(node);
    const kept = await keptGuards(directory, () => {}, before);
    expect(before.hints).toEqual([]);
    kept.onGuards([second.id, first.id]);
    // It moves while it is a guard.
    before.there.set(nodeIdText(first.id), nodeAt(1, 11));
    const ask = (node: NodeDescriptor) => kept.askGuard(node.id, { mayDial: true });
    expect((await ask(first))?.claims.sequence).toBe(11);
    expect(await ask(second)).toBeUndefined();
    await kept.written();

    const again = new Places();
    const next = await keptGuards(directory, () => {}, again);
    expect(again.hints).toHaveLength(2);
    expect(again.hints).toEqual(
      expect.arrayContaining([
        [first.id, [11]],
        [second.id, [2]],
      ]),
    );
    // Nobody is remembered who is a guard no more.
    next.onGuards([first.id]);
    await next.written();
    const last = new Places();
    await keptGuards(directory, () => {}, last);
    expect(last.hints).toEqual([[first.id, [11]]]);
    await rm(directory, { recursive: true });
  });

  it("is found out anew where that cannot be read", async () => {
    const directory = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const guard = nodeAt(1, 1);
    await writeFile(join(directory, "guards"), guard.id);
    await writeFile(join(directory, "guard-places"), "noise");
    const warned: string[] = [];
    const places = new Places();
    const kept = await keptGuards(directory, (_, event) => warned.push(event), places);
    expect([kept.guards, places.hints]).toEqual([[guard.id], []]);
    expect(warned).toEqual(["guards-unreadable"]);
    await rm(directory, { recursive: true });
  });
});

describe("the file of guards", () => {
  it("has those that were told last, however fast they change", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const path = join(folder, "guards");
    const warned: string[] = [];
    const write = guardsWriter(path, (_, event) => warned.push(event));
    const guards = Array.from({ length: 12 }, (_, i) => new Uint8Array(32).fill(i));
    expect(await readGuards(path)).toEqual([]);
    await Promise.all([guards.slice(0, 3), guards.slice(0, 4), guards, guards.slice(1)].map(write));
    expect(await readGuards(path)).toEqual(guards.slice(1));
    expect(warned).toEqual([]);
    await rm(folder, { recursive: true });
  });

  it("is kept in a folder, and nowhere without one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const guards = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    for (const [directory, next] of [[folder, guards] as const, [undefined, []] as const]) {
      const kept = await keptGuards(directory, () => {}, new Places());
      expect(kept.guards).toEqual([]);
      kept.onGuards(guards);
      await kept.written();
      expect((await keptGuards(directory, () => {}, new Places())).guards).toEqual(next);
    }
    await rm(folder, { recursive: true });
  });

  it("has each of them once, whatever is written there", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const path = join(folder, "guards");
    const [first, second] = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    await writeFile(path, Buffer.concat([...Array(20).fill(first), second, first]));
    expect(await readGuards(path)).toEqual([first, second]);
    await rm(folder, { recursive: true });
  });

  it("is named where it cannot be read: others in its place would see who asks", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const unread = { code: "CULVERT_FILE", message: `cannot read ${folder}` };
    await expect(readGuards(folder)).rejects.toMatchObject(unread);
    await expect(SequenceFile.open(folder, () => {})).rejects.toMatchObject(unread);
    await rm(folder, { recursive: true });
  });

  it("leaves no draft behind where it cannot be written", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const path = join(folder, "guards");
    await mkdir(join(path, "in its place"), { recursive: true });
    const warned: string[] = [];
    await guardsWriter(path, (_, event) => warned.push(event))([new Uint8Array(32)]);
    expect(warned).toEqual(["guards-not-kept"]);
    expect(await readdir(folder)).toEqual(["guards"]);
    await rm(folder, { recursive: true });
  });

  it("is that of one of those who write it at once", async () => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-guards-"));
    const path = join(folder, "guards");
    const warned: string[] = [];
    const writers = [1, 2].map(() => guardsWriter(path, (_, event) => warned.push(event)));
    for (let round = 0; round < 10; round++) {
      const told = writers.map((write, i) => write([new Uint8Array(32).fill(i)]));
      await Promise.all(told);
    }
    expect(warned).toEqual([]);
    expect((await readGuards(path)).length).toBe(1);
    expect(await readdir(folder)).toEqual(["guards"]);
    await rm(folder, { recursive: true });
  });
});
