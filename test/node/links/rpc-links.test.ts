import { describe, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  rpcCompliance,
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";
import { linkPair } from "./link-pair.ts";

const HOSTS = { a: "192.0.2.1", b: "198.51.100.1" } as const;

describe.each(["tcp", "udp"] as const)("over links on a virtual network, %s", (carrier) => {
  rpcCompliance(test, async () => {
    const clock = new VirtualClock();
    const network = new VirtualNetwork({ clock, seed: 1 });
    const pair = await linkPair(clock, (end) => {
      const host = network.addHost({ addresses: [HOSTS[end]] });
      const random = new SeededRandom(end === "a" ? 1 : 2);
      const components = { clock, random, udp: virtualUdp(host), tcp: virtualTcp(host) };
      return { [carrier]: { host: HOSTS[end], port: 7000 }, components };
    });
    const elapse = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 3_600_000);
    const { a, b, close } = pair;
    return { a, b, clock, elapse, teardown: () => elapse(close()) };
  });
});
