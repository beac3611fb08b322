import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type Link, type LinkLimits } from "../../src/link/index.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

const { idleMs, surplusIdleMs, keepAliveMs, silenceMs } = LINK_LIMITS;
/** Idle links are looked for so often. */
const SWEEP_MS = 5_000;

/** One node that is dialled by others, each with a link. */
async function star(count: number, limits: Partial<LinkLimits> = {}, atPeers = {}) {
  const world = new LinkWorld();
  const hub = await world.add("192.0.2.1", { limits });
  const peers: LinkNode[] = [];
  const links: Link[] = [];
  const join = async (): Promise<Link> => {
    const peer = await world.add(`198.51.100.${peers.length + 1}`, { limits: atPeers });
    peers.push(peer);
    const link = await world.dial(peer, hub);
    links.push(link);
    await world.pass(10);
    return link;
  };
  for (let at = 0; at < count; at++) await join();
  return { world, hub, peers, links, join };
}

const open = (links: readonly Link[]): boolean[] => links.map((link) => link.isOpen);

describe("a link that nobody uses", () => {
  it("is closed after its time, at both ends, without an error", async () => {
    const { world, hub, links } = await star(1);
    const ends: unknown[] = [];
    for (const link of [links[0], hub.host.links()[0]]) link?.onClose((error) => ends.push(error));
    await world.pass(idleMs - SWEEP_MS);
    expect(open(links)).toEqual([true]);
    await world.pass(2 * SWEEP_MS);
    expect([open(links), ends, hub.host.links()]).toEqual([[false], [undefined, undefined], []]);
    await world.close();
  });

  it("stays while it is held, while a stream is open, and after a datagram", async () => {
    const { world, hub, links } = await star(3);
    const [held, streaming, talking] = links as [Link, Link, Link];
    const letGo = held.hold();
    for (const link of hub.host.links()) link.hold();
    hub.host.handle("stay", (stream) => void stream.on("error", () => {}));
    const stream = await world.run(streaming.openStream("stay"));
    await world.pass(idleMs / 2);
    talking.sendDatagram("d", new Uint8Array(1));
    await world.pass(idleMs / 2 + 2 * SWEEP_MS);
    expect(open(links)).toEqual([true, true, true]);
    letGo();
    letGo();
    stream.destroy();
    await world.pass(idleMs / 2);
    expect(open(links), "the datagram was long ago").toEqual([true, true, false]);
    await world.pass(idleMs / 2 + 2 * SWEEP_MS);
    expect(open(links)).toEqual([false, false, false]);
    await world.close();
  });

  it("goes sooner when more are idle than are kept: the longest idle ones", async () => {
    const { world, hub, links } = await star(5, { idleLinksKept: 3 });
    const [first] = links as [Link];
    first.sendDatagram("d", new Uint8Array(1));
    await world.pass(surplusIdleMs - SWEEP_MS);
    expect(open(links)).toEqual([true, true, true, true, true]);
    await world.pass(2 * SWEEP_MS);
    expect(hub.host.links()).toHaveLength(3);
    expect(open(links)).toEqual([true, false, false, true, true]);
    await world.close();
  });

  it("makes room for a new one at the limit; links in use never do", async () => {
    const { world, hub, links, join } = await star(3, { linksMax: 3 });
    hub.host.handle("stay", (stream) => void stream.on("error", () => {}));
    const use = async (link: Link): Promise<void> => {
      (await world.run(link.openStream("stay"))).on("error", () => {});
    };
    for (const link of links.slice(1)) await use(link);
    await world.pass(100);
    const fourth = await join();
    expect([open(links), hub.host.links().length]).toEqual([[false, true, true, true], 3]);
    await use(fourth);
    await world.pass(100);
    const refused = await join();
    const why = await world.run(new Promise((resolve) => refused.onClose(resolve)));
    expect(why).toMatchObject({ code: "CULVERT_BUSY", remote: true });
    expect(open(links)).toEqual([false, true, true, true, false]);
    await world.close();
  });

  it("ends at both ends when its own node, which dialled it, has no room left", async () => {
    const { world, hub, peers, links } = await star(1, { linksMax: 1 });
    hub.host.handle("stay", (stream) => void stream.on("error", () => {}));
    for (const link of links) (await world.run(link.openStream("stay"))).on("error", () => {});
    const peer = await world.add("203.0.113.1");
    await expect(world.dial(hub, peer)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    await world.pass(1_000);
    const counts = [peer, ...peers, hub].map(({ host, handshakes }) => [
      host.links().length,
      handshakes(),
    ]);
    expect(counts).toEqual([
      [0, 0],
      [1, 0],
      [1, 0],
    ]);
    await world.close();
  });
});

describe("a quiet link", () => {
  it("says a few words in each keep-alive time, and no more", async () => {
    const { world } = await star(1);
    await world.pass(1_000);
    const before = world.network.count("delivered");
    const rounds = 20;
    await world.pass(rounds * keepAliveMs);
    const packets = world.network.count("delivered") - before;
    // A ping and its acknowledgement, of the end that dialled, and what carries them.
    expect(packets).toBeGreaterThanOrEqual(2 * rounds - 2);
    expect(packets).toBeLessThanOrEqual(4 * rounds);
    await world.close();
  });

  it("keeps its place in a NAT that forgets after thirty seconds", async () => {
    const world = new LinkWorld();
    const behaviour = { mappingMs: 30_000 };
    const nat = world.network.addNat({ outer: "203.0.113.1", kind: "symmetric", behaviour });
    const inner = await world.add("192.168.1.2", { behind: nat });
    const hub = await world.add("192.0.2.1");
    const link = await world.dial(inner, hub);
    const paths: unknown[] = [];
    link.onPath((path) => paths.push(path));
    await world.pass(400_000);
    const heard: Uint8Array[] = [];
    link.onDatagram("d", (bytes) => heard.push(bytes));
    hub.host.links()[0]?.sendDatagram("d", Uint8Array.of(1));
    await world.pass(100);
    expect([heard.length, paths, link.isOpen]).toEqual([1, [], true]);
    await world.close();
  });

  it.each(["udp", "tcp"] as const)("over %s notices a peer that is gone", async (carrier) => {
    const world = new LinkWorld();
    const [here, there] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const link = await world.dial(here, there, carrier);
    let lostAt = Number.NaN;
    link.onPath((path) => {
      if (path === undefined && Number.isNaN(lostAt)) lostAt = world.clock.now();
    });
    await world.pass(1_000);
    there.vhost.isOnline = false;
    const goneAt = world.clock.now();
    await world.clock.runUntil(() => !link.isOpen, 120_000);
    expect(lostAt - goneAt).toBeLessThanOrEqual(keepAliveMs + silenceMs);
    expect(here.host.links()).toEqual([]);
    await world.close();
  });

  it.each([
    ["nobody reads", false, { delayMs: 50 }],
    ["the line is long", true, { delayMs: 900 }],
    [
      "a record takes longer than a silence may",
      true,
      { bytesPerSecond: 4_000, queueBytes: 9_000 },
    ],
  ])("is not taken for dead because %s", async (_why, isRead, line) => {
    const world = new LinkWorld({ line });
    const [here, there] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    let received = 0;
    there.host.handle("slow", (stream) => {
      stream.on("error", () => {});
      if (isRead) stream.on("data", (bytes) => (received += bytes.length));
    });
    const link = await world.dial(here, there);
    let lost = 0;
    for (const one of [link, there.host.links()[0]]) {
      one?.onPath((path) => (lost += path === undefined ? 1 : 0));
    }
    const stream = await world.run(link.openStream("slow"));
    stream.on("error", () => {});
    stream.write(new Uint8Array(200_000));
    await world.pass(100_000);
    expect([lost, link.isOpen, received > 130_000]).toEqual([0, true, isRead]);
    await world.close();
  });
});
