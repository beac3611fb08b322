import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type Link } from "../../src/link/index.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

const { keepAliveMs, silenceMs } = LINK_LIMITS;
const OUTER = "203.0.113.77";

/** A node behind a NAT with a quiet link to each of some nodes in the open. */
async function place(count: number, seed = 1) {
  const world = new LinkWorld({ seed });
  const nat = world.network.addNat({ outer: "203.0.113.1", kind: "port-restricted" });
  const inner = await world.add("192.168.1.2", { behind: nat });
  const peers: LinkNode[] = [];
  const links: Link[] = [];
  for (let at = 0; at < count; at++) {
    const peer = await world.add(`198.51.100.${1 + at}`);
    peer.host.handle("sink", (stream) => stream.on("error", () => {}).resume());
    peers.push(peer);
    links.push(await world.dial(inner, peer));
    await world.pass(5_000 / count);
  }
  return { world, nat, inner, peers, links };
}

/** Has a link say something that has to be acknowledged. */
async function speak(world: LinkWorld, link: Link): Promise<void> {
  const stream = await world.run(link.openStream("sink"));
  stream.on("error", () => {});
  stream.destroy();
}

describe("a node whose NAT was rebound", () => {
  it.each([2, 12, 40])("learns of it for all of %i links by the first of them", async (count) => {
    const { world, nat, links } = await place(count);
    nat.rebind(OUTER);
    await world.pass(100);
    const [first] = links as [Link];
    void speak(world, first);
    const since = world.clock.now();
    const isBack = (link: Link): boolean => link.path?.observed?.host === OUTER;
    await world.clock.runUntil(() => links.every(isBack), 2 * (keepAliveMs + silenceMs));
    expect(links.map(isBack)).not.toContain(false);
    // A quarter of a silence until eight more are asked, and again until all are; then a silence.
    expect(world.clock.now() - since).toBeLessThan(1.5 * silenceMs + 2_000);
    await world.close();
  });

  it("is found by whoever it does not dial as soon", async () => {
    const { world, nat, inner, peers, links } = await place(3);
    const outer = await world.add("192.0.2.9");
    // It was dialled by this one, as one whose hole was punched.
    const outside = { host: "203.0.113.1", port: 7_000 };
    const dialled = outer.host.dial({
      id: inner.host.id,
      addresses: [{ carrier: "udp", ...outside }],
    });
    inner.host.probes?.send(Uint8Array.of(1), { host: "192.0.2.9", port: 7_000 });
    const link = await world.run(dialled);
    nat.rebind(OUTER);
    await world.pass(100);
    void speak(world, inner.host.find(outer.host.id) ?? link);
    const since = world.clock.now();
    const isBack = (one: Link): boolean => one.path?.observed?.host === OUTER;
    await world.clock.runUntil(() => links.every(isBack), 2 * (keepAliveMs + silenceMs));
    expect(world.clock.now() - since).toBeLessThan(1.5 * silenceMs + 2_000);
    expect(peers.map(({ host }) => host.find(inner.host.id)?.path?.remote?.host)).toEqual([
      ...[OUTER, OUTER, OUTER],
    ]);
    await world.close();
  });
});

describe("a peer that is silent on purpose", () => {
  /** Packets that come to the others in ten minutes. */
  async function packets(isRude: boolean): Promise<number> {
    const { world, inner, peers, links } = await place(6);
    const [rude, ...others] = peers as [LinkNode, ...LinkNode[]];
    const [link] = links as [Link];
    let count = 0;
    for (const { vhost } of others) {
      const handle = vhost.handle.bind(vhost);
      vhost.handle = (packet) => {
        count += 1;
        return handle(packet);
      };
    }
    for (let round = 0; round < 60; round++) {
      // For as long as it can without losing its path.
      rude.vhost.isOnline = !isRude;
      void speak(world, link);
      await world.pass(0.7 * silenceMs);
      rude.vhost.isOnline = true;
      await world.pass(0.3 * silenceMs);
    }
    expect(inner.host.links().map(({ path }) => path === undefined)).not.toContain(true);
    await world.close();
    return count;
  }

  it("has others asked no more than twice as often as they are anyway", async () => {
    const [quiet, asked] = [await packets(false), await packets(true)];
    expect(asked).toBeGreaterThan(quiet);
    expect(asked).toBeLessThanOrEqual(2 * quiet + 20);
  });
});
