import { describe, expect, it } from "vitest";
import type { Link } from "../../src/link/index.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

/** A host whose links are all in use, so many by each of some networks. */
async function fullHost(networks: readonly string[], each: number) {
  const world = new LinkWorld();
  const hub = await world.add("192.0.2.1", { limits: { linksMax: networks.length * each } });
  hub.host.handle("stay", (stream) => void stream.on("error", () => {}));
  const use = async (node: LinkNode): Promise<Link> => {
    const link = await world.dial(node, hub);
    // Of one that is refused the node is told a moment later.
    const stream = await world.run(link.openStream("stay"));
    stream.on("error", () => {}).write(new Uint8Array(1));
    await world.pass(100);
    return link;
  };
  const links: Link[] = [];
  for (const network of networks) {
    for (let at = 1; at <= each; at++) links.push(await use(await world.add(`${network}.${at}`)));
  }
  const open = (): number => links.filter(({ isOpen }) => isOpen).length;
  return { world, hub, use, links, open };
}

describe("a host whose links are all in use", () => {
  it("has some for a network with fewer, by the last of whoever has most", async () => {
    const { world, use, links, open } = await fullHost(["198.51.100", "203.0.113"], 3);
    const late = await use(await world.add("192.0.2.77"));
    expect([late.isOpen, open()]).toEqual([true, 5]);
    expect([links[2], links[5]].map((link) => link?.isOpen)).toContain(false);
    // Those who lost one have no more than others by that: nobody else has to leave.
    const again = await use(await world.add("198.51.100.9"));
    expect([again.isOpen, late.isOpen, open()]).toEqual([false, true, 5]);
    await world.close();
  });

  it("dials others all the same", async () => {
    const { world, hub, open } = await fullHost(["198.51.100", "203.0.113"], 3);
    const other = await world.add("192.0.2.77");
    expect((await world.dial(hub, other)).isOpen).toBe(true);
    await world.pass(100);
    expect(open()).toBe(5);
    await world.close();
  });

  it("hears of others over TCP, where all handshakes are half-open too", async () => {
    const world = new LinkWorld();
    const limits = { linksMax: 4, handshakesMax: 4 };
    const hub = await world.add("192.0.2.1", { limits });
    hub.host.handle("stay", (stream) => void stream.on("error", () => {}));
    const use = async (node: LinkNode): Promise<Link> => {
      const link = await world.dial(node, hub, "tcp");
      const stream = await world.run(link.openStream("stay"));
      stream.on("error", () => {}).write(new Uint8Array(1));
      await world.pass(100);
      return link;
    };
    const links: Link[] = [];
    for (let at = 1; at <= 4; at++) links.push(await use(await world.add(`198.51.100.${at}`)));
    for (let at = 1; at <= 4; at++) {
      // It opens a connection, and says nothing.
      const silent = world.network.addHost({ addresses: [`203.0.113.${at}`] });
      silent.dial({ host: "192.0.2.1", port: 7_000 }).start({
        receive: () => {},
        drained: () => {},
        closed: () => {},
      });
    }
    await world.pass(100);
    expect(hub.handshakes()).toBe(4);
    const late = await use(await world.add("192.0.2.77"));
    expect([late.isOpen, links.filter(({ isOpen }) => isOpen).length]).toEqual([true, 3]);
    await world.close();
  });

  it("has so many of one address, whoever comes from there, and others all the same", async () => {
    const world = new LinkWorld();
    const hub = await world.add("192.0.2.1", { limits: { linksPerAddressMax: 3 } });
    const behind = world.network.addNat({ outer: "203.0.113.1", kind: "full-cone" });
    const links: Link[] = [];
    for (let at = 2; at <= 6; at++) {
      links.push(await world.dial(await world.add(`192.168.1.${at}`, { behind }), hub));
      await world.pass(100);
    }
    expect(links.map(({ isOpen }) => isOpen)).toEqual([true, true, true, false, false]);
    let error: unknown;
    links[4]?.onClose((why) => {
      error = why;
    });
    expect(error).toMatchObject({ code: "CULVERT_BUSY", remote: true });
    expect((await world.dial(await world.add("192.0.2.77"), hub)).isOpen).toBe(true);
    await world.pass(100);
    expect(hub.host.links()).toHaveLength(4);
    await world.close();
  });

  it("keeps what it has where nobody has more than one", async () => {
    const { world, use, open } = await fullHost(["198.51.100", "203.0.113", "10.1.1"], 1);
    const late = await use(await world.add("192.0.2.77"));
    expect([late.isOpen, open()]).toEqual([false, 3]);
    await world.close();
  });
});
