import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Clock, SeededRandom } from "../../src/base/index.ts";
import { rootPublicKey } from "../../src/crypto/index.ts";
import { type NodeContact, NodeIdentity, parseNodeContact } from "../../src/identity/index.ts";
import { NODE_DEFAULTS, openClient, type RunningNode, startNode } from "../../src/node/index.ts";
import type { Machine } from "../../src/node/machine.ts";
import { RoadWorld, VirtualClock, VirtualNetwork } from "../../src/testing/index.ts";
import { Capture } from "../../src/testing/road/capture.ts";
import { virtualMachine } from "../../src/testing/road/road-node.ts";

it("a client that is not wanted any more gives up at once, whatever it waits for", async () => {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const host = network.addHost({ addresses: ["198.51.100.1"] });
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  const machine = virtualMachine(ground, host, new SeededRandom(1));
  const nobody = {
    id: new NodeIdentity(new Uint8Array(32).fill(9)).id,
    address: { carrier: "udp", host: "198.51.100.9", port: 7_000 },
  } as const;
  const stop = new AbortController();
  const how = { bootstrap: [nobody], via: "onion", machine, signal: stop.signal } as const;
  const opening = openClient(how).catch((error: unknown) => error);
  await clock.runUntil(1_000);
  stop.abort();
  expect(await clock.runPromise(opening)).toMatchObject({ name: "AbortError" });
  expect(clock.now()).toBeLessThan(2_000);
  await clock.runUntil(60_000);
  expect(clock.pending).toBe(0);
});

it("a client that is not wanted any more before it has a port dials nobody", async () => {
  const { clock, machineAt } = street();
  const machine = machineAt(1);
  const stop = new AbortController();
  const openLinks: typeof machine.openLinks = async (options) => {
    const host = await machine.openLinks(options);
    stop.abort();
    return host;
  };
  const gone = parseNodeContact(`${"5e".repeat(32)}@udp://198.51.9.1:7000`);
  const how = { bootstrap: [gone], via: "onion", signal: stop.signal } as const;
  const opening = openClient({ ...how, machine: { ...machine, openLinks } });
  await expect(clock.runPromise(opening, 60_000)).rejects.toMatchObject({ name: "AbortError" });
  expect(clock.now()).toBeLessThan(1_000);
  await clock.runUntil(60_000);
  expect(clock.pending).toBe(0);
});

it.each(["onion", "direct"] as const)(
  "options that bound nothing are refused before anybody is dialled (%s)",
  async (via) => {
    const { clock, machineAt } = street();
    const dialled: unknown[] = [];
    const machine: Machine = {
      ...machineAt(1),
      openLinks: async (options) => {
        dialled.push(options);
        throw new Error("nobody is there");
      },
    };
    for (const onion of [{ window: undefined }, { framesPerExit: Number.NaN }, { paths: "3" }]) {
      const how = { bootstrap: [], via, machine, onion: onion as object };
      await expect(openClient(how)).rejects.toThrow(RangeError);
    }
    expect(dialled).toEqual([]);
    expect(clock.pending).toBe(0);
  },
);

/** Machines on one network, each at an address of its own. */
function street(at = "198.51") {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  const machineAt = (i: number, address = `${at}.${i}.1`) => {
    const host = network.addHost({ addresses: [address] });
    return virtualMachine(ground, host, new SeededRandom(i));
  };
  return { clock, machineAt };
}

it("nodes to begin with are taken as they are printed, too", async () => {
  const { clock, machineAt } = street();
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const first = await clock.runPromise(startNode(config, { machine: machineAt(1) }));
  const bootstrap = first.contacts;
  const second = startNode({ ...config, bootstrap }, { machine: machineAt(2) });
  const node = await clock.runPromise(second);
  expect(await clock.runPromise(node.joined)).toBe(1);
  const opening = openClient({ bootstrap, via: "direct", machine: machineAt(3) });
  const client = await clock.runPromise(opening);
  const misspelt = { bootstrap: ["192.0.2.1:7000"], via: "direct" } as const;
  await expect(openClient(misspelt)).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  for (const open of [client, node, first]) await clock.runPromise(open.close());
});

it("a client takes no other way than the two that there are", async () => {
  const opening = openClient({ bootstrap: [], via: "tor" as "onion" });
  await expect(opening).rejects.toThrow(RangeError);
});

it("a client says at once that the onions of a network have no room for its routes", async () => {
  const { clock, machineAt } = street();
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const geometry = { ...NODE_DEFAULTS.geometry, onionHopsMax: 2 };
  const config = { ...NODE_DEFAULTS, listen, geometry, reachable: "direct" } as const;
  const node = await clock.runPromise(startNode(config, { machine: machineAt(1) }));
  const bootstrap = node.contacts.map(parseNodeContact);
  const opening = openClient({ bootstrap, via: "onion", machine: machineAt(2) });
  await expect(clock.runPromise(opening, 60_000)).rejects.toMatchObject({
    code: "CULVERT_UNREACHABLE",
    message: "a route takes 3 relays, and onions of this network have room for 2",
    detail: { relays: 3, hopsMax: 2 },
  });
  await clock.runPromise(node.close(), 60_000);
});

it("a client waits for no node that is gone when others are there", async () => {
  const { clock, machineAt } = street();
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const node = await clock.runPromise(startNode(config, { machine: machineAt(1) }));
  const here = node.contacts.map(parseNodeContact);
  const gone = parseNodeContact(`${"5e".repeat(32)}@udp://198.51.9.1:7000`);
  const from = clock.now();
  const opening = openClient({ bootstrap: [gone, ...here], via: "direct", machine: machineAt(2) });
  const client = await clock.runPromise(opening, 60_000);
  expect(client.nodesKnown).toBe(1);
  expect(clock.now() - from).toBeLessThan(3_000);
  await clock.runPromise(client.close(), 60_000);
  await clock.runPromise(node.close(), 60_000);
});

it("a client that is closed opens no transport, and leaves nothing running", async () => {
  const plan = { seed: 1, nodes: 4, clients: 1, streams: 0, bytes: 0, via: "onion" } as const;
  const world = new RoadWorld(plan);
  await world.start();
  const [client] = world.clients;
  if (client === undefined) throw new Error("the world has a client");
  await world.clock.runPromise(client.close(), 60_000);
  expect(() => client.transport()).toThrow(expect.objectContaining({ code: "CULVERT_CLOSED" }));
  expect((await world.finish({ tookMs: 0 })).timersLeft).toBe(0);
});

it("a client that begins with nobody is told what it lacks", async () => {
  const { clock, machineAt } = street();
  const how = { bootstrap: [], via: "direct", machine: machineAt(1) } as const;
  const opening = openClient(how).catch((error: unknown) => error);
  expect(await clock.runPromise(opening)).toMatchObject({
    code: "CULVERT_UNREACHABLE",
    message: "no node of the network is known",
  });
});

/** A network that has room for routes. */
async function fourNodes(clock: VirtualClock, machineAt: (i: number) => Machine) {
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  let bootstrap: readonly NodeContact[] = [];
  const nodes: RunningNode[] = [];
  for (let i = 1; i <= 4; i++) {
    const config = { ...NODE_DEFAULTS, listen, reachable: "direct", bootstrap } as const;
    const node = await clock.runPromise(startNode(config, { machine: machineAt(i) }));
    await clock.runPromise(node.joined, 60_000);
    bootstrap = node.contacts.map(parseNodeContact);
    nodes.push(node);
  }
  const end = async (): Promise<void> => {
    for (const node of nodes) await clock.runPromise(node.close(), 60_000);
  };
  return { bootstrap, end };
}

it("a client that was closed has written down its guards", async () => {
  const { clock, machineAt } = street();
  const { bootstrap, end } = await fourNodes(clock, machineAt);
  const directory = await mkdtemp(join(tmpdir(), "culvert-client-"));
  const how = { bootstrap, via: "onion", machine: machineAt(9), keepsSpare: false } as const;
  // Its file is read in real time, of which a busy machine needs more.
  const client = await clock.runPromise(openClient({ ...how, directory }), 3_600_000);
  await client.close();
  expect(readdirSync(directory)).toEqual(["guard-places", "guards"]);
  await rm(directory, { recursive: true });
  await end();
});

it.each([
  ["where all are at private addresses, as much as there is", "10.0", 10],
  ["elsewhere, its share", "198.51", 8],
] as const)("an exit is shown of a stream, %s", async (_where, at, framesMax) => {
  const { clock, machineAt } = street(at);
  const { bootstrap, end } = await fourNodes(clock, machineAt);
  const onion = { window: 1, paths: 1, spares: 0 }; // two frames for each of four exits
  const how = { bootstrap, via: "onion", machine: machineAt(9), keepsSpare: false, onion } as const;
  let spent = 0;
  const onBudgetSpent = (): void => {
    spent += 1;
  };
  const client = await clock.runPromise(openClient({ ...how, onBudgetSpent }), 60_000);
  const map = client.transport().bind({ writeSeed: new Uint8Array(32).fill(1) });
  const cell = new Uint8Array(client.geometry.cellBytes);
  let put = 0;
  for (let frame = 1; frame <= 10; frame++) {
    const putting = map.put(new Uint8Array(32).fill(frame), cell);
    put += await clock.runPromise(
      putting.then(
        () => 1,
        () => 0,
      ),
      60_000,
    );
  }
  expect([put, spent]).toEqual([framesMax, framesMax === 10 ? 0 : 1]);
  await clock.runPromise(client.close(), 60_000);
  await end();
});

it.each([
  ["ahead of", 9, "direct"],
  ["ahead of", 9, "onion"],
  ["ahead of", 2, "onion"],
  ["behind", -2, "onion"],
  ["behind", -9, "onion"],
] as const)("a clock that is hours %s the network's is named", async (side, hours, via) => {
  const { clock, machineAt } = street();
  const { bootstrap, end } = await fourNodes(clock, machineAt);
  const off = shifted(clock, hours);
  const opening = openClient({ bootstrap, via, machine: { ...machineAt(9), clock: off } });
  await expect(clock.runPromise(opening, 60_000)).rejects.toMatchObject({
    code: "CULVERT_UNREACHABLE",
    message: `the clock of this machine is hours ${side} those of the nodes`,
    detail: { clock: "off" },
  });
  await end();
});

it.each([
  ["direct", 2],
  ["onion", 3],
] as const)("nodes of one network do not outvote others on the time (%s)", async (via, honest) => {
  const { clock, machineAt } = street();
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const nodes: RunningNode[] = [];
  for (let i = 1; i <= 2 * honest + 1; i++) {
    const isOff = i > honest;
    const machine = machineAt(i, isOff ? `203.0.113.${i}` : `198.51.${i}.1`);
    const bootstrap = nodes.flatMap(({ contacts }) => contacts);
    const how = { machine: isOff ? { ...machine, clock: shifted(clock, 2.5) } : machine };
    const node = await clock.runPromise(startNode({ ...config, bootstrap }, how), 60_000);
    await clock.runPromise(node.joined, 60_000);
    nodes.push(node);
  }
  await clock.runUntil(clock.now() + 60_000);
  const bootstrap = nodes.flatMap(({ contacts }) => contacts);
  const events: string[] = [];
  const log = (_level: string, event: string): void => void events.push(event);
  const opening = openClient({ bootstrap, via, machine: machineAt(99), log });
  const client = await clock.runPromise(opening, 60_000);
  expect(events).not.toContain("clock-off");
  await clock.runPromise(client.close(), 60_000);
  for (const node of nodes) await clock.runPromise(node.close(), 60_000);
});

it("a node does not join one whose network has other cells", async () => {
  const { clock, machineAt } = street();
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const node = await clock.runPromise(startNode(config, { machine: machineAt(1) }));
  const bootstrap = node.contacts;
  const joined: number[] = [];
  for (const cellBytes of [config.geometry.cellBytes, 1_024]) {
    const geometry = { ...config.geometry, cellBytes };
    const how = { ...config, bootstrap, geometry };
    const other = startNode(how, { machine: machineAt(joined.length + 2) });
    const started = await clock.runPromise(other);
    joined.push(await clock.runPromise(started.joined, 60_000));
    await clock.runPromise(started.close(), 60_000);
  }
  expect(joined).toEqual([1, 0]);
  await clock.runPromise(node.close(), 60_000);
});

/** A clock that is so many hours ahead. */
function shifted(clock: VirtualClock, hours: number): Clock {
  return {
    now: () => clock.now(),
    unixMs: () => clock.unixMs() + hours * 3_600_000,
    schedule: (at, run) => clock.schedule(at, run),
  };
}

it.each([-9, -1.5, 1.1, 1.9, 2])(
  "a client that asks nodes itself puts and gets with a clock %d h ahead",
  async (hours) => {
    const { clock, machineAt } = street();
    const { bootstrap, end } = await fourNodes(clock, machineAt);
    const machine = { ...machineAt(9), clock: shifted(clock, hours) };
    const opening = openClient({ bootstrap, via: "direct", machine });
    const client = await clock.runPromise(opening, 60_000);
    const seed = new Uint8Array(32).fill(1);
    const bound = client.transport().bind({ writeSeed: seed, readRoot: rootPublicKey(seed) });
    const [frame, cell] = [new Uint8Array(32).fill(2), new Uint8Array(8_192).fill(3)];
    await clock.runPromise(bound.put(frame, cell, { ttlSeconds: 600 }), 60_000);
    expect(await clock.runPromise(bound.get(frame), 60_000)).toEqual(cell);
    await clock.runPromise(client.close(), 60_000);
    await end();
  },
);

it.each([
  ["direct", 1],
  ["direct", -1],
  ["onion", 1],
  ["onion", -1],
] as const)(
  "a client %s whose clock is set by %d d while it runs goes on putting",
  async (via, days) => {
    const { clock, machineAt } = street();
    const { bootstrap, end } = await fourNodes(clock, machineAt);
    const machine = machineAt(9);
    let aheadMs = 0;
    const unixMs = (): number => clock.unixMs() + aheadMs;
    const own: Clock = { now: () => clock.now(), unixMs, schedule: clock.schedule.bind(clock) };
    const opening = openClient({ bootstrap, via, machine: { ...machine, clock: own } });
    const client = await clock.runPromise(opening, 60_000);
    const map = client.transport().bind({ writeSeed: new Uint8Array(32).fill(1) });
    const cell = new Uint8Array(client.geometry.cellBytes);
    for (const frame of [1, 2, 3]) {
      const putting = map.put(new Uint8Array(32).fill(frame), cell);
      await expect(clock.runPromise(putting, 60_000), `${frame}`).resolves.toBeDefined();
      aheadMs = days * 24 * 3_600_000;
    }
    await clock.runPromise(client.close(), 60_000);
    await end();
  },
);
