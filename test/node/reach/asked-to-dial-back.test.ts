import { expect, it } from "vitest";
import { SeededRandom, SILENT } from "../../../src/base/index.ts";
import { type NodeAddress, NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import type { Observation } from "../../../src/link/index.ts";
import { Reachability } from "../../../src/node/reach/reachability.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

function nodeAt(host: string | undefined, seed: number): NodeDescriptor {
  return NodeDescriptor.sign(new NodeIdentity(new Uint8Array(32).fill(seed)), {
    sequence: 1,
    expiresAtUnixS: 4_000_000_000,
    roles: ["storage"],
    geometry: { cellBytes: 1_024, onionBytes: 2_048, onionHopsMax: 5 },
    addresses: host === undefined ? [] : [{ carrier: "udp", host, port: 7_000 }],
    relays: host === undefined ? [new NodeIdentity(new Uint8Array(32).fill(99)).id] : [],
    onionKeys: [],
  });
}

/** Whom a node asks to dial it, of those that it finds. */
async function askedOf(found: readonly NodeDescriptor[]): Promise<number[]> {
  const clock = new VirtualClock();
  const asked: number[] = [];
  const reachability = new Reachability({
    host: { addresses: [], onObserved: () => () => {} },
    overlay: {
      discover: async () => found,
      askToDialBack: async (id) => {
        asked.push(found.findIndex((node) => node.id.every((byte, at) => byte === id[at])));
        return [];
      },
    },
    place: { listening: [], move: () => {}, onChange: () => () => {} },
    clock,
    log: SILENT,
  });
  reachability.start();
  await clock.runUntil(1_000);
  reachability.close();
  return asked;
}

it("who is asked to dial back is of another network than the others, and not relayed", async () => {
  const hosts = ["192.0.2.1", "192.0.2.2", undefined, "192.0.2.3", "198.51.100.1", "203.0.113.1"];
  expect(await askedOf(hosts.map((host, at) => nodeAt(host, at + 1)))).toEqual([0, 4, 5]);
});

it("those who are asked to dial back are of one network where there is no other", async () => {
  const hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
  expect(await askedOf(hosts.map((host, at) => nodeAt(host, at + 1)))).toEqual([0, 1, 2]);
});

it("a node is looked for where others see it, whatever many peers of one network say", async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const at = (host: string): NodeAddress => ({ carrier: "udp", host, port: 7_000 });
  let tell: (seen: Observation) => void = () => {};
  const candidates: NodeAddress[] = [];
  const reachability = new Reachability({
    host: {
      addresses: [at("0.0.0.0")],
      onObserved: (listener) => {
        tell = listener;
        return () => {};
      },
    },
    overlay: {
      discover: async () => [nodeAt("192.0.2.1", 1)],
      askToDialBack: async (_, where) => {
        candidates.push(...where);
        return [];
      },
    },
    place: { listening: [at("10.0.0.2")], move: () => {}, onChange: () => () => {} },
    clock,
    log: SILENT,
  });
  const seen = (host: string, remote: string): void =>
    tell({ address: at(host), by: random.bytes(32), remote: at(remote) });
  seen("203.0.113.1", "192.0.2.1");
  for (let n = 0; n < 100; n++) seen(`198.51.100.${n}`, `198.18.1.${n}`);
  reachability.start();
  await clock.runUntil(1_000);
  reachability.close();
  expect(candidates.map(({ host }) => host)).toContain("203.0.113.1");
});
