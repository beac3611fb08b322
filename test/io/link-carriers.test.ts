import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { type CarrierName, NodeIdentity } from "../../src/identity/index.ts";
import { tcpNetwork } from "../../src/io/tcp-network.ts";
import { udxNetwork } from "../../src/io/udx-network.ts";
import { encodeOpening, readOpening } from "../../src/link/carrier/udp-opening.ts";
import { type HostPort, openLinkHost } from "../../src/link/index.ts";
import { type LinkFixture, linkCompliance } from "../../src/testing/index.ts";
import { CutNetwork } from "../link/cut-network.ts";

const LOOPBACK: HostPort = { host: "127.0.0.1", port: 0 };
const identityOf = (number: number) => new NodeIdentity(new Uint8Array(32).fill(number));

async function fixture(carrier: CarrierName): Promise<LinkFixture> {
  const connections = new CutNetwork();
  const open = (number: number) =>
    openLinkHost({
      identity: identityOf(number),
      network: "test",
      udp: LOOPBACK,
      tcp: LOOPBACK,
      limits: { streamsInMax: 8 },
      components: { udp: connections.udp(udxNetwork), tcp: connections.tcp(tcpNetwork) },
    });
  const [a, b] = [await open(1), await open(2)];
  const ways = (name: CarrierName) => b.addresses.filter((address) => address.carrier === name);
  return {
    a,
    b,
    target: { id: b.id, addresses: ways(carrier) },
    keyOfB: identityOf(2).publicKey,
    otherWay: { addresses: ways(carrier === "udp" ? "tcp" : "udp") },
    cut: () => connections.cut(),
    elapse: (promise) => promise,
    teardown: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
}

describe("links over TCP", () => {
  linkCompliance(it, () => fixture("tcp"));
});

describe("links over UDP", () => {
  linkCompliance(it, () => fixture("udp"));
});

describe("the UDP socket of a host", () => {
  it("answers a hello with a retry, and takes no cookie that it did not give", async () => {
    const host = await openLinkHost({ identity: identityOf(3), network: "test", udp: LOOPBACK });
    const [to] = host.addresses;
    const socket = await udxNetwork.bind(LOOPBACK);
    const answers: Uint8Array[] = [];
    const heard = new Promise<void>((resolve) => {
      socket.start({
        datagram: (bytes) => {
          answers.push(bytes);
          resolve();
        },
      });
    });
    const hello = { streamId: 9, nonce: new SeededRandom(1).bytes(8) };
    const forged = encodeOpening({ kind: "confirm", ...hello, cookie: new Uint8Array(24) });
    socket.send(forged, to as HostPort);
    socket.send(Uint8Array.of(0x77, 1, 2, 3), to as HostPort);
    socket.send(encodeOpening({ kind: "hello", ...hello }), to as HostPort);
    await heard;
    expect(answers.map((bytes) => readOpening(bytes).kind)).toEqual(["retry"]);
    expect(host.links()).toEqual([]);
    await Promise.all([socket.close(), host.close()]);
  });

  it("carries probes to and fro, on the port of its links", async () => {
    const [a, b] = await Promise.all(
      [4, 5].map((number) =>
        openLinkHost({ identity: identityOf(number), network: "test", udp: LOOPBACK }),
      ),
    );
    const heard = new Promise((resolve) => {
      b?.probes?.onProbe((bytes, from) => resolve([...bytes, from.port]));
    });
    a?.probes?.send(Uint8Array.of(1, 2), b?.probes?.address as HostPort);
    expect(await heard).toEqual([1, 2, a?.probes?.address.port]);
    await Promise.all([a?.close(), b?.close()]);
  });
});
