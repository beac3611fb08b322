import { describe, expect, it } from "vitest";
import { Directory, NodeDescriptor, NodeIdentity } from "../../src/identity/index.ts";

const identities = [1, 2, 3, 4].map((seed) => new NodeIdentity(new Uint8Array(32).fill(seed)));

function descriptor(at: number, sequence: number, expiresAtUnixS: number): NodeDescriptor {
  const identity = identities[at];
  if (identity === undefined) throw new Error("there are four nodes");
  return NodeDescriptor.sign(identity, {
    ...{ sequence, expiresAtUnixS, roles: [], addresses: [], relays: [], onionKeys: [] },
    geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 },
  });
}

describe("a directory", () => {
  it("keeps the newest of each node, whichever came first", async () => {
    const directory = new Directory({ unixMs: () => 0 });
    expect(directory.add(descriptor(0, 5, 100))).toBe(true);
    expect(directory.add(descriptor(0, 4, 200))).toBe(false);
    expect(directory.add(descriptor(0, 5, 300))).toBe(false);
    expect(directory.add(descriptor(0, 6, 50))).toBe(true);
    const found = await directory.lookup(descriptor(0, 1, 1).id);
    expect(found?.claims).toMatchObject({ sequence: 6, expiresAtUnixS: 50 });
    expect(directory.size).toBe(1);
  });

  it("takes nobody in who has expired, and forgets who does", async () => {
    let now = 0;
    const directory = new Directory({ unixMs: () => now });
    expect(directory.add(descriptor(0, 1, 0))).toBe(false);
    expect(directory.add(descriptor(0, 1, 10))).toBe(true);
    now = 10_000;
    expect(directory.all()).toEqual([]);
    expect(await directory.discover(5)).toEqual([]);
    expect(directory.find(descriptor(0, 1, 10).id)).toBeUndefined();
    expect(directory.size).toBe(0);
  });

  it("does not go back to an older descriptor when the newer one has expired", () => {
    let now = 0;
    const directory = new Directory({ unixMs: () => now });
    directory.add(descriptor(0, 7, 10));
    now = 10_000;
    expect(directory.add(descriptor(0, 3, 100))).toBe(false);
  });

  it("when full, gives up the node that nobody asked for or told of for longest", () => {
    const directory = new Directory({ unixMs: () => 0, nodesMax: 2 });
    directory.add(descriptor(0, 1, 10));
    directory.add(descriptor(1, 1, 20));
    directory.find(descriptor(0, 1, 10).id);
    directory.add(descriptor(2, 1, 30));
    expect(directory.size).toBe(2);
    expect(directory.find(descriptor(1, 1, 20).id)).toBeUndefined();
    expect(directory.find(descriptor(0, 1, 10).id)).toBeDefined();
  });

  it("is not held by those who say that they hold for ever", () => {
    const directory = new Directory({ unixMs: () => 0, nodesMax: 2 });
    directory.add(descriptor(0, 1, 2 ** 40));
    directory.add(descriptor(1, 1, 2 ** 40));
    for (const at of [2, 3]) expect(directory.add(descriptor(at, 1, 10))).toBe(true);
    expect(directory.all().map(({ claims }) => claims.expiresAtUnixS)).toEqual([10, 10]);
  });
});
