import { describe, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { type CarrierName, NodeIdentity } from "../../src/identity/index.ts";
import { openLinkHost } from "../../src/link/index.ts";
import {
  type LinkFixture,
  linkCompliance,
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../src/testing/index.ts";
import { CutNetwork } from "./cut-network.ts";

const ANY = { host: "0.0.0.0", port: 0 };

async function virtualFixture(
  carrier: CarrierName,
  line: { loss?: number; jitterMs?: number },
): Promise<LinkFixture> {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 7, line: { delayMs: 20, ...line } });
  const connections = new CutNetwork();
  const open = (number: number) => {
    const host = network.addHost({ addresses: [`192.0.2.${number}`] });
    return openLinkHost({
      identity: new NodeIdentity(new Uint8Array(32).fill(number)),
      network: "test",
      udp: ANY,
      tcp: ANY,
      limits: { streamsInMax: 8 },
      components: {
        clock,
        random: new SeededRandom(number),
        udp: connections.udp(virtualUdp(host)),
        tcp: connections.tcp(virtualTcp(host)),
      },
    });
  };
  const [a, b] = [await open(1), await open(2)];
  const keyOfB = new NodeIdentity(new Uint8Array(32).fill(2)).publicKey;
  const ways = (name: CarrierName) => b.addresses.filter((address) => address.carrier === name);
  return {
    a,
    b,
    target: { id: b.id, addresses: ways(carrier) },
    keyOfB,
    otherWay: { addresses: ways(carrier === "udp" ? "tcp" : "udp") },
    cut: () => connections.cut(),
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
