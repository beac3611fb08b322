import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { DhtContext } from "../../../src/dht/exchange/dht-context.ts";
import { DhtNodeCore } from "../../../src/dht/node/dht-node-core.ts";
import { RequestServer } from "../../../src/dht/node/request-server.ts";
import { StoreTokens } from "../../../src/dht/values/store-tokens.ts";
import { VALUE_LIMITS } from "../../../src/dht/values/value-limits.ts";
import { ValueStore } from "../../../src/dht/values/value-store.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { keyOf } from "../../../src/dht/wire/key.ts";
import { type NodeAddress, NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { randomContacts } from "../nodes.ts";

const UNIX_MS = 1_800_000_000_000;
const random = new SeededRandom(1);

function descriptorAt(...addresses: readonly NodeAddress[]): NodeDescriptor {
  return NodeDescriptor.sign(new NodeIdentity(random.bytes(32)), {
    ...{ sequence: 1, expiresAtUnixS: UNIX_MS / 1_000 + 7_200, roles: ["storage"] as const },
    ...{ geometry: { cellBytes: 8_192, onionBytes: 2_048, onionHopsMax: 5 } },
    ...{ addresses, relays: [], onionKeys: [] },
  });
}

it("lets no ids of one machine push out what nodes say of themselves", () => {
  const limits = { ...VALUE_LIMITS, descriptorsMax: 64 };
  const store = new ValueStore({ limits, recordRule: () => undefined, unixMsAtZero: UNIX_MS });
  const tokens = new StoreTokens(random.bytes(32), 1_000);
  const server = new RequestServer({ store } as Partial<DhtContext> as DhtContext, tokens);
  const publish = (descriptor: NodeDescriptor, source: string): string => {
    const { id } = descriptor;
    const value = { kind: "descriptor", ttlSeconds: 3_600, bytes: descriptor.toBytes() } as const;
    const asker = { id, source, isAddressProven: true };
    return server.answer({ kind: "store", key: id, isCopy: false, value }, asker, 0).kind;
  };
  const honest = Array.from({ length: 10 }, (_, i) => {
    const at = { host: `64.${i}.1.1`, port: 7_000 };
    return descriptorAt({ ...at, carrier: "udp" }, { ...at, carrier: "tcp" });
  });
  for (const [i, descriptor] of honest.entries()) {
    expect(publish(descriptor, `64.${i}.1`)).toBe("stored");
  }
  for (let i = 0; i < 200; i++) {
    publish(descriptorAt({ carrier: "udp", host: "203.0.113.1", port: i + 1 }), "203.0.113");
  }
  const left = honest.filter(({ id }) => store.get(keyOf(id), "descriptor", 0) !== undefined);
  expect(left).toEqual(honest);
});

it("tells a node of others, and not of itself", () => {
  const core = new DhtNodeCore({ id: random.bytes(32), random, unixMsAtZero: UNIX_MS });
  const known = randomContacts(2, 8);
  for (const contact of known) core.handle({ kind: "met", contact }, 0);
  const [contact, ...others] = known as [Contact, ...Contact[]];
  const asker = { id: contact.id, source: "s", isAddressProven: true, contact };
  const request = { kind: "find-node", target: contact.id } as const;
  core.handle({ kind: "request", exchange: 1, asker, request }, 0);
  const effect = core.poll();
  const response = effect?.kind === "answer" ? effect.response : undefined;
  const told = response?.kind === "nodes" ? response.contacts : [];
  expect(new Set(told)).toEqual(new Set(others));
});
