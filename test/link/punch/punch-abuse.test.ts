import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { PUNCH_LIMITS, RENDEZVOUS_LIMITS } from "../../../src/link/punch/limits.ts";
import {
  NO_REFERENCE,
  type OfferClaims,
  readOffer,
  signOffer,
} from "../../../src/link/punch/offer.ts";
import { encodeAsk } from "../../../src/link/punch/probe.ts";
import { RendezvousCore } from "../../../src/link/punch/rendezvous-core.ts";
import { decodeSignal, encodeSignal } from "../../../src/link/punch/signal.ts";
import { PORT, type PunchNode, PunchWorld, sentBy } from "./punch-world.ts";

const random = new SeededRandom(99);

/** An offer of `from` for `to`, with what is wrong about it. */
function offer(
  world: PunchWorld,
  to: PunchNode,
  {
    from = new NodeIdentity(random.bytes(32)),
    ...wrong
  }: Partial<OfferClaims> & {
    from?: NodeIdentity;
  } = {},
) {
  const bytes = signOffer(from, {
    kind: "offer",
    to: to.id,
    via: world.rendezvous.id,
    nonce: random.bytes(16),
    reference: NO_REFERENCE,
    expiresAtUnixMs: world.clock.unixMs() + 30_000,
    ephemeralKey: new NodeIdentity(random.bytes(32)).publicKey,
    mapping: "unknown",
    addresses: [],
    ...wrong,
  });
  return { from: from.id, bytes };
}

function place() {
  const world = new PunchWorld({ seed: 1 });
  const node = world.add("restricted");
  const sent = { count: 0, bytes: 0, to: new Set<string>() };
  const { send } = node.port;
  node.port.send = (bytes, to) => {
    sent.count += 1;
    sent.bytes += bytes.length;
    sent.to.add(to.host);
    send.call(node.port, bytes, to);
  };
  const tell = ({ from, bytes }: { from: Uint8Array; bytes: Uint8Array }): void => {
    const [via, unixMs] = [world.rendezvous.id, world.clock.unixMs()];
    node.driver.handle({ kind: "signal", from, via, bytes, unixMs });
  };
  return { world, node, sent, tell };
}

describe("an offer", () => {
  it("is taken when nothing is wrong with it", () => {
    const { world, node, tell } = place();
    tell(offer(world, node));
    expect(node.core.statistics.offersTaken).toBe(1);
    expect(node.core.size).toBe(1);
  });

  it.each<[string, keyof PunchNode["core"]["statistics"], (world: PunchWorld) => object]>([
    ["for somebody else", "misdirected", (world) => ({ to: world.observer.id })],
    ["through another rendezvous", "misdirected", (world) => ({ via: world.observer.id })],
    ["of ourselves", "misdirected", (world) => ({ from: world.nodes[2]?.identity })],
    ["that is over", "expired", (world) => ({ expiresAtUnixMs: world.clock.unixMs() - 90_000 })],
    ["of the future", "expired", (world) => ({ expiresAtUnixMs: world.clock.unixMs() + 99_000 })],
  ])("%s is dropped", (_, reason, wrong) => {
    const { world, node, tell, sent } = place();
    tell(offer(world, node, wrong(world)));
    world.clock.advance(10_000);
    expect(node.core.statistics[reason]).toBe(1);
    expect([node.core.size, sent.count]).toEqual([0, 0]);
  });

  it("of a key that is not the sender's is dropped", () => {
    const { world, node, tell } = place();
    tell({ from: world.observer.id, bytes: offer(world, node).bytes });
    expect(node.core.statistics.misdirected).toBe(1);
  });

  it("that was played before is dropped, while it could be valid and after", () => {
    const { world, node, tell } = place();
    const played = offer(world, node);
    tell(played);
    world.clock.advance(10_000);
    for (let copies = 0; copies < 1_000; copies++) tell(played);
    expect(node.core.statistics).toMatchObject({ offersTaken: 1, replayed: 1_000 });
    world.clock.advance(120_000);
    tell(played);
    expect(node.core.statistics).toMatchObject({ offersTaken: 1, expired: 1 });
  });

  it("with any bit changed is dropped, and its sender is not punished for it", () => {
    const { world, node, tell, sent } = place();
    const from = new NodeIdentity(random.bytes(32));
    const fresh = () => offer(world, node, { from });
    for (let bit = 0; bit < 8 * fresh().bytes.length; bit += 13) {
      const { from: sender, bytes } = fresh();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      tell({ from: sender, bytes });
      world.clock.advance(1_000 / PUNCH_LIMITS.offersPerWayPerSecond);
    }
    expect([node.core.statistics.offersTaken, node.core.size, sent.count]).toEqual([0, 0, 0]);
    expect(node.core.statistics.forged).toBeGreaterThan(80);
    for (let at = 0; at < PUNCH_LIMITS.offersPerPeerBurst; at++) tell(fresh());
    expect(node.core.statistics.offersTaken).toBe(PUNCH_LIMITS.offersPerPeerBurst);
  });

  it("cut anywhere, or noise, is dropped", () => {
    const { world, node, tell } = place();
    const { from, bytes } = offer(world, node);
    for (let length = 0; length < bytes.length; length++) {
      tell({ from, bytes: bytes.slice(0, length) });
    }
    for (let length = 0; length < 600; length += 7) tell({ from, bytes: random.bytes(length) });
    expect(node.core.statistics.offersTaken).toBe(0);
    expect(node.core.size).toBe(0);
  });

  it("of ten thousand strangers costs a bounded number of answers", () => {
    const { world, node, sent, tell } = place();
    for (let at = 0; at < 200; at++) {
      tell(offer(world, node, { addresses: [{ host: "198.51.100.250", port: 9 }] }));
    }
    expect(node.core.size).toBeLessThanOrEqual(PUNCH_LIMITS.offersBurst);
    expect(node.core.statistics.limited).toBe(200 - PUNCH_LIMITS.offersBurst);
    world.clock.advance(60_000);
    expect(node.core.size).toBe(0);
    const { probesPerNetworkBurst, probesPerNetworkPerSecond } = PUNCH_LIMITS;
    expect(sent.count).toBeLessThanOrEqual(probesPerNetworkBurst + 7 * probesPerNetworkPerSecond);
  });

  it("that is answered by a rendezvous of its own making costs a bounded number of looks", () => {
    const { world, node, tell } = place();
    const peer = world.add("restricted");
    let offered: Uint8Array | undefined;
    world.tamper = (signal) => {
      offered ??= signal;
      return [];
    };
    node.punch(peer);
    world.clock.advance(100);
    const reference = readOffer(offered ?? new Uint8Array(0)).hash;
    const answer = offer(world, node, { from: peer.identity, kind: "answer", reference });
    const forged = answer.bytes.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    for (let at = 0; at < 200; at++) tell({ from: peer.id, bytes: forged });
    const { offersPerWayBurst: looks } = PUNCH_LIMITS;
    expect(node.core.statistics).toMatchObject({ forged: looks, limited: 200 - looks });
  });

  it("of one peer again and again is limited", () => {
    const { world, node, tell } = place();
    const from = new NodeIdentity(random.bytes(32));
    for (let at = 0; at < 20; at++) {
      tell(offer(world, node, { from }));
      world.clock.advance(300);
    }
    expect(node.core.statistics.offersTaken).toBe(PUNCH_LIMITS.offersPerPeerBurst);
  });
});

describe("addresses of somebody else", () => {
  it("get no more than a few probes, and none inside our own network", () => {
    const { world, node, sent, tell } = place();
    const victim = { host: "198.51.100.250", port: 53 };
    const inside = ["192.168.2.1", "127.0.0.1", "10.0.0.1", "169.254.1.1", "fd00::1", "::1"];
    const addresses = [victim, ...inside.map((host) => ({ host, port: 53 }))];
    tell(offer(world, node, { addresses }));
    world.clock.advance(20_000);
    expect([...sent.to]).toEqual([victim.host]);
    expect(sent.count).toBeLessThanOrEqual(25);
    expect(sent.bytes).toBeLessThanOrEqual(25 * 64);
  });

  it("that can be nobody's are not probed", () => {
    const { world, node, sent, tell } = place();
    const hosts = ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"];
    tell(offer(world, node, { addresses: hosts.map((host) => ({ host, port: 1 })) }));
    world.clock.advance(20_000);
    expect(sent.count).toBe(0);
  });

  it("inside our own network are not probed for a peer that sends from there", () => {
    const { world, node } = place();
    const liar = world.add("open");
    const probes: Uint8Array[] = [];
    liar.port.send = (bytes) => probes.push(bytes.slice());
    liar.punch(node);
    world.clock.advance(500);
    const inside = { host: "192.168.2.1", port: 53 };
    const told: number[] = [];
    const { send } = node.port;
    node.port.send = (bytes, to) => {
      if (to.host === inside.host) told.push(bytes.length);
      send.call(node.port, bytes, to);
    };
    const [probe] = probes;
    if (probe === undefined) throw new Error("the liar probes");
    node.driver.handle({ kind: "datagram", bytes: probe, from: inside });
    world.clock.advance(20_000);
    // An echo of what came: as much as whoever sends from there has sent.
    expect(told).toEqual([probe.length]);
  });

  it("on our own machine are not probed in the open, whoever shares our address", () => {
    const { world, node, sent, tell } = place();
    const [ours] = node.core.ownAddresses(world.clock.now());
    const inside = ["127.0.0.1", "::1", "192.168.2.9"].map((host) => ({ host, port: 53 }));
    tell(offer(world, node, { addresses: ours === undefined ? [] : [ours, ...inside] }));
    world.clock.advance(20_000);
    expect([...sent.to]).toEqual([ours?.host, "192.168.2.9"]);
  });

  it("told by a lying observer do not outvote those of two others", () => {
    const { world, node } = place();
    const lie = { host: "198.51.100.250", port: 53 };
    const by = random.bytes(32);
    node.driver.handle({ kind: "observed", address: lie, by, from: "198.18.0.1" });
    const [first, second] = node.core.ownAddresses(world.clock.now());
    expect(first).toEqual({ host: "203.0.113.2", port: PORT });
    expect(second).toEqual(lie);
  });

  it("of any number of observers are forgotten beyond the limit", () => {
    const { world, node } = place();
    for (let at = 0; at < 1_000; at++) {
      const address = { host: `198.51.100.${at % 250}`, port: 1 + at };
      node.driver.handle({ kind: "observed", address, by: random.bytes(32), from: undefined });
    }
    const listed = node.core.ownAddresses(world.clock.now());
    expect(listed.length).toBeLessThanOrEqual(PUNCH_LIMITS.addressesMax);
    expect(listed).toContainEqual({ host: "192.168.2.2", port: PORT });
  });
});

describe("a probe", () => {
  it("from a false source, replayed or made up, makes no path and no traffic to speak of", () => {
    const world = new PunchWorld({ seed: 3 });
    const [left, right] = [world.add("open"), world.add("open")];
    const thief = world.network.addHost({ addresses: ["198.51.100.66"] });
    const victim = world.network.addHost({ addresses: ["198.51.100.77"] });
    let hits = 0;
    victim.bind(PORT).listen({
      datagram: () => {
        hits += 1;
      },
    });
    const seen = sentBy(left);
    left.punch(right);
    const from = { host: "198.51.100.77", port: PORT };
    const to = { host: right.host.addresses[0] ?? "", port: PORT };
    for (let ms = 0; ms < 2_000; ms += 1) {
      world.clock.advance(1);
      const last = seen.at(-1);
      // One that was heard, one with another number, one that was never sent.
      if (last !== undefined) {
        const changed = last.slice();
        changed[15] = (changed[15] ?? 0) ^ 8;
        for (const bytes of [last, changed, random.bytes(57)]) thief.spoof(bytes, { from, to });
      }
    }
    world.clock.advance(10_000);
    const { probesForged, probesReplayed } = right.core.statistics;
    expect(probesForged).toBeGreaterThan(100);
    expect(probesReplayed).toBeGreaterThan(100);
    expect(hits).toBeLessThanOrEqual(2);
    expect(left.paths[0]?.address).toEqual(to);
    expect(right.paths[0]?.address.host).toBe(left.host.addresses[0]);
  });

  it("of a punch that nobody knows is counted, and that is all", () => {
    const { world, node, sent } = place();
    const bytes = new Uint8Array(57);
    bytes.set([0x43, 0x4c, 0x56, 0x50, 1]);
    node.driver.handle({ kind: "datagram", bytes, from: { host: "1.2.3.4", port: 5 } });
    for (let length = 0; length < 80; length++) {
      const noise = random.bytes(length);
      noise.set([0x43, 0x4c, 0x56, 0x50].slice(0, length));
      node.driver.handle({ kind: "datagram", bytes: noise, from: { host: "1.2.3.4", port: 5 } });
    }
    world.clock.advance(1_000);
    expect(node.core.statistics.probesStray).toBeGreaterThan(0);
    expect(sent.count).toBe(0);
  });
});

describe("a question for the own address", () => {
  it("is answered by no more bytes than it has, and not for ever", () => {
    const { world, node, sent } = place();
    const ask = encodeAsk(random.bytes(16));
    const from = { host: "198.51.100.77", port: 5 };
    for (let at = 0; at < 1_000; at++) {
      node.driver.handle({ kind: "datagram", bytes: ask.slice(), from });
    }
    expect(sent.count).toBe(PUNCH_LIMITS.asksBurst);
    expect(sent.bytes).toBe(PUNCH_LIMITS.asksBurst * ask.length);
    world.clock.advance(1);
  });

  it("takes an answer from nobody but the one who was asked, and once", () => {
    const { world, node } = place();
    const before = node.core.ownAddresses(world.clock.now());
    const asked: Uint8Array[] = [];
    node.port.send = (bytes) => asked.push(bytes.slice());
    const address = { host: "192.0.2.50", port: PORT };
    node.driver.handle({ kind: "ask", node: random.bytes(32), address });
    const told = asked[0]?.slice() ?? new Uint8Array(0);
    told[4] = 3;
    told.set([4, 198, 51, 100, 250], 21);
    told.set([1, 1], told.length - 2);
    const stranger = { host: "192.0.2.51", port: PORT };
    node.driver.handle({ kind: "datagram", bytes: told.slice(), from: stranger });
    expect(node.core.ownAddresses(world.clock.now())).toEqual(before);
    node.driver.handle({ kind: "datagram", bytes: told.slice(), from: address });
    const after = node.core.ownAddresses(world.clock.now());
    expect(after).toContainEqual({ host: "198.51.100.250", port: 257 });
  });
});

describe("a rendezvous", () => {
  const ids = Array.from({ length: 4 }, (_, at) => new SeededRandom(at).bytes(32));
  const [a = ids[0], b = ids[1], stranger = ids[2]] = ids as Uint8Array[];
  const judge = (limits = RENDEZVOUS_LIMITS) =>
    new RendezvousCore({ limits, isLinked: (id) => id !== stranger });

  it("passes signals on between its peers only, and none that is too long or comes back", () => {
    const core = judge();
    const of = (from: unknown, to: unknown, bytes = 400) =>
      core.judge({ from: from as Uint8Array, to: to as Uint8Array, bytes }, 0);
    expect(of(a, b)).toBe("pass");
    expect(of(a, stranger)).toBe("not-linked");
    expect(of(a, a)).toBe("drop");
    expect(of(a, b, RENDEZVOUS_LIMITS.signalBytesMax + 1)).toBe("drop");
  });

  it("hears one who sends too much no more, and does not let many drown one", () => {
    const core = judge();
    const signal = { from: a as Uint8Array, to: b as Uint8Array, bytes: 10 };
    const passed = (to: (at: number) => Uint8Array): number => {
      const judged = Array.from({ length: 1_000 }, (_, at) =>
        core.judge({ ...signal, to: to(at) }, at),
      );
      return judged.filter((one) => one === "pass").length;
    };
    expect(passed(() => signal.to)).toBe(RENDEZVOUS_LIMITS.signalsOfOneToOneBurst);
    // Who answers one peer without end may still speak to others.
    expect(core.judge({ ...signal, to: stranger as Uint8Array }, 0)).toBe("not-linked");
    const everybody = passed((at) => new SeededRandom(500 + at).bytes(32));
    expect(everybody).toBeLessThanOrEqual(RENDEZVOUS_LIMITS.signalsBurst + 8);
    const many = Array.from({ length: 200 }, (_, at) =>
      core.judge({ ...signal, from: new SeededRandom(100 + at).bytes(32) }, 60_000),
    );
    const { signalsToOneBurst } = RENDEZVOUS_LIMITS;
    expect(many.filter((judged) => judged === "pass").length).toBe(signalsToOneBurst);
    expect(many.at(-1)).toBe("busy");
  });

  it("has signals that come back as they were, and refuses others", () => {
    const node = random.bytes(32);
    for (const message of [
      { kind: "to", node, body: Uint8Array.of(1, 2) },
      { kind: "from", node, body: new Uint8Array(0) },
      { kind: "failed", node, reason: "busy" },
    ] as const) {
      expect(decodeSignal(encodeSignal(message))).toEqual(message);
    }
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.of(1),
      new Uint8Array(40),
      random.bytes(31),
    ]) {
      expect(() => decodeSignal(bytes)).toThrow(
        expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
      );
    }
  });
});
