import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { NodeAddress, NodeId } from "../../../src/identity/index.ts";
import { nodeIdText } from "../../../src/identity/index.ts";
import type { Link } from "../../../src/link/index.ts";
import type { RecordService } from "../../../src/mapservice/index.ts";
import { sourceOf } from "../../../src/node/links/link-source.ts";
import { MapPeers, serveMapOverLinks } from "../../../src/node/storage/map-links.ts";
import { LinkWorld } from "../../link/link-world.ts";

const GREETING = {
  payloadSize: 1_024,
  nodeKey: new Uint8Array(32),
  workBits: 0,
  ttlSecondsMax: 60,
  waitMsMax: 1_000,
};

describe("the Map over links", () => {
  let world: LinkWorld;
  afterEach(() => world.close());

  /** For whom the sessions of new nodes at these addresses count. */
  async function sourcesAt(addresses: readonly string[]): Promise<string[]> {
    world = new LinkWorld();
    const { clock } = world;
    const sources: string[] = [];
    const link = { put() {}, get() {}, cancel() {}, isCongested: false, close() {} };
    const open = (source: string) => {
      sources.push(source);
      return link;
    };
    const service: RecordService = { greeting: () => GREETING, open };
    const node = await world.add("192.0.2.1");
    serveMapOverLinks(node.host, { service, clock }, { perSourceMax: 64 });
    for (const address of addresses) {
      const { host } = await world.add(address);
      const at: NodeAddress = { carrier: "udp", host: "192.0.2.1", port: 7_000 };
      const dial = () => host.dial({ id: node.host.id, addresses: [at] });
      const peers = new MapPeers(dial, { clock, random: new SeededRandom(1) });
      await clock.runPromise(peers.of(node.host.id));
      peers.close();
    }
    return sources;
  }

  it("gives all nodes of one network one share, since ids cost nothing", async () => {
    const addresses = ["198.51.100.1", "198.51.100.2", "198.51.100.200", "203.0.113.1"];
    const sources = await sourcesAt(addresses);
    expect(sources).toHaveLength(4);
    expect([...new Set(sources)]).toEqual(["198.51.100.0/24", "203.0.113.0/24"]);
  });

  it("gives each node of a private network its own", async () => {
    expect(new Set(await sourcesAt(["10.0.0.2", "10.0.0.3"])).size).toBe(2);
  });
});

describe("whom a link counts for", () => {
  const [peer, relay] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as NodeId[];
  const link = (lastPath: Link["path"]) => sourceOf({ peer: peer as NodeId, lastPath });
  const way = { carrier: "attached", remote: undefined, observed: undefined } as const;

  it("is the relay that brought it, when somebody behind one comes", () => {
    expect(link({ ...way, isRelayed: true, via: relay as NodeId })).toEqual({
      source: `relay:${nodeIdText(relay as NodeId)}`,
      isAddressProven: false,
    });
  });

  it("is the network of that relay, where that is known: relays cost nothing either", () => {
    const sources = ["203.0.113.1", "203.0.113.77", "198.51.100.1", "10.0.0.1"].map((host, at) => {
      const via = new Uint8Array(32).fill(at) as NodeId;
      const viaRemote = { carrier: "udp", host, port: 7_000 } as const;
      return link({ ...way, isRelayed: true, via, viaRemote });
    });
    const alone = `relay:${nodeIdText(new Uint8Array(32).fill(3) as NodeId)}`;
    expect(sources.map(({ source }) => source)).toEqual([
      "relay:203.0.113.0/24",
      "relay:203.0.113.0/24",
      "relay:198.51.100.0/24",
      alone,
    ]);
    expect(sources.some(({ isAddressProven }) => isAddressProven)).toBe(false);
  });

  it("stays who it was while the link has no path: to cut that costs nothing", async () => {
    const world = new LinkWorld();
    const node = await world.add("192.0.2.1");
    const links: Link[] = [];
    node.host.onLink((link) => links.push(link));
    const at: NodeAddress = { carrier: "udp", host: "192.0.2.1", port: 7_000 };
    for (const address of ["198.51.100.1", "198.51.100.2", "198.51.100.3"]) {
      const { host, vhost } = await world.add(address);
      await world.clock.runPromise(host.dial({ id: node.host.id, addresses: [at] }));
      await world.clock.runUntil(world.clock.now() + 100);
      vhost.isOnline = false;
    }
    await world.clock.runUntil(world.clock.now() + 45_000);
    expect(links.map(({ isOpen, path }) => [isOpen, path])).toEqual(
      links.map(() => [true, undefined]),
    );
    const sources = links.map((link) => sourceOf(link));
    expect(sources).toEqual(
      links.map(() => ({ source: "198.51.100.0/24", isAddressProven: true })),
    );
    await world.close();
  });

  it("is its peer, where nobody knows more", () => {
    const alone = { source: nodeIdText(peer as NodeId), isAddressProven: false };
    expect(link({ ...way, isRelayed: true })).toEqual(alone);
    expect(link(undefined)).toEqual(alone);
  });
});
