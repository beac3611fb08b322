import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { guardsWriter, keptGuards, readGuards } from "../../../src/node/onion/guards-file.ts";
import { SequenceFile } from "../../../src/node/reach/sequence-file.ts";

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
      const kept = await keptGuards(directory, () => {});
      expect(kept.guards).toEqual([]);
      kept.onGuards(guards);
      await kept.written();
      expect((await keptGuards(directory, () => {})).guards).toEqual(next);
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
