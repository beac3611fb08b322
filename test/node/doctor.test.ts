import { expect, it } from "vitest";
import { type Clock, CulvertError, SeededRandom } from "../../src/base/index.ts";
import { type NodeContact, parseNodeContact } from "../../src/identity/index.ts";
import { examineNetwork, type Finding, NODE_DEFAULTS, startNode } from "../../src/node/index.ts";
import type { Machine } from "../../src/node/machine.ts";
import { VirtualClock, VirtualNetwork } from "../../src/testing/index.ts";
import { Capture } from "../../src/testing/road/capture.ts";
import { virtualMachine } from "../../src/testing/road/road-node.ts";

const clock = new VirtualClock();
const network = new VirtualNetwork({ clock, seed: 1 });
const NODES = 5;

function machineAt(host: string): Machine {
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  const random = new SeededRandom(Number(host.split(".")[2]));
  return virtualMachine(ground, network.addHost({ addresses: [host] }), random);
}

async function findings(nodes: readonly NodeContact[], machine: Machine): Promise<Finding[]> {
  const found: Finding[] = [];
  const examine = async (): Promise<void> => {
    for await (const finding of examineNetwork({ nodes, machine })) found.push(finding);
  };
  await clock.runPromise(examine(), 3_600_000);
  return found;
}

const outcomes = (found: readonly Finding[]): string[] =>
  found.map(({ layer, outcome }) => `${layer} ${outcome}`);

it("a step that takes long leaves those behind it their time", async () => {
  let contacts: readonly NodeContact[] = [];
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const nodes = [];
  for (let i = 1; i <= NODES; i++) {
    const whole = { ...config, bootstrap: contacts };
    const node = await clock.runPromise(
      startNode(whole, { machine: machineAt(`198.51.${i}.1`) }),
      60_000,
    );
    await clock.runPromise(node.joined, 60_000);
    contacts = [...contacts, ...node.contacts.map(parseNodeContact)];
    nodes.push(node);
  }
  await clock.runUntil(clock.now() + 60_000);
  const machine = machineAt("198.51.99.1");
  const openLinks: Machine["openLinks"] = async (options) => {
    await new Promise<void>((done) => {
      clock.schedule(clock.now() + 40_000, done);
    });
    return await machine.openLinks(options);
  };
  const found = await findings(contacts.slice(0, 1), { ...machine, openLinks });
  expect(outcomes(found)).toEqual([
    ...["udp ok", "tcp ok", "node ok", "clock ok", "geometry ok"],
    ...["join ok", "direct ok", "direct ok", "circuit ok", "onion ok", "onion ok"],
  ]);
  expect(found.reduce((sum, { ms }) => sum + ms, 0)).toBeGreaterThan(120_000);
  for (const node of nodes) await clock.runPromise(node.close(), 60_000);
});

it("what fails for no reason of the network is not said to have taken too long", async () => {
  const openLinks: Machine["openLinks"] = () => Promise.reject(new RangeError("a defect"));
  const contact = parseNodeContact(`${"5e".repeat(32)}@udp://198.51.1.1:7000`);
  const found = await findings([contact], { ...machineAt("198.51.98.1"), openLinks });
  expect(outcomes(found).slice(0, 5)).toEqual([
    ...["udp failed", "tcp failed", "node failed", "clock skipped", "geometry skipped"],
  ]);
  expect(found[0]).toMatchObject({ code: "CULVERT_INTERNAL", detail: "a defect" });
});

it("nodes that nobody has named are not said to be out of reach", async () => {
  const found = await findings([], machineAt("198.51.96.1"));
  const reasons = found.filter(({ layer }) => ["geometry", "join", "circuit"].includes(layer));
  expect(reasons.map(({ detail }) => detail)).toEqual(Array(3).fill("no node was named"));
});

it("a clock that is hours off is named first, and circuits fail for it", async () => {
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const node = await clock.runPromise(startNode(config, { machine: machineAt("198.51.83.1") }));
  const machine = machineAt("198.51.82.1");
  const ahead: Clock = {
    now: () => clock.now(),
    unixMs: () => clock.unixMs() + 2.25 * 3_600_000,
    schedule: (at, run) => clock.schedule(at, run),
  };
  const found = await findings(node.contacts.map(parseNodeContact), { ...machine, clock: ahead });
  const failed = found.filter(({ outcome }) => outcome === "failed");
  expect(failed.map(({ layer, detail }) => [layer, detail])).toEqual([
    ["clock", "it is hours ahead of most of theirs"],
    ["circuit", "the clock of this machine is hours ahead of those of the nodes"],
  ]);
  await clock.runPromise(node.close(), 60_000);
});

it("nodes of one network do not outvote others on the time", async () => {
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const hosts = ["198.51.75.1", "198.51.76.1", ...[1, 2, 3].map((i) => `198.51.77.${i}`)];
  const nodes = [];
  for (const host of hosts) {
    const unixMs = (): number => clock.unixMs() + (host.includes(".77.") ? 3 * 3_600_000 : 0);
    const own = { now: () => clock.now(), unixMs, schedule: clock.schedule.bind(clock) };
    const machine = { ...machineAt(host), clock: own };
    nodes.push(await clock.runPromise(startNode(config, { machine }), 60_000));
  }
  const contacts = nodes.flatMap((node) => node.contacts.map(parseNodeContact));
  const found = await findings(contacts, machineAt("198.51.78.1"));
  expect(found.find(({ layer }) => layer === "clock")).toMatchObject({ outcome: "ok" });
  for (const node of nodes) await clock.runPromise(node.close(), 60_000);
});

it("asked to stop, it waits no longer for a node that is silent", async () => {
  const stopper = new AbortController();
  const machine = machineAt("198.51.97.1");
  const nodes = [parseNodeContact(`${"5e".repeat(32)}@udp://198.51.96.1:7000`)];
  const examine = async (): Promise<void> => {
    for await (const { layer } of examineNetwork({ nodes, machine, signal: stopper.signal })) {
      expect(["udp", "tcp"]).toContain(layer);
    }
  };
  const examining = examine();
  await clock.runUntil(clock.now() + 1_000);
  stopper.abort(new Error("enough"));
  await expect(clock.runPromise(examining, 100)).rejects.toThrow("enough");
});

it("joining has an end, whatever the network does", async () => {
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const config = { ...NODE_DEFAULTS, listen, reachable: "direct" } as const;
  const node = await clock.runPromise(startNode(config, { machine: machineAt("198.51.95.1") }));
  const machine = machineAt("198.51.94.1");
  let opened = 0;
  const openLinks: Machine["openLinks"] = async (options) => {
    const host = await machine.openLinks(options);
    opened += 1;
    if (opened <= 3) return host; // two ports, and the one that the node is met from
    const end = host.close.bind(host);
    let closed = (_error: Error): void => {};
    host.dial = () => {
      return new Promise((_, reject) => {
        closed = reject;
      });
    };
    host.close = async (how) => {
      closed(new CulvertError("CULVERT_CLOSED"));
      await end(how);
    };
    return host;
  };
  const contacts = node.contacts.map(parseNodeContact);
  const found = await findings(contacts, { ...machine, openLinks });
  expect(found.slice(5)).toMatchObject([
    {
      layer: "join",
      outcome: "failed",
      code: "CULVERT_TIMEOUT",
      detail: "no end of it after 60 s",
    },
    ...[{ outcome: "skipped" }, { outcome: "skipped" }],
    { layer: "circuit", outcome: "failed", code: "CULVERT_TIMEOUT", ms: 60_000 },
    ...[{ outcome: "skipped" }, { outcome: "skipped" }],
  ]);
  await clock.runPromise(node.close(), 60_000);
});

it("nodes that do not know each other are told from those of one network", async () => {
  const listen = [{ carrier: "udp", host: "0.0.0.0", port: 7_000 }] as const;
  const start = async (host: string, bootstrap: readonly NodeContact[]) => {
    const config = { ...NODE_DEFAULTS, listen, reachable: "direct", bootstrap } as const;
    const node = await clock.runPromise(startNode(config, { machine: machineAt(host) }), 60_000);
    await clock.runPromise(node.joined, 60_000);
    return { node, contacts: node.contacts.map(parseNodeContact) };
  };
  const first = await start("198.51.90.1", []);
  const friend = await start("198.51.91.1", first.contacts);
  const stranger = await start("198.51.92.1", []);
  const examine = async (other: typeof first, from: string) => {
    const found = await findings([...first.contacts, ...other.contacts], machineAt(from));
    return found.filter(({ layer }) => layer === "geometry")[1];
  };
  expect(await examine(friend, "198.51.89.1")).toMatchObject({ outcome: "ok" });
  expect(await examine(stranger, "198.51.88.1")).toMatchObject({
    ...{ outcome: "failed", code: "CULVERT_UNREACHABLE" },
    detail: expect.stringContaining(stranger.node.name.slice(0, 12)),
  });
  for (const { node } of [first, friend, stranger]) await clock.runPromise(node.close(), 60_000);
});
