import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { openLinkHost, type UdpNetwork } from "../../../src/link/index.ts";
import { PUNCH_LIMITS } from "../../../src/link/punch/limits.ts";
import { readOffer } from "../../../src/link/punch/offer.ts";
import { OwnAddresses } from "../../../src/link/punch/own-addresses.ts";
import { PunchService } from "../../../src/link/punch/punch-service.ts";
import { decodeSignal, SIGNAL_PROTOCOL } from "../../../src/link/punch/signal.ts";
import { virtualUdp } from "../../../src/testing/index.ts";
import { LinkWorld } from "../link-world.ts";

const ANYWHERE = { host: "0.0.0.0", port: 7_000 };

/** As sockets of the system do, those that are bound to every address say so. */
function bindingAnywhere(udp: UdpNetwork): UdpNetwork {
  return {
    async bind(at) {
      const socket = await udp.bind(at);
      return {
        address: { ...socket.address, host: at.host },
        start: (events) => socket.start(events),
        send: (bytes, to) => socket.send(bytes, to),
        connect: (stream) => socket.connect(stream),
        close: () => socket.close(),
      };
    },
  };
}

describe("a node whose machine comes into another network", () => {
  it("offers its addresses there", async () => {
    const world = new LinkWorld({ seed: 11 });
    const { clock } = world;
    const via = await world.add("192.0.2.2");
    const vhost = world.network.addHost({ addresses: ["192.168.1.2"] });
    const random = new SeededRandom(11);
    const identity = new NodeIdentity(random.bytes(32));
    const components = { clock, random, udp: bindingAnywhere(virtualUdp(vhost)) };
    const host = await openLinkHost({ identity, network: "test", udp: ANYWHERE, components });
    await world.run(host.dial({ id: via.host.id, addresses: via.host.addresses.slice(0, 1) }));
    const offered: string[][] = [];
    via.host.onDatagram(SIGNAL_PROTOCOL, (bytes) => {
      const signal = decodeSignal(bytes);
      if (signal.kind !== "to") return;
      offered.push(readOffer(signal.body).addresses.map((address) => address.host));
    });
    let hosts = ["192.168.1.2"];
    const localHosts = (): string[] => hosts;
    const punching = new PunchService({ host, identity, clock, random, localHosts });
    const peer = new Uint8Array(32).fill(9);
    await world.run(punching.punch(peer, via.host.id)).catch(() => {});
    hosts = ["10.0.0.7"];
    await world.run(punching.punch(peer, via.host.id)).catch(() => {});
    expect(offered.at(0)).toEqual(["192.168.1.2"]);
    expect(offered.at(-1)).toEqual(["10.0.0.7"]);
    expect(punching.addresses.map((address) => address.host)).toEqual(["10.0.0.7"]);
    punching.close();
    await world.run(host.close());
    await world.close();
  });
});

describe("what others see shows what the NAT does", () => {
  const node = (n: number): Uint8Array => new Uint8Array(32).fill(n);
  const [A, B, C, D] = [node(1), node(2), node(3), node(4)];

  /** What is made of observations, in their order, one each second. */
  const judged = (...seen: readonly (readonly [Uint8Array, string, number] | "moves")[]) => {
    const own = new OwnAddresses(PUNCH_LIMITS);
    let local = [{ host: "192.168.1.2", port: 7_000 }];
    own.setLocal(local, 0);
    for (const [at, one] of seen.entries()) {
      if (one === "moves") local = [{ host: "10.0.0.7", port: 7_000 }];
      else {
        const address = { host: one[1], port: one[2] };
        own.observe({ address, by: one[0], from: "192.0.2.2" }, at * 1_000);
      }
      // Looked at again and again: only another address is another network.
      own.setLocal(local, at * 1_000);
    }
    return own.mapping(seen.length * 1_000);
  };

  it("when several see the same port, or different ones", () => {
    expect(judged([A, "192.0.2.9", 7])).toBe("unknown");
    expect(judged([A, "192.0.2.9", 7], [B, "192.0.2.9", 7])).toBe("endpoint-independent");
    expect(judged([A, "192.0.2.9", 7], [B, "192.0.2.9", 8])).toBe("endpoint-dependent");
  });

  it("and not when the network is another one since", () => {
    expect(judged([A, "192.0.2.9", 7], [B, "192.0.2.9", 7], "moves", [C, "192.0.2.9", 8])).toBe(
      "unknown",
    );
    expect(judged([A, "192.0.2.9", 7], "moves", [C, "192.0.2.9", 8], [D, "192.0.2.9", 8])).toBe(
      "endpoint-independent",
    );
  });

  it("and not when the NAT has another address since", () => {
    expect(judged([A, "192.0.2.9", 7], [B, "192.0.2.9", 7], [C, "192.0.2.77", 7])).toBe("unknown");
    expect(judged([A, "192.0.2.9", 7], [C, "192.0.2.77", 8], [D, "192.0.2.77", 8])).toBe(
      "endpoint-independent",
    );
  });
});
