import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CulvertError, SeededRandom } from "../../../src/base/index.ts";
import type { Link, LinkStream } from "../../../src/link/index.ts";
import type { NatKind } from "../../../src/testing/index.ts";
import { type ReachNode, ReachWorld } from "./reach-world.ts";

/** Echoes what comes on the streams of a protocol. */
function echo(node: ReachNode): void {
  node.host.handle("echo", (stream) => {
    stream.on("error", () => {});
    stream.pipe(stream);
  });
}

/** Sends `bytes` bytes in pieces on a stream and reads their echo; tells how much is back. */
function flood(stream: LinkStream, bytes: number, seed = 1) {
  const sent = new SeededRandom(seed).bytes(bytes);
  const back = createHash("sha256");
  const state = { received: 0, error: undefined as Error | undefined, isSame: false };
  stream.on("data", (chunk: Uint8Array) => {
    back.update(chunk);
    state.received += chunk.length;
  });
  stream.on("error", (error) => {
    state.error = error;
  });
  stream.on("end", () => {
    state.isSame = back.digest("hex") === createHash("sha256").update(sent).digest("hex");
  });
  for (let at = 0; at < bytes; at += 10_000) stream.write(sent.slice(at, at + 10_000));
  stream.end();
  return state;
}

async function place(options: {
  seed?: number;
  a?: NatKind;
  b?: NatKind;
  hasUdp?: boolean;
  mappingMs?: number;
}) {
  const { seed = 1, a = "port-restricted", b = "port-restricted", hasUdp = true } = options;
  const world = new ReachWorld({ seed });
  const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
  const behaviour = options.mappingMs === undefined ? {} : { mappingMs: options.mappingMs };
  const [natA, natB] = [world.nat(a, behaviour), world.nat(b, behaviour)];
  const left = await world.add({ addresses: ["192.168.1.2"], behind: natA, hasUdp });
  const right = await world.add({ addresses: ["192.168.1.2"], behind: natB, hasUdp });
  echo(right);
  await world.reserve(right, relay);
  const dial = (): Promise<Link> => world.clock.runPromise(left.reach.dial(right.target), 60_000);
  return { world, relay, left, right, natA, natB, dial };
}

const isDirect = (link: Link): boolean => link.path !== undefined && !link.isRelayed;

describe("a node that only a relay reaches", () => {
  it("works for everything, and knows with whom it speaks", async () => {
    const { world, relay, left, right, dial } = await place({ hasUdp: false });
    const link = await dial();
    expect([link.isRelayed, link.carrier]).toEqual([true, "attached"]);
    expect(link.peer).toEqual(right.id);
    const paths = [link.path, right.host.find(left.id)?.path];
    expect(paths.map((path) => path?.via)).toEqual([relay.id, relay.id]);
    const { addresses: places } = relay.vhost;
    expect(paths.map((path) => path?.viaRemote?.host)).toEqual([places[0], places[0]]);
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    const flow = flood(stream, 300_000);
    await world.clock.runUntil(() => flow.isSame, 60_000);
    const datagrams: number[] = [];
    right.host.onDatagram("hello", (bytes) => datagrams.push(bytes.length));
    expect(link.sendDatagram("hello", new Uint8Array(7))).toBe(true);
    await world.clock.runUntil(() => datagrams.length > 0, 5_000);
    expect(relay.reach.relay?.statistics).toMatchObject({ reservations: 1, circuits: 1 });
    expect(relay.reach.relay?.statistics.passedBytes).toBeGreaterThan(600_000);
    expect(link.isRelayed, "without UDP there is nothing to punch").toBe(true);
    await world.close();
    await world.clock.runUntil(world.clock.now() + 60_000);
  });

  it("is called through the relay that still works", async () => {
    const { world, relay, left, right } = await place({});
    const second = await world.add({ addresses: ["192.0.2.9"], relay: {} });
    right.reach.keepPlace({ id: second.id, addresses: second.publicAddresses });
    await world.clock.runUntil(() => right.reach.vouchers.length === 2, 30_000);
    relay.vhost.isOnline = false;
    const link = await world.clock.runPromise(left.reach.dial(right.target), 120_000);
    expect(link.isOpen).toBe(true);
    await world.close();
  });

  it("is not reached when it has left its relay, and the caller hears why", async () => {
    const { world, relay, left, right } = await place({});
    const { target } = right;
    right.reach.close();
    await right.host.close();
    await world.clock.runUntil(world.clock.now() + 1_000);
    const dialled = left.reach.dial(target).catch((error: unknown) => error);
    const error = await world.clock.runPromise(dialled, 120_000);
    expect(error).toMatchObject({ code: "CULVERT_UNREACHABLE" });
    const cause = error instanceof CulvertError ? error.cause : undefined;
    expect(cause instanceof CulvertError && cause.detail).toEqual({ reason: "not-linked" });
    expect(relay.reach.relay?.statistics.circuits).toBe(0);
    await world.close();
  });
});

describe("a node that cannot be dialled and dials meanwhile", () => {
  it("is reached by its own link", async () => {
    const world = new ReachWorld({ seed: 5 });
    const left = await world.add({ addresses: ["192.0.2.1"] });
    const right = await world.add({ addresses: ["192.168.1.2"], behind: world.nat("symmetric") });
    const nowhere = { carrier: "udp", host: "198.51.100.9", port: 9 } as const;
    const relays = [new Uint8Array(32).fill(7)];
    const dialled = left.reach.dial({ id: right.id, addresses: [nowhere], relays });
    const outcome = dialled.then(({ peer }) => peer, String);
    void right.reach.dial(left.target);
    expect(await world.clock.runPromise(outcome, 60_000)).toEqual(right.id);
    await world.close();
  });
});

describe("a link through a relay", () => {
  it.each<[NatKind, NatKind]>([
    ["port-restricted", "port-restricted"],
    ["symmetric", "restricted"],
    ["full-cone", "symmetric"],
  ])("moves to a direct path without losing a byte: %s, %s", async (a, b) => {
    const { world, relay, dial } = await place({ a, b });
    const link = await dial();
    expect(link.isRelayed).toBe(true);
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    const flow = flood(stream, 1_500_000);
    await world.clock.runUntil(() => isDirect(link), 60_000);
    expect(flow.received, "it moves while bytes are under way").toBeLessThan(1_500_000);
    await world.clock.runUntil(() => flow.isSame, 120_000);
    expect(flow).toMatchObject({ received: 1_500_000, error: undefined });
    expect(link.carrier).toBe("udp");
    await world.clock.runUntil(world.clock.now() + 5_000);
    expect(relay.reach.relay?.statistics.circuits, "the relay is free again").toBe(0);
    await world.close();
  });

  it("is left to its keeper when it is dialled again without a path", async () => {
    const { world, left, right, dial } = await place({ a: "symmetric", b: "symmetric" });
    const link = await dial();
    world.network.partition([left.vhost]);
    await world.clock.runUntil(() => link.path === undefined, 60_000);
    // Nobody answers there, for as long as the link may be without a path.
    const dead = [1, 2, 3].map((port) => ({ carrier: "tcp", host: "192.0.2.99", port }) as const);
    const again = left.reach.dial({ ...right.target, addresses: dead });
    expect(await world.clock.runPromise(again, 1_000)).toBe(link);
    world.network.heal();
    await world.clock.runUntil(() => link.path !== undefined, 15_000);
    expect([link.isOpen, link.isRelayed]).toEqual([true, true]);
    await world.close();
  });

  it("stays there when no direct path can be", async () => {
    const { world, dial } = await place({ a: "symmetric", b: "port-restricted" });
    const link = await dial();
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    await world.clock.runUntil(world.clock.now() + 120_000);
    const flow = flood(stream, 100_000);
    await world.clock.runUntil(() => flow.isSame, 60_000);
    expect(link.isRelayed).toBe(true);
    await world.close();
  });

  it.each([1, 2])("goes on when the NATs are rebound, seed %i", async (seed) => {
    const { world, natA, natB, dial } = await place({ seed, b: "restricted" });
    const link = await dial();
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    await world.clock.runUntil(() => isDirect(link), 60_000);
    const paths: string[] = [];
    link.onPath((path) => paths.push(path === undefined ? "lost" : path.carrier));
    const flow = flood(stream, 1_500_000, seed);
    await world.clock.runUntil(world.clock.now() + 200);
    natA.rebind("203.0.113.101");
    await world.clock.runUntil(() => flow.isSame, 300_000);
    await world.clock.runUntil(() => isDirect(link), 60_000);
    expect(paths).toContain("lost");
    const again = await world.clock.runPromise(link.openStream("echo"), 10_000);
    const second = flood(again, 1_500_000, seed);
    await world.clock.runUntil(world.clock.now() + 200);
    natB.rebind("203.0.113.102");
    await world.clock.runUntil(() => second.isSame, 300_000);
    expect(link.isOpen).toBe(true);
    await world.close();
  });

  it("does not need the relay any more once its path is direct", async () => {
    const { world, relay, left, dial } = await place({});
    const link = await dial();
    await world.clock.runUntil(() => isDirect(link), 60_000);
    relay.reach.close();
    await relay.host.close();
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    const flow = flood(stream, 100_000);
    await world.clock.runUntil(() => flow.isSame, 60_000);
    expect(left.host.find(link.peer)).toBe(link);
    await world.close();
  });
});

describe("a dial", () => {
  it("goes directly where that works, and asks no relay", async () => {
    const { world, relay, left } = await place({});
    const open = await world.add({ addresses: ["192.0.2.50"] });
    echo(open);
    await world.reserve(open, relay);
    const link = await world.clock.runPromise(left.reach.dial(open.target), 30_000);
    expect(link.isRelayed).toBe(false);
    expect(relay.reach.relay?.statistics.circuitsOpened).toBe(0);
    await world.close();
  });

  it("of a node that has moved leads its link to where it is now", async () => {
    const world = new ReachWorld({ seed: 9 });
    const [left, right] = [
      await world.add({ addresses: ["192.0.2.1"] }),
      await world.add({ addresses: ["192.0.2.2"] }),
    ];
    echo(right);
    const link = await world.clock.runPromise(left.reach.dial(right.target), 10_000);
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    world.network.move(right.vhost, { addresses: ["198.51.100.9"] });
    const flow = flood(stream, 1_000);
    await world.clock.runUntil(() => link.path === undefined, 60_000);
    const addresses = right.target.addresses.map((each) => ({ ...each, host: "198.51.100.9" }));
    const again = left.reach.dial({ ...right.target, addresses });
    expect(await world.clock.runPromise(again, 1_000)).toBe(link);
    await world.clock.runUntil(() => flow.isSame, 30_000);
    await world.close();
  });

  it("asks a relay when the addresses of a node lead nowhere", async () => {
    const { world, left, right } = await place({});
    const addresses = [{ carrier: "udp", host: "192.0.2.222", port: 9 } as const];
    const before = world.clock.now();
    const dialled = left.reach.dial({ ...right.target, addresses });
    const link = await world.clock.runPromise(dialled, 60_000);
    expect(link.isRelayed).toBe(true);
    expect(world.clock.now() - before).toBeLessThan(3_000);
    await world.close();
  });

  it.each(["directly", "through a relay"])(
    "for which this node has no link to spare fails for that, %s",
    async (way) => {
      const { world, relay, right } = await place({});
      const full = await world.add({ addresses: ["192.0.2.60"], limits: { linksMax: 1 } });
      echo(relay);
      const used = await world.clock.runPromise(full.reach.dial(relay.target), 30_000);
      const stream = await world.clock.runPromise(used.openStream("echo"), 10_000);
      stream.on("error", () => {});
      const open = await world.add({ addresses: ["192.0.2.50"] });
      const unknownRelay = new Uint8Array(32).fill(7);
      const target = way === "directly" ? { ...open.target, relays: [unknownRelay] } : right.target;
      const dialled = full.reach.dial(target).catch(({ code }) => code);
      expect(await world.clock.runPromise(dialled, 60_000)).toBe("CULVERT_BUSY");
      await world.close();
    },
  );

  it("gives the link that a peer has ended in the same turn: it tells why", async () => {
    const { world, left, dial } = await place({ hasUdp: false });
    const attach = left.host.attach.bind(left.host);
    // As when hello and goodbye come in one piece.
    left.host.attach = async (connection, options) => {
      const link = await attach(connection, options);
      void link.close();
      return link;
    };
    const link = await dial();
    expect(link.isOpen).toBe(false);
    await world.close();
  });

  it("of a peer that has no link to spare is told so, over a full line too", async () => {
    const world = new ReachWorld({ seed: 6 });
    const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
    const left = await world.add({ addresses: ["192.0.2.2"] });
    // What it says waits behind much else.
    const right = await world.add({
      addresses: ["192.168.1.2"],
      behind: world.nat("port-restricted"),
      line: { bytesPerSecond: 100_000 },
      limits: { linksMax: 1 },
    });
    await world.reserve(right, relay);
    relay.host.handle("sink", (stream) => stream.on("error", () => {}).resume());
    const busy = right.host.find(relay.id);
    const stream = await world.clock.runPromise(
      busy?.openStream("sink") ?? Promise.reject(new Error("it has a place")),
      10_000,
    );
    stream.on("error", () => {});
    stream.write(new Uint8Array(2_000_000));
    const link = await world.clock.runPromise(left.reach.dial(right.target), 60_000);
    const why = new Promise((resolve) => void link.onClose(resolve));
    expect(await world.clock.runPromise(why, 60_000)).toMatchObject({ code: "CULVERT_BUSY" });
    await world.close();
  });

  it("of many at once makes one link", async () => {
    const { world, left, right, relay } = await place({});
    const { target } = right;
    const links = await world.clock.runPromise(
      Promise.all([1, 2, 3, 4].map(() => left.reach.dial(target))),
      60_000,
    );
    expect(new Set(links).size).toBe(1);
    expect(relay.reach.relay?.statistics.circuitsOpened).toBe(1);
    await world.close();
  });

  it("leaves nothing to be done behind a reach that is closed", async () => {
    const world = new ReachWorld({ seed: 15 });
    const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
    const node = await world.add({ addresses: ["10.1.0.2"], behind: world.nat("symmetric") });
    node.reach.close();
    const place = { id: relay.id, addresses: relay.publicAddresses };
    expect(() => node.reach.keepPlace(place)).toThrow(
      expect.objectContaining({ code: "CULVERT_CLOSED" }),
    );
    await world.clock.runUntil(world.clock.now() + 60_000);
    expect([node.reach.vouchers.length, node.host.links().length]).toEqual([0, 0]);
    await world.close();
  });

  it("is given up when its caller gives up", async () => {
    const { world, left, right } = await place({});
    const abort = new AbortController();
    const dialled = left.reach.dial({ ...right.target, signal: abort.signal });
    abort.abort();
    await expect(dialled).rejects.toMatchObject({ name: "AbortError" });
    await world.clock.runUntil(world.clock.now() + 30_000);
    expect(left.host.find(right.id)).toBeUndefined();
    await world.close();
  });
});
