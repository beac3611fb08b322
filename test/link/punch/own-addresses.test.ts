import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { openLinkHost, type UdpNetwork } from "../../../src/link/index.ts";
import { readOffer } from "../../../src/link/punch/offer.ts";
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
