import { describe, it } from "vitest";
import { type CarrierName, NodeIdentity } from "../../src/identity/index.ts";
import { type LinkFixture, linkCompliance } from "../../src/testing/index.ts";
import { cutPair } from "./cut-network.ts";

async function virtualFixture(
  carrier: CarrierName,
  line: { loss?: number; jitterMs?: number },
): Promise<LinkFixture> {
  const { clock, a, b, cut } = await cutPair(7, { line, limits: { streamsInMax: 8 } });
  const keyOfB = new NodeIdentity(new Uint8Array(32).fill(2)).publicKey;
  const ways = (name: CarrierName) => b.addresses.filter((address) => address.carrier === name);
  return {
    a,
    b,
    target: { id: b.id, addresses: ways(carrier) },
    keyOfB,
    otherWay: { addresses: ways(carrier === "udp" ? "tcp" : "udp") },
    cut,
    elapse: (promise) => clock.runPromise(promise, 600_000),
    teardown: async () => {
      await clock.runPromise(Promise.all([a.close(), b.close()]));
    },
  };
}

describe("links over virtual TCP", () => {
  linkCompliance(it, () => virtualFixture("tcp", {}));
});

describe("links over virtual UDP", () => {
  linkCompliance(it, () => virtualFixture("udp", {}));
});

describe("links over virtual UDP that loses and reorders", () => {
  linkCompliance(it, () => virtualFixture("udp", { loss: 0.1, jitterMs: 30 }));
});
