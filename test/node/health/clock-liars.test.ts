import { expect, it } from "vitest";
import { SeededRandom, SILENT } from "../../../src/base/index.ts";
import { Contact } from "../../../src/dht/index.ts";
import { NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { ClockWatch } from "../../../src/node/health/clock-watch.ts";
import { NODE_DEFAULTS } from "../../../src/node/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const HOUR_MS = 3_600_000;
const NOON = 482_136;

/** A watch that knows nodes at these hosts, with the hours that each says that it is. */
async function watch(seed: number, nodes: readonly { host: string; hours: number }[]) {
  const clock = new VirtualClock({ startUnixMs: NOON * HOUR_MS });
  const random = new SeededRandom(seed);
  const said = new Map<string, NodeDescriptor>();
  const contacts = nodes.map(({ host, hours }) => {
    const identity = new NodeIdentity(random.bytes(32));
    const address = { carrier: "udp", host, port: 7_000 } as const;
    const contact = Contact.of(identity.id, { addresses: [address] }).heardAt(host);
    const onionKeys = [{ epoch: NOON + hours, publicKey: new Uint8Array(32).fill(1) }];
    const descriptor = NodeDescriptor.sign(identity, {
      ...{ sequence: 1, expiresAtUnixS: (NOON + 3) * 3_600, roles: [], relays: [] },
      ...{ geometry: NODE_DEFAULTS.geometry, addresses: [address], onionKeys },
    });
    said.set(contact.key, descriptor);
    return contact;
  });
  const describe = async ({ key }: Contact) => said.get(key);
  const parts = { nodes: () => contacts, describe, clock, random, log: SILENT };
  const watched = new ClockWatch(parts);
  watched.start();
  await clock.runUntil(clock.now() + 1_000);
  watched.close();
  return watched.isOff;
}

const honest = (count: number, hours = 0) =>
  Array.from({ length: count }, (_, i) => ({ host: `198.51.${i}.1`, hours }));

it.each([
  ["one /24", (i: number) => `203.0.113.${i + 1}`],
  ["one /32 of IPv6", (i: number) => `2001:db8:${(i + 1).toString(16)}::1`],
])("many ids of %s do not make a node doubt its clock", async (_, host) => {
  const liars = Array.from({ length: 40 }, (_, i) => ({ host: host(i), hours: 5 }));
  for (let seed = 1; seed <= 20; seed++) {
    expect(await watch(seed, [...liars, ...honest(3)]), `seed ${seed}`).toBe(false);
  }
});

it.each([
  ["in networks of their own", (i: number) => `198.51.${i}.1`],
  ["in one network", (i: number) => `198.51.100.${i + 1}`],
  ["behind one router", (i: number) => `192.168.1.${i + 1}`],
])("nodes %s tell by most of them that the clock is off", async (_, host) => {
  const wrong = [0, 5, 5, 5, 5].map((hours, i) => ({ host: host(i), hours }));
  expect(await watch(1, wrong)).toBe(true);
  const right = [5, 0, 0, 0, 0].map((hours, i) => ({ host: host(i), hours }));
  expect(await watch(1, right)).toBe(false);
});
