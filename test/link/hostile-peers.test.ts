import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { dhKeysOf } from "../../src/link/channel/noise.ts";
import { SecurePath } from "../../src/link/channel/secure-path.ts";
import { CoreLink } from "../../src/link/host/core-link.ts";
import { LINK_LIMITS, type LinkStream, type PathConnection } from "../../src/link/index.ts";
import { encodeControl, type Intent, readControl } from "../../src/link/mux/link-records.ts";
import { encodeControlFrame } from "../../src/link/mux/mux-frames.ts";
import { virtualTcp } from "../../src/testing/index.ts";
import { Arrivals, type LinkNode, LinkWorld, writeKnown } from "./link-world.ts";

const LINK_ID = new Uint8Array(16).fill(1);
const { signal } = new AbortController();

/** A connection over TCP from a machine of its own. */
async function connect(world: LinkWorld, to: LinkNode, host: string): Promise<PathConnection> {
  const vhost = world.network.addHost({ addresses: [host] });
  const [there = ""] = to.vhost.addresses;
  return await world.run(virtualTcp(vhost).dial({ host: there, port: 7_000 }, { signal }));
}

/** A peer that has proved its key and said its greeting, and then says records as it likes. */
async function hostile(
  world: LinkWorld,
  to: LinkNode,
  wish: {
    host?: string;
    linkId?: Uint8Array;
    intent?: Intent;
    streamWindow?: number;
    wrap?: (connection: PathConnection) => PathConnection;
  } = {},
) {
  const { host = "198.51.100.9", linkId = LINK_ID, intent = { kind: "new" } as const } = wish;
  const { streamWindow = 65_536, wrap = (connection) => connection } = wish;
  const connection = wrap(await connect(world, to, host));
  const random = new SeededRandom(99);
  const identity = new NodeIdentity(random.bytes(32));
  const heard: Uint8Array[] = [];
  const path = new SecurePath(connection, {
    identity: { publicKey: identity.publicKey, keys: dhKeysOf(identity.exposeSeed()) },
    ...{ isInitiator: true, network: "test", expectedId: to.host.id, random, clock: world.clock },
    events: {
      ready: () => {
        const hello = { streams: 256, streamWindow, observed: undefined };
        path.send(encodeControl({ kind: "hello", ...hello }));
        path.send(encodeControl({ kind: "intent", linkId, intent }));
      },
      message: (payload) => heard.push(payload.slice()),
      datagram: () => {},
      drained: () => {},
      closed: () => {},
    },
  });
  path.begin();
  await world.pass(500);
  return { path, heard, identity };
}

const open = (id: number, protocol: string): Uint8Array =>
  encodeControlFrame({ kind: "open", id, protocol, priority: "normal" });
const reset = (id: number): Uint8Array => encodeControlFrame({ kind: "reset", id, code: 1 });

/** A friend's link to the node whose echoes go on, whatever others do. */
async function withFriend(world: LinkWorld, node: LinkNode) {
  node.host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  const link = await world.dial(await world.add("192.0.2.2"), node);
  const stream = await world.run(link.openStream("echo"));
  let echoed = 0;
  stream.on("data", (bytes: Uint8Array) => {
    echoed += bytes.length;
  });
  stream.on("error", () => {});
  return async (): Promise<number> => {
    const before = echoed;
    const begunAt = world.clock.now();
    stream.write("hello");
    await world.clock.runUntil(() => echoed > before, 5_000);
    return world.clock.now() - begunAt;
  };
}

describe("what a peer has said over TCP", () => {
  it("opens no link when somebody says it again, word for word", async () => {
    const world = new LinkWorld({ seed: 1 });
    const node = await world.add("192.0.2.1");
    let taken = 0;
    node.host.handle("count", (stream) => {
      taken += 1;
      stream.on("error", () => {}).resume();
    });
    const said: Uint8Array[] = [];
    const wrap = (connection: PathConnection): PathConnection => ({
      ...passing(connection),
      write: (bytes) => {
        said.push(bytes.slice());
        connection.write(bytes);
      },
    });
    const { path } = await hostile(world, node, { wrap });
    path.send(open(0, "count"));
    await world.pass(500);
    expect([node.host.links().length, taken]).toEqual([1, 1]);
    const all = concatBytes(...said);
    const outcomes: boolean[] = [];
    for (const host of ["198.51.100.7", "198.51.100.8"]) {
      const again = await connect(world, node, host);
      let isCut = false;
      again.start({
        receive: () => {},
        drained: () => {},
        closed: () => {
          isCut = true;
        },
      });
      // At once, or each as if it were an answer.
      if (host.endsWith("7")) again.write(all);
      else for (const bytes of said) await world.pass(100).then(() => again.write(bytes.slice()));
      await world.pass(1_000);
      outcomes.push(isCut);
    }
    expect(outcomes).toEqual([true, true]);
    expect([node.handshakes(), node.host.links().length, taken]).toEqual([0, 1, 1]);
    await world.close();
  });
});

describe("a peer that names the link of two others", () => {
  it.each(["resume", "new"] as const)("gets nothing of it: %s", async (kind) => {
    const world = new LinkWorld({ seed: 2 });
    const [node, friend] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const flows: Arrivals[] = [];
    node.host.handle("flow", (stream) => flows.push(new Arrivals(stream, 2)));
    const link = await world.dial(friend, node);
    const stream = await world.run(link.openStream("flow"));
    stream.on("error", () => {});
    writeKnown(stream, { clock: world.clock, seed: 2, bytes: 500_000, bytesPerSecond: 100_000 });
    await world.pass(1_000);
    if (!(link instanceof CoreLink)) throw new Error("another kind of link");
    const { linkId, epoch } = link;
    const [there] = node.host.links();
    const before = there?.path;
    for (const [at, named] of [epoch + 1, epoch, epoch + 1_000].entries()) {
      const resume = { kind: "resume", epoch: named, received: 0 } as const;
      const intent: Intent = kind === "resume" ? resume : { kind };
      const host = `198.51.100.${9 + at}`;
      const { path, heard, identity } = await hostile(world, node, { linkId, intent, host });
      const last = readControl(heard.at(-1) ?? new Uint8Array());
      if (kind === "resume") expect(last).toEqual({ kind: "goodbye", why: "unknown-link" });
      else expect(node.host.find(identity.id)).not.toBe(there);
      path.close(true);
    }
    await world.pass(10_000);
    expect(flows[0]).toMatchObject({ received: 500_000, mismatch: undefined, isEnded: true });
    expect([there?.path, link.isOpen, node.handshakes()]).toEqual([before, true, 0]);
    await world.close();
  });
});

describe("a peer that opens streams and resets them, without an end", () => {
  it.each(["one by one", "many in a record"])(
    "leaves nothing, and hears less than it says: %s",
    async (how) => {
      const world = new LinkWorld({ seed: 3 });
      const node = await world.add("192.0.2.1");
      const echoMs = await withFriend(world, node);
      const quietMs = await echoMs();
      const counts = { taken: 0, closed: 0 };
      node.host.handle("take", (stream) => {
        counts.taken += 1;
        stream
          .on("error", () => {})
          .on("close", () => {
            counts.closed += 1;
          });
        stream.write("welcome");
      });
      const { path, heard, identity } = await hostile(world, node);
      const heardBefore = heard.length;
      let id = 0;
      for (let record = 0; record < 20; record++) {
        const frames: Uint8Array[] = [];
        for (let left = 100; left > 0; left--, id += 2) {
          frames.push(open(id, id % 4 === 0 ? "take" : "nobody-takes-it"), reset(id));
        }
        if (how === "one by one") for (const frame of frames) path.send(frame);
        else path.send(concatBytes(...frames));
        await world.pass(10);
      }
      expect(await echoMs()).toBeLessThan(2 * quietMs);
      await world.pass(1_000);
      const link = node.host.find(identity.id);
      if (!(link instanceof CoreLink)) throw new Error("the link is over");
      expect([link.isOpen, link.streamCount]).toEqual([true, 0]);
      expect(counts).toEqual({ taken: 1_000, closed: 1_000 });
      const bytes = heard.slice(heardBefore).reduce((sum, { length }) => sum + length, 0);
      expect(bytes).toBeLessThan(id * 10);
      path.close(true);
      await world.close();
    },
  );
});

describe("a peer that asks on each stream, and never gives credit", () => {
  it.each([0, 1_000])(
    "holds what it asked for, and nobody else, with a window of %i",
    async (streamWindow) => {
      const world = new LinkWorld({ seed: 4 });
      const node = await world.add("192.0.2.1");
      const echoMs = await withFriend(world, node);
      const quietMs = await echoMs();
      const streams: LinkStream[] = [];
      const counts = { closed: 0, refusedWrites: 0 };
      node.host.handle("ask", (stream) => {
        streams.push(stream);
        stream
          .on("error", () => {})
          .on("close", () => {
            counts.closed += 1;
          });
        if (!stream.write(new Uint8Array(200_000))) counts.refusedWrites += 1;
        stream.end();
      });
      const { path, heard, identity } = await hostile(world, node, { streamWindow });
      for (let at = 0; at < LINK_LIMITS.streamsInMax; at++) path.send(open(2 * at, "ask"));
      await world.pass(1_000);
      const asked = streams.length;
      expect([asked, counts]).toEqual([256, { closed: 0, refusedWrites: 256 }]);
      expect(await echoMs()).toBeLessThan(2 * quietMs);
      const bytes = heard.reduce((sum, { length }) => sum + length, 0);
      expect(bytes).toBeLessThan(256 * (streamWindow + 100));
      // Nor is a node that wants to go kept by it.
      const link = node.host.find(identity.id);
      const begunAt = world.clock.now();
      await world.run(Promise.resolve(link?.close({ graceful: true })));
      expect(world.clock.now() - begunAt).toBeLessThanOrEqual(LINK_LIMITS.drainMs + 1_000);
      await world.pass(100);
      expect(counts.closed).toBe(asked);
      path.close(true);
      await world.close();
      await world.pass(60_000);
      expect(world.clock.pending).toBe(0);
    },
  );
});

/** A connection that does as that one, to be changed in part. */
function passing(connection: PathConnection): PathConnection {
  return {
    start: (events) => connection.start(events),
    write: (bytes) => connection.write(bytes),
    get unsentBytes() {
      return connection.unsentBytes;
    },
    setReading: (isReading) => connection.setReading(isReading),
    close: (isAbrupt) => connection.close(isAbrupt),
    remote: connection.remote,
  };
}
