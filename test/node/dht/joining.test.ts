import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { CulvertError, type Log, SeededRandom, SILENT } from "../../../src/base/index.ts";
import { Contact, saveContacts } from "../../../src/dht/index.ts";
import { type NodeContact, NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { Closers } from "../../../src/node/closers.ts";
import { addressesToJoin, joinNetwork, meetOthers } from "../../../src/node/dht/joining.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const identity = new NodeIdentity(new Uint8Array(32).fill(1));
const at = (port: number) => ({ carrier: "udp", host: "192.0.2.1", port }) as const;
const contact = (port: number): NodeContact => ({ id: identity.id, address: at(port) });

function descriptor(port: number): NodeDescriptor {
  return NodeDescriptor.sign(identity, {
    ...{ sequence: 1, expiresAtUnixS: 2_000_000_000, roles: [], relays: [], onionKeys: [] },
    ...{ geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 }, addresses: [at(port)] },
  });
}

/** Joins where only the port 4 answers; tells which ports were tried each time. */
function rig() {
  const clock = new VirtualClock();
  const closers = new Closers();
  const listed = { contacts: [contact(2)], descriptors: [descriptor(3)] };
  const nodes = {
    contacts: async () => listed.contacts,
    discover: async () => listed.descriptors,
  };
  const tried: number[][] = [];
  const dht = { contacts: [] as unknown[] };
  const answered = { isAny: false };
  const overlay = {
    dht,
    hasMet: () => answered.isAny,
    join: async (contacts: readonly NodeContact[], known: readonly Contact[] = []) => {
      const ports = contacts.map(({ address }) => address.port);
      tried.push([...ports, ...known.flatMap((one) => one.addresses.map(({ port }) => port))]);
      if (!ports.includes(4)) throw new CulvertError("CULVERT_UNREACHABLE");
      answered.isAny = true;
      dht.contacts.push({});
      return 1;
    },
  };
  const config = { bootstrap: [contact(1)], directory: undefined };
  const joining = {
    config,
    nodes,
    overlay,
    closers,
    machine: { clock, random: new SeededRandom(1) },
    log: SILENT,
  };
  return { clock, closers, listed, tried, joining, dht };
}

describe("a node with a file of nodes", () => {
  it("begins where those of its configuration and of its file are", async () => {
    expect(await addressesToJoin(rig().joining)).toEqual([at(1), at(2), at(3)]);
  });

  it("joins by its contacts and descriptors, and by what it says later while alone", async () => {
    const { clock, closers, listed, tried, joining } = rig();
    expect(await joinNetwork(joining)).toBe(0);
    await clock.runUntil(clock.now() + 4_000);
    listed.contacts = [contact(4)];
    listed.descriptors = [];
    await clock.runUntil(clock.now() + 300_000);
    expect(tried).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [1, 4],
    ]);
    await closers.run();
  });

  it("piles nothing up while it is alone for a day", async () => {
    const { clock, closers, tried, joining } = rig();
    const warn = vi.spyOn(process, "emitWarning");
    await joinNetwork(joining);
    await clock.runUntil(clock.now() + 86_400_000);
    await closers.run();
    await clock.runUntil(clock.now() + 60_000);
    expect(tried.length).toBeGreaterThan(1_000);
    expect(warn).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
    warn.mockRestore();
  });

  it("joins at once although what it wrote of its last run cannot be read", async () => {
    const { closers, tried, joining } = rig();
    const directory = await mkdtemp(join(tmpdir(), "culvert-joining-"));
    await writeFile(join(directory, "peers"), "half a tab");
    const config = { bootstrap: [contact(4)], directory };
    const warned: string[] = [];
    const log: Log = (_, event) => warned.push(event);
    expect(await joinNetwork({ ...joining, config, log })).toBe(1);
    expect([tried, warned]).toEqual([[[4, 2, 3]], ["peers-unreadable"]]);
    await closers.run();
    await rm(directory, { recursive: true });
  });

  it("asks them again when none of those that it remembers answers", async () => {
    const { clock, closers, tried, joining, dht } = rig();
    const nobody = {
      dht,
      hasMet: () => tried.length === 3,
      join: async (contacts: readonly NodeContact[]) => {
        tried.push(contacts.map(({ address }) => address.port));
        if (tried.length === 3) dht.contacts.push({});
        return dht.contacts.length;
      },
    };
    expect(await joinNetwork({ ...joining, overlay: nobody })).toBe(0);
    await clock.runUntil(clock.now() + 300_000);
    expect(tried).toEqual(Array(3).fill([1, 2]));
    await closers.run();
  });

  it("keeps those of its last run as a way back, and tries others seldom then", async () => {
    const { clock, closers, tried, joining, dht } = rig();
    const directory = await mkdtemp(join(tmpdir(), "culvert-joining-"));
    const remembered = Contact.of(identity.id, { addresses: [at(9)] });
    await writeFile(join(directory, "peers"), saveContacts([remembered]));
    const overlay = {
      dht,
      hasMet: () => false,
      join: async (contacts: readonly NodeContact[], known: readonly Contact[] = []) => {
        const ports = [...contacts, ...known.flatMap(({ addresses }) => addresses)];
        tried.push(ports.map((one) => ("address" in one ? one.address.port : one.port)));
        return dht.contacts.length;
      },
    };
    const config = { bootstrap: [contact(1)], directory };
    expect(await joinNetwork({ ...joining, overlay, config })).toBe(0);
    await clock.runUntil(clock.now() + 2_000);
    dht.contacts.push(remembered);
    await clock.runUntil(clock.now() + 86_400_000);
    expect(tried.slice(0, 2)).toEqual(Array(2).fill([1, 2, 3, 9]));
    const later = tried.slice(2).map((ports) => ports.toSorted());
    expect(later).toEqual(Array(later.length).fill([1, 2]));
    // At doubling gaps for an hour, then once an hour.
    expect(later.length).toBeGreaterThan(24);
    expect(later.length).toBeLessThan(40);
    await closers.run();
    await rm(directory, { recursive: true });
  });

  it("is a client's way as well, with those that it was told of", async () => {
    const { clock, closers, tried, joining, dht } = rig();
    dht.contacts.push({});
    meetOthers([contact(1)], joining);
    await clock.runUntil(clock.now() + 10_000);
    expect(tried).toEqual([[1], [1], [1]]);
    await closers.run();
    await clock.runUntil(clock.now() + 3_600_000);
    expect([tried.length, clock.pending]).toEqual([3, 0]);
  });

  it("does not try any more when it is closed", async () => {
    const { clock, closers, tried, joining } = rig();
    await joinNetwork(joining);
    await closers.run();
    await clock.runUntil(clock.now() + 300_000);
    expect(tried).toHaveLength(1);
  });
});
