import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { encodeOpening, readOpening } from "../../src/link/carrier/udp-opening.ts";
import type { HostPort, LinkLimits } from "../../src/link/index.ts";
import type { VirtualHost } from "../../src/testing/index.ts";
import { LinkWorld } from "./link-world.ts";

const TARGET: HostPort = { host: "192.0.2.1", port: 7_000 };
const FEW: Partial<LinkLimits> = { handshakesMax: 24, handshakesPerAddressMax: 6 };

/** Counts what a port hears. */
function listener(vhost: VirtualHost, port?: number) {
  const opened = vhost.bind(port);
  const heard = { packets: 0, bytes: 0, cookies: [] as Uint8Array[] };
  opened.listen({
    datagram: (bytes) => {
      heard.packets += 1;
      heard.bytes += bytes.length;
      const datagram = readOpening(bytes);
      if (datagram.kind === "retry") heard.cookies.push(datagram.cookie.slice());
    },
  });
  return { opened, heard };
}

/** Opens as many connections as it has hellos for, and says nothing on any of them. */
async function openHalf(world: LinkWorld, vhost: VirtualHost, count: number): Promise<void> {
  const random = new SeededRandom(vhost.number);
  const { opened, heard } = listener(vhost);
  for (let at = 0; at < count; at++) {
    const hello = { streamId: 1_000 + at, nonce: random.bytes(8) };
    opened.send(encodeOpening({ kind: "hello", ...hello }), TARGET);
    await world.clock.runUntil(() => heard.cookies.length > at, 1_000);
    const cookie = heard.cookies[at] as Uint8Array;
    opened.send(encodeOpening({ kind: "confirm", ...hello, cookie }), TARGET);
  }
  await world.pass(100);
}

describe("a flood of hellos", () => {
  it("from false sources keeps nothing, and gets no more bytes than it has", async () => {
    const world = new LinkWorld({ seed: 1 });
    const node = await world.add(TARGET.host);
    const attacker = world.network.addHost({ addresses: ["198.51.100.1"] });
    const victim = world.network.addHost({ addresses: ["198.51.100.2"] });
    const { heard } = listener(victim, 9_000);
    const random = new SeededRandom(1);
    let sentBytes = 0;
    for (let at = 0; at < 2_000; at++) {
      const hello = { streamId: at, nonce: random.bytes(8) };
      const bytes = encodeOpening({ kind: "hello", ...hello });
      sentBytes += bytes.length;
      attacker.spoof(bytes, { from: { host: "198.51.100.2", port: 9_000 }, to: TARGET });
    }
    await world.pass(1_000);
    expect(heard.packets).toBe(2_000);
    expect(heard.bytes / sentBytes).toBeLessThanOrEqual(1);
    expect([node.handshakes(), node.host.links()]).toEqual([0, []]);
    await world.close();
  });

  it("does not keep others from dialling", async () => {
    const world = new LinkWorld({ seed: 2 });
    const [node, friend] = [await world.add(TARGET.host), await world.add("192.0.2.2")];
    const attacker = world.network.addHost({ addresses: ["198.51.100.1"] });
    const random = new SeededRandom(2);
    const flood = (): void => {
      for (let at = 0; at < 10; at++) {
        const from = { host: `203.0.113.${random.below(250)}`, port: 1 + random.below(60_000) };
        const hello = { streamId: at, nonce: random.bytes(8) };
        const cookie = random.bytes(24);
        attacker.spoof(encodeOpening({ kind: "hello", ...hello }), { from, to: TARGET });
        attacker.spoof(encodeOpening({ kind: "confirm", ...hello, cookie }), { from, to: TARGET });
      }
      if (world.clock.now() < 300) world.clock.schedule(world.clock.now() + 1, flood);
    };
    flood();
    const link = await world.dial(friend, node);
    expect(world.clock.now()).toBeLessThan(300);
    expect([link.isOpen, node.host.links().length]).toEqual([true, 1]);
    await world.pass(1_000);
    expect(node.handshakes()).toBe(0);
    await world.close();
  });

  it("of malformed datagrams of every length is answered with nothing", async () => {
    const world = new LinkWorld({ seed: 3 });
    const node = await world.add(TARGET.host);
    const { opened, heard } = listener(world.network.addHost({ addresses: ["198.51.100.1"] }));
    const random = new SeededRandom(3);
    for (let length = 1; length < 1_200; length++) {
      const bytes = random.bytes(length);
      // Kind and version are right: only the length, or what was made up, is wrong.
      bytes.set([1 + random.below(3), 1].slice(0, length));
      // A hello has one length; everything shorter or longer is none.
      if (length !== 38) opened.send(bytes, TARGET);
    }
    await world.pass(1_000);
    expect([heard.packets, node.handshakes()]).toEqual([0, 0]);
    await world.close();
  });
});

describe("half-open handshakes", () => {
  it("of one address are bounded, run out of time, and leave room for others", async () => {
    const world = new LinkWorld({ seed: 4 });
    const node = await world.add(TARGET.host, { limits: FEW });
    const friend = await world.add("192.0.2.2");
    await openHalf(world, world.network.addHost({ addresses: ["198.51.100.1"] }), 20);
    expect(node.handshakes()).toBe(FEW.handshakesPerAddressMax);
    const link = await world.dial(friend, node);
    expect(link.isOpen).toBe(true);
    await world.pass(11_000);
    expect(node.handshakes()).toBe(0);
    await world.close();
  });

  it("of many addresses are bounded too, and the oldest gives way to others", async () => {
    const world = new LinkWorld({ seed: 5 });
    const node = await world.add(TARGET.host, { limits: FEW });
    const friend = await world.add("192.0.2.2");
    for (let at = 1; at <= 8; at++) {
      await openHalf(world, world.network.addHost({ addresses: [`198.51.100.${at}`] }), 6);
    }
    expect(node.handshakes()).toBe(FEW.handshakesMax);
    const begunAt = world.clock.now();
    const link = await world.dial(friend, node);
    expect(link.isOpen).toBe(true);
    expect(world.clock.now() - begunAt).toBeLessThan(500);
    expect(node.handshakes()).toBe((FEW.handshakesMax ?? 0) - 1);
    await world.close();
  });

  it("over TCP are bounded, and cut when their time is over", async () => {
    const world = new LinkWorld({ seed: 6 });
    const node = await world.add(TARGET.host, { limits: FEW });
    const attacker = world.network.addHost({ addresses: ["198.51.100.1"] });
    const connections = Array.from({ length: 20 }, () => attacker.dial(TARGET));
    const ends = { cut: 0 };
    for (const connection of connections) {
      connection.start({
        receive: () => {},
        drained: () => {},
        closed: () => {
          ends.cut += 1;
        },
      });
    }
    await world.pass(1_000);
    expect(node.handshakes()).toBe(FEW.handshakesPerAddressMax);
    expect(ends.cut).toBe(20 - (FEW.handshakesPerAddressMax ?? 0));
    await world.pass(11_000);
    expect([node.handshakes(), ends.cut]).toEqual([0, 20]);
    await world.close();
  });

  it("are not begun faster than the rate of an address allows", async () => {
    const world = new LinkWorld({ seed: 7 });
    const limits = { handshakesBurst: 5, handshakesPerSecond: 1, handshakesPerAddressMax: 100 };
    const node = await world.add(TARGET.host, { limits });
    await openHalf(world, world.network.addHost({ addresses: ["198.51.100.1"] }), 30);
    const allowed = 5 + Math.ceil(world.clock.now() / 1_000);
    expect(node.handshakes()).toBeGreaterThanOrEqual(5);
    expect(node.handshakes()).toBeLessThanOrEqual(allowed);
    await world.close();
  });
});

describe("a cookie", () => {
  it("makes one connection, however often it comes, and none for another address", async () => {
    const world = new LinkWorld({ seed: 8 });
    const node = await world.add(TARGET.host);
    const vhost = world.network.addHost({ addresses: ["198.51.100.1"] });
    const thief = world.network.addHost({ addresses: ["198.51.100.2"] });
    const { opened, heard } = listener(vhost);
    const hello = { streamId: 7, nonce: new SeededRandom(8).bytes(8) };
    opened.send(encodeOpening({ kind: "hello", ...hello }), TARGET);
    await world.clock.runUntil(() => heard.cookies.length > 0, 1_000);
    const cookie = heard.cookies[0] as Uint8Array;
    const confirm = encodeOpening({ kind: "confirm", ...hello, cookie });
    thief.bind().send(confirm, TARGET);
    await world.pass(100);
    expect(node.handshakes()).toBe(0);
    for (let at = 0; at < 50; at++) opened.send(confirm, TARGET);
    await world.pass(100);
    expect(node.handshakes()).toBe(1);
    expect(heard.packets).toBe(1);
    await world.close();
  });
});

describe("datagrams from a false source", () => {
  it("do not open, move, disturb or end a link, nor does anybody answer them", async () => {
    const world = new LinkWorld({ seed: 9 });
    const [node, friend] = [await world.add(TARGET.host), await world.add("192.0.2.2")];
    const link = await world.dial(friend, node);
    const heard: number[] = [];
    node.host.onDatagram("d", (bytes) => heard.push(bytes[0] ?? -1));
    const attacker = world.network.addHost({ addresses: ["198.51.100.1"] });
    const random = new SeededRandom(9);
    const from = { host: "192.0.2.2", port: 7_000 };
    await world.pass(1_000);
    const answersBefore = world.network.count("delivered");
    for (let at = 0; at < 500; at++) {
      const bytes = random.bytes(1 + random.below(100));
      if (bytes[0] === 1) bytes[0] = 2; // A hello would be answered.
      attacker.spoof(bytes, { from, to: TARGET });
    }
    await world.pass(100);
    expect(world.network.count("delivered") - answersBefore).toBe(500);
    link.sendDatagram("d", Uint8Array.of(5));
    await world.pass(100);
    expect([heard, link.isOpen, node.host.links().length]).toEqual([[5], true, 1]);
    await world.close();
  });
});
