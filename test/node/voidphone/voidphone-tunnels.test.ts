import { expect, it } from "vitest";
import { equalBytes, utf8 } from "../../../src/base/index.ts";
import { type NodeId, nodeIdText } from "../../../src/identity/index.ts";
import type { Overlay } from "../../../src/node/overlay.ts";
import {
  CircuitTunnels,
  type CircuitTunnelsComponents,
  hostKeyOf,
} from "../../../src/node/voidphone/voidphone-tunnels.ts";
import { Circuit } from "../../../src/onion/index.ts";
import type { VoidphoneTunnel } from "../../../src/voidphone/index.ts";
import { VirtualNet } from "../../onion/virtual-net.ts";

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
  const sources: string[] = [];
  const stop = tunnels.accept((tunnel, source) => {
    told.push(tunnel);
    sources.push(source);
  });
  expect((await greet()).isEnded).toBe(false);
  expect(sources).toEqual([nodeIdText(net.node(2).id)]);
  stop();
  expect((await greet()).isEnded).toBe(true);
  expect(told).toHaveLength(1);
  net.close();
});

it("cover comes back to who has sent it, and is no tunnel", async () => {
  const net = new VirtualNet(4);
  const service = net.service(3);
  const { clock, random } = service;
  const overlay = {} as Overlay;
  const tunnels = new CircuitTunnels({ overlay, tunnels: service, clock, random, isLocal: true });
  const told: VoidphoneTunnel[] = [];
  tunnels.accept((tunnel) => told.push(tunnel));
  const circuit = await net.settle(Circuit.build(net.service(0), net.route(1, 2, 3)));
  const back: number[] = [];
  circuit.setDataHandler((content) => back.push(content.length));
  // What is neither cover nor a tunnel is not answered.
  circuit.sendData(new Uint8Array(5));
  circuit.sendData(utf8("voidphone-cover"));
  for (const bytes of [1, 700, 65_535]) circuit.sendData(new Uint8Array(bytes));
  await net.rest();
  expect(back).toEqual([1, 700, 65_535]);
  expect(told).toEqual([]);
  net.close();
});

it("a node that sends cover gets it back", async () => {
  const net = new VirtualNet(9);
  for (const index of [1, 2, 3, 4, 5, 6, 7]) {
    const service = net.service(index);
    const { clock, random } = service;
    const parts = { tunnels: service, clock, random, isLocal: true };
    expect(new CircuitTunnels({ overlay: {} as Overlay, ...parts })).toBeDefined();
  }
  await net.settle(tunnelsOver(net).cover(20_000));
  net.passages.length = 0;
  await net.rest();
  const bytesTo = (is: (to: number) => boolean): number =>
    net.passages.reduce((sum, { to, bytes }) => sum + (is(to) ? bytes.length : 0), 0);
  expect(bytesTo((to) => to === 0)).toBeGreaterThan(20_000);
  net.close();
});

/** Tunnels of the first node to the last one, over those between. */
function tunnelsOver(
  net: VirtualNet,
  kept: Partial<Pick<CircuitTunnelsComponents, "guards" | "onGuards">> = {},
): CircuitTunnels {
  const service = net.service(0);
  const { clock, random } = service;
  const described = (index: number) => {
    const { id, onionKeys } = net.peer(index);
    const claims = { addresses: [], onionKeys };
    return { id, claims, has: () => true, isExpired: () => false };
  };
  const relays = [1, 2, 3, 4, 5, 6, 7];
  const overlay = {
    directory: { find: () => described(8) },
    discover: async () => relays.map(described),
    lookup: async (id: Uint8Array) => relays.map(described).find((node) => equalBytes(node.id, id)),
  } as unknown as Overlay;
  return new CircuitTunnels({
    ...{ overlay, tunnels: service, clock, random, isLocal: true },
    ...kept,
  });
}

it("tunnels keep their first hops from one run to the next", async () => {
  const net = new VirtualNet(9);
  const { signal } = new AbortController();
  const hostKey = hostKeyOf(new Uint8Array(32).fill(8));
  const kept: (readonly NodeId[])[] = [];
  const onGuards = (guards: readonly NodeId[]): void => void kept.push(guards);
  const first = tunnelsOver(net, { onGuards });
  (await net.settle(first.build({ hostKey }, { signal }))).destroy();
  const guards = kept.at(-1) ?? [];
  expect(guards.length).toBeGreaterThan(0);
  for (let run = 0; run < 10; run++) {
    const again = tunnelsOver(net, { guards, onGuards });
    (await net.settle(again.build({ hostKey }, { signal }))).destroy();
    expect(kept.at(-1)?.slice(0, guards.length)).toEqual(guards);
  }
  net.close();
});

it("a tunnel does not go again and again over nodes that are gone", async () => {
  const net = new VirtualNet(9);
  const tunnels = tunnelsOver(net);
  for (const index of [1, 2, 3]) net.kill(index);
  const { signal } = new AbortController();
  const hostKey = hostKeyOf(new Uint8Array(32).fill(8));
  let failed = 0;
  for (let i = 0; i < 40; i++) {
    const built = await net.settle(tunnels.build({ hostKey }, { signal }).catch(() => undefined));
    if (built === undefined) failed += 1;
    else built.destroy();
  }
  expect(failed).toBeGreaterThan(0);
  expect(failed).toBeLessThan(10);
  net.close();
});
