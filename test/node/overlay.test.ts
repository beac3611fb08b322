import { afterEach, describe, expect, it, vi } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { Contact } from "../../src/dht/index.ts";
import {
  type NodeAddress,
  NodeDescriptor,
  NodeIdentity,
  type NodeRole,
} from "../../src/identity/index.ts";
import { openLinkHost } from "../../src/link/index.ts";
import { Overlay } from "../../src/node/overlay.ts";
import { VirtualClock, VirtualNetwork, virtualTcp, virtualUdp } from "../../src/testing/index.ts";

const GEOMETRY = { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 };
const PORT = 7_000;

/** Two ends on one network; what one says of itself is at hand at the other. */
class Ground {
  readonly clock = new VirtualClock();
  readonly #network = new VirtualNetwork({ clock: this.clock, seed: 1 });
  readonly #random = new SeededRandom(1);
  readonly #open: Overlay[] = [];

  /** @param says where it says to be reached */
  async add(address: string, isLocal: boolean, says: readonly NodeAddress[] = []) {
    const { clock } = this;
    const vhost = this.#network.addHost({ addresses: [address] });
    const random = this.#random.fork(this.#open.length);
    const identity = new NodeIdentity(random.bytes(32));
    const components = { clock, random, udp: virtualUdp(vhost), tcp: virtualTcp(vhost) };
    const at = { host: "0.0.0.0", port: PORT };
    const host = await openLinkHost({ identity, network: "test", udp: at, tcp: at, components });
    const parts = { host, identity, clock, random };
    const overlay = new Overlay(parts, { addresses: () => says, isLocal });
    this.#open.push(overlay);
    const describe = (hosts: readonly string[], relays: readonly Uint8Array[] = [], sequence = 1) =>
      NodeDescriptor.sign(identity, {
        ...{
          sequence,
          expiresAtUnixS: Math.floor(clock.unixMs() / 1_000) + 3_600,
          onionKeys: [],
        },
        ...{ roles: [] as NodeRole[], geometry: GEOMETRY, relays },
        addresses: hosts.map((name) => ({ carrier: "udp", host: name, port: PORT })),
      });
    return { overlay, describe, id: identity.id };
  }

  async close(): Promise<void> {
    for (const overlay of this.#open) {
      await this.clock.runPromise(overlay.close());
      await this.clock.runPromise(overlay.host.close());
    }
  }
}

describe("an address that a stranger names", () => {
  let ground: Ground;
  afterEach(() => ground.close());

  it.each([
    ["is dialled in a private network", true, "10.0.0.5", ["10.0.0.5"], "met"],
    ["is not dialled from the open", false, "10.0.0.5", ["10.0.0.5"], "CULVERT_UNREACHABLE"],
    ["is passed over beside one in the open", false, "192.0.2.5", ["10.0.0.9", "192.0.2.5"], "met"],
    ["that is nobody's is dialled nowhere", true, "10.0.0.5", ["0.0.0.0"], "CULVERT_UNREACHABLE"],
  ] as const)("%s", async (_, isLocal, address, named, outcome) => {
    ground = new Ground();
    const here = await ground.add(isLocal ? "10.0.0.1" : "192.0.2.1", isLocal);
    const there = await ground.add(address, isLocal);
    here.overlay.directory.add(there.describe(named));
    const link = here.overlay.links.to(there.id, { isLookedUp: false }).then(
      () => "met",
      ({ code }) => code,
    );
    expect(await ground.clock.runPromise(link, 120_000)).toBe(outcome);
  });

  it("is not dialled for a relay either", async () => {
    ground = new Ground();
    const here = await ground.add("192.0.2.1", false);
    const relay = await ground.add("10.0.0.5", false);
    const there = await ground.add("192.0.2.5", false);
    here.overlay.directory.add(relay.describe(["10.0.0.5"]));
    here.overlay.directory.add(there.describe([], [relay.id]));
    const code = here.overlay.links.to(there.id, { isLookedUp: false }).catch(({ code }) => code);
    expect(await ground.clock.runPromise(code, 120_000)).toBe("CULVERT_UNREACHABLE");
    expect(relay.overlay.host.links()).toEqual([]);
    here.overlay.reach.keepPlace({
      id: relay.id,
      addresses: relay.describe(["10.0.0.5"]).claims.addresses,
    });
    await ground.clock.runUntil(ground.clock.now() + 10_000);
    expect(relay.overlay.host.links()).toEqual([]);
  });
});

describe("a private address that the user names", () => {
  let ground: Ground;
  afterEach(() => ground.close());

  it("is dialled again from the open, when the link to it was lost", async () => {
    ground = new Ground();
    const here = await ground.add("192.0.2.1", false);
    const there = await ground.add("10.0.0.5", false);
    there.overlay.publish(there.describe(["10.0.0.5"]));
    const address: NodeAddress = { carrier: "udp", host: "10.0.0.5", port: PORT };
    await ground.clock.runPromise(here.overlay.join([{ id: there.id, address }]));
    const lost = here.overlay.host.find(there.id);
    if (lost === undefined) throw new Error("no link was made to join");
    await ground.clock.runPromise(lost.close());
    const again = await ground.clock.runPromise(here.overlay.links.to(there.id), 120_000);
    expect(again.isOpen).toBe(true);
  });
});

describe("nodes of one network", () => {
  let ground: Ground;
  afterEach(() => ground.close());

  it("have two places in a bucket, wherever they say that they are", async () => {
    ground = new Ground();
    const at = (host: string): NodeAddress => ({ carrier: "udp", host, port: PORT });
    const here = await ground.add("192.0.2.1", false, [at("192.0.2.1")]);
    const contact = Contact.of(here.id, { addresses: [at("192.0.2.1")] });
    const join = async (host: string, says: string): Promise<void> => {
      const { overlay } = await ground.add(host, false, [at(says)]);
      await ground.clock.runPromise(overlay.dht.start([contact]));
    };
    // They come by themselves, and say so; their first address is not looked at by anybody.
    for (let i = 1; i <= 6; i++) await join(`198.51.100.${i}`, `203.0.${i}.1`);
    const half = ({ id }: { id: Uint8Array }): number => ((id[0] ?? 0) ^ (here.id[0] ?? 0)) >> 7;
    const far = here.overlay.dht.contacts.filter((one) => half(one) === 1);
    expect(far.length).toBe(2);
    const before = here.overlay.dht.contacts.length;
    await join("198.51.101.1", "198.51.101.1");
    await join("198.51.102.1", "198.51.102.1");
    expect(here.overlay.dht.contacts.length).toBe(before + 2);
  });

  it("are those of which each says so, where a router stands before this one", async () => {
    ground = new Ground();
    const at = (host: string): NodeAddress => ({ carrier: "udp", host, port: PORT });
    const here = await ground.add("192.0.2.1", false, [at("192.0.2.1")]);
    const contact = Contact.of(here.id, { addresses: [at("192.0.2.1")] });
    for (let i = 1; i <= 6; i++) {
      const { overlay } = await ground.add(`10.0.0.${i}`, false, [at(`203.0.${i}.1`)]);
      await ground.clock.runPromise(overlay.dht.start([contact]));
    }
    expect(here.overlay.dht.contacts.length).toBe(6);
  });
});

describe("the descriptor of a node", () => {
  let ground: Ground;
  afterEach(() => ground.close());

  it("is the newest that is known, though the network gives one of its last life", async () => {
    ground = new Ground();
    const { overlay } = await ground.add("192.0.2.1", false);
    const there = await ground.add("192.0.2.5", false);
    const [old, now] = [1, 2].map((sequence) => there.describe(["192.0.2.5"], [], sequence));
    if (old === undefined || now === undefined) throw new Error("two of them");
    const lookup = vi.spyOn(overlay.dht, "lookup");
    vi.spyOn(overlay.dht, "discover").mockResolvedValue([old]);
    lookup.mockResolvedValue(now);
    expect((await overlay.lookup(there.id))?.claims.sequence).toBe(2);
    lookup.mockResolvedValue(old);
    expect((await overlay.lookup(there.id))?.claims.sequence).toBe(2);
    expect((await overlay.discover(1))[0]?.claims.sequence).toBe(2);
    lookup.mockResolvedValue(undefined);
    expect(await overlay.lookup(there.id)).toBe(undefined);
  });

  it("is asked of the node itself, where it was last, and of nobody else", async () => {
    ground = new Ground();
    const { overlay } = await ground.add("192.0.2.1", false);
    const there = await ground.add("192.0.2.5", false);
    there.overlay.publish(there.describe(["192.0.2.5"], [], 2));
    const ask = (mayDial: boolean) =>
      ground.clock.runPromise(overlay.askItself(there.id, { mayDial }), 60_000);
    await expect(ask(true)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    const addresses = [{ carrier: "udp", host: "192.0.2.5", port: PORT } as const];
    overlay.links.hint(there.id, { addresses, relays: [] });
    expect(await ask(false)).toBeUndefined();
    expect((await ask(true))?.claims.sequence).toBe(2);
    expect((await ask(false))?.claims.sequence).toBe(2);
    expect(overlay.dht.statistics.exchangesSent).toBe(0);
  });
});
