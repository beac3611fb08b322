import { expect, it } from "vitest";
import { utf8 } from "../../src/base/index.ts";
import type { Overlay } from "../../src/node/overlay.ts";
import { CircuitTunnels } from "../../src/node/voidphone-tunnels.ts";
import { Circuit } from "../../src/onion/index.ts";
import type { VoidphoneTunnel } from "../../src/voidphone/index.ts";
import { VirtualNet } from "../onion/virtual-net.ts";

it("a tunnel that nobody listens for is taken down at once, and others are told of", async () => {
  const net = new VirtualNet(4);
  const service = net.service(3);
  const { clock, random } = service;
  // Nothing is looked for in the DHT by who is only met.
  const overlay = {} as Overlay;
  const tunnels = new CircuitTunnels({ overlay, tunnels: service, clock, random, isLocal: true });
  const greet = async (): Promise<Circuit> => {
    const circuit = await net.settle(Circuit.build(net.service(0), net.route(1, 2, 3)));
    circuit.sendData(utf8("voidphone"));
    await net.rest();
    return circuit;
  };
  expect((await greet()).isEnded).toBe(true);
  const told: VoidphoneTunnel[] = [];
  const stop = tunnels.accept((tunnel) => told.push(tunnel));
  expect((await greet()).isEnded).toBe(false);
  stop();
  expect((await greet()).isEnded).toBe(true);
  expect(told).toHaveLength(1);
  net.close();
});
