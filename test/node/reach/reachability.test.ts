import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  formatNodeAddress,
  type NodeContact,
  type NodeDescriptor,
  NodeIdentity,
  parseNodeContact,
} from "../../../src/identity/index.ts";
import { openLinkHost } from "../../../src/link/index.ts";
import {
  NODE_DEFAULTS,
  type NodeConfig,
  type RunningNode,
  startNode,
} from "../../../src/node/index.ts";
import type { Machine } from "../../../src/node/machine.ts";
import { NETWORK_NAME } from "../../../src/node/network-name.ts";
import { Overlay } from "../../../src/node/overlay.ts";
import {
  type NatKind,
  VirtualClock,
  type VirtualHost,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";
import { Capture } from "../../../src/testing/road/capture.ts";
import { virtualMachine } from "../../../src/testing/road/road-node.ts";

const OPEN_NODES = 4;
const ANY = [
  { carrier: "udp", host: "0.0.0.0", port: 7_000 },
  { carrier: "tcp", host: "0.0.0.0", port: 7_000 },
] as const;

/** Links of the virtual network name an address where those of a machine name all of them. */
function boundToAll(machine: Machine): Machine {
  const openLinks: Machine["openLinks"] = async (options) => {
    const links = await machine.openLinks(options);
    const addresses = links.addresses.map((address) => ({ ...address, host: "0.0.0.0" }));
    return new Proxy(links, {
      get: (target, name) => {
        if (name === "addresses") return addresses;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return { ...machine, openLinks };
}

/** Four nodes in the open, and a stranger who looks others up. */
class Place {
  readonly clock = new VirtualClock();
  readonly network = new VirtualNetwork({ clock: this.clock, seed: 1 });
  readonly #random = new SeededRandom(1);
  readonly #running: RunningNode[] = [];
  #contacts: readonly NodeContact[] = [];
  #stranger: Overlay | undefined;

  async start(): Promise<void> {
    for (let i = 0; i < OPEN_NODES; i++) {
      const host = this.network.addHost({ addresses: [`198.51.${100 + i}.1`] });
      const node = await this.node(host, { reachable: "direct" });
      this.#contacts = [...this.#contacts, ...node.contacts.slice(0, 1).map(parseNodeContact)];
    }
    await this.stranger("198.51.200.1", this.#contacts);
  }

  async node(host: VirtualHost, config: Partial<NodeConfig>): Promise<RunningNode> {
    const capture = new Capture(this.clock);
    const ground = { clock: this.clock, capture, isWatched: false };
    const random = this.#random.fork(this.#running.length);
    const machine = boundToAll(virtualMachine(ground, host, random));
    const whole = { ...NODE_DEFAULTS, listen: ANY, bootstrap: this.#contacts, ...config };
    const node = await this.elapse(startNode(whole, { machine }));
    this.#running.push(node);
    await this.elapse(node.joined);
    return node;
  }

  /** A machine behind a router of its own. */
  home(kind: NatKind): VirtualHost {
    const behind = this.network.addNat({ kind, outer: "203.0.113.1" });
    return this.network.addHost({ addresses: ["10.0.0.2"], behind });
  }

  /** What a node says of itself after a while, as a stranger finds it. */
  async claimsAfter(ms: number, { name }: RunningNode): Promise<NodeDescriptor["claims"]> {
    await this.clock.runUntil(this.clock.now() + ms);
    const lookup = this.#stranger?.dht.lookup(Uint8Array.from(Buffer.from(name, "hex")));
    const descriptor = await this.elapse(lookup ?? Promise.resolve(undefined));
    if (descriptor === undefined) throw new Error("the node is not found");
    return descriptor.claims;
  }

  /** Whether the stranger gets a link to the node. */
  async meets({ name }: RunningNode): Promise<{ readonly isRelayed: boolean } | undefined> {
    const id = Uint8Array.from(Buffer.from(name, "hex"));
    return await this.elapse(this.#stranger?.links.to(id) ?? Promise.resolve(undefined));
  }

  async end(): Promise<void> {
    await this.elapse(this.#stranger?.close() ?? Promise.resolve());
    await this.elapse(this.#stranger?.host.close() ?? Promise.resolve());
    await this.elapse(Promise.all(this.#running.map((node) => node.close())));
  }

  async elapse<T>(promise: Promise<T>): Promise<T> {
    return await this.clock.runPromise(promise, 300_000);
  }

  /** Somebody who asks, and is asked nothing. */
  async stranger(address: string, by: readonly NodeContact[]): Promise<Overlay> {
    const host = this.network.addHost({ addresses: [address] });
    const { clock } = this;
    const random = this.#random.fork(99);
    const identity = new NodeIdentity(random.bytes(32));
    const components = { clock, random, udp: virtualUdp(host), tcp: virtualTcp(host) };
    const udp = { host: "0.0.0.0", port: 7_000 };
    const links = await openLinkHost({ identity, network: NETWORK_NAME, udp, components });
    const parts = { host: links, identity, clock, random };
    const isLocal = address.startsWith("10.");
    this.#stranger = new Overlay(parts, { addresses: () => [], isLocal });
    await this.elapse(this.#stranger.join(by));
    return this.#stranger;
  }
}

describe("a node that finds out whether others reach it", () => {
  let place: Place;
  beforeEach(async () => {
    place = new Place();
    await place.start();
  });
  afterEach(() => place.end());

  it("in the open names both of its ports", async () => {
    const node = await place.node(place.network.addHost({ addresses: ["192.0.2.9"] }), {});
    const { addresses, relays, roles } = await place.claimsAfter(30_000, node);
    expect(addresses.map(formatNodeAddress)).toEqual([
      "udp://192.0.2.9:7000",
      "tcp://192.0.2.9:7000",
    ]);
    expect([relays.length, roles.includes("link-relay")]).toEqual([0, true]);
  });

  it("behind a router that lets all in names the router's address, and is met there", async () => {
    const node = await place.node(place.home("full-cone"), {});
    const { addresses } = await place.claimsAfter(30_000, node);
    expect(addresses.map(formatNodeAddress)).toEqual(["udp://203.0.113.1:7000"]);
    expect(await place.meets(node)).toMatchObject({ isRelayed: false });
  });

  it.each(["port-restricted", "symmetric"] as const)(
    "behind a router that lets only answers in is met through relays: %s",
    async (kind) => {
      const node = await place.node(place.home(kind), {});
      const { addresses, relays, roles } = await place.claimsAfter(60_000, node);
      expect([addresses.length, relays.length]).toEqual([0, 2]);
      expect(roles).not.toContain("link-relay");
      expect(await place.meets(node)).toBeDefined();
    },
  );

  it("gives its relays up when it comes into the open", async () => {
    const host = place.home("port-restricted");
    const node = await place.node(host, {});
    expect((await place.claimsAfter(60_000, node)).relays).toHaveLength(2);
    place.network.move(host, { addresses: ["192.0.2.9"] });
    await place.clock.runUntil(place.clock.now() + 40_000);
    expect(node.contacts.map((contact) => parseNodeContact(contact).address.host)).toEqual([
      "192.0.2.9",
      "192.0.2.9",
    ]);
    const { addresses, relays } = await place.claimsAfter(1_300_000, node);
    expect(relays).toEqual([]);
    expect(addresses.map(({ host: at }) => at)).toEqual(["192.0.2.9", "192.0.2.9"]);
  });

  it.each(["auto", "direct"] as const)(
    "names its addresses in the network that its machine has moved to: %s",
    async (reachable) => {
      const host = place.network.addHost({ addresses: ["192.0.2.9"] });
      const node = await place.node(host, { reachable });
      const hosts = ({ addresses }: NodeDescriptor["claims"]): string[] =>
        addresses.map(({ host: at }) => at);
      expect(hosts(await place.claimsAfter(30_000, node))).toEqual(["192.0.2.9", "192.0.2.9"]);
      place.network.move(host, { addresses: ["203.0.113.9"] });
      expect(hosts(await place.claimsAfter(120_000, node))).toEqual(["203.0.113.9", "203.0.113.9"]);
      expect(await place.meets(node)).toMatchObject({ isRelayed: false });
    },
  );

  it("is not asked where it says where it is reached, or that it is", async () => {
    const announce = [{ carrier: "udp", host: "203.0.113.1", port: 9 } as const];
    const told = await place.node(place.home("symmetric"), { announce });
    const open = place.network.addHost({ addresses: ["10.0.0.7"] });
    const sure = await place.node(open, { reachable: "direct" });
    // Longer than it takes to believe that nobody gets through.
    expect((await place.claimsAfter(240_000, told)).addresses).toEqual(announce);
    const { addresses, relays } = await place.claimsAfter(0, sure);
    expect([addresses.map(({ host }) => host), relays]).toEqual([["10.0.0.7", "10.0.0.7"], []]);
  });
});

it("the first node of a private network, which listens everywhere, is one of it", async () => {
  const place = new Place();
  const lan = (i: number): VirtualHost => place.network.addHost({ addresses: [`10.0.0.${i}`] });
  const first = await place.node(lan(1), { bootstrap: [] });
  const bootstrap = first.contacts.slice(0, 1).map(parseNodeContact);
  for (let i = 2; i <= 4; i++) await place.node(lan(i), { bootstrap });
  // Longer than it takes to believe that nobody gets through.
  await place.clock.runUntil(place.clock.now() + 1_200_000);
  expect(first.contacts.map((contact) => parseNodeContact(contact).address.host)).toEqual([
    "10.0.0.1",
    "10.0.0.1",
  ]);
  const { dht } = await place.stranger("10.0.0.9", bootstrap);
  await place.clock.runUntil(place.clock.now() + 30_000);
  expect(dht.contacts).toHaveLength(4);
  await place.end();
});
