import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { dhKeysOf } from "../../src/link/channel/noise.ts";
import { SecurePath } from "../../src/link/channel/secure-path.ts";
import type { PathConnection } from "../../src/link/index.ts";
import { encodeControl } from "../../src/link/mux/link-records.ts";
import { type VirtualHost, virtualTcp } from "../../src/testing/index.ts";
import { type LinkNode, LinkWorld } from "./link-world.ts";

const MUTE_PORT = 9_000;
const { signal } = new AbortController();

/** What became of a promise, by its error's code or name. */
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "resolved",
    (error: Error & { readonly code?: unknown }) => error.code ?? error.name,
  );

/** A TCP connection from a node to somebody who says nothing. */
async function muteConnection(world: LinkWorld, from: VirtualHost): Promise<PathConnection> {
  const host = "198.51.100.9";
  const mute = world.network.addHost({ addresses: [host] });
  await virtualTcp(mute).listen({
    at: { host: "0.0.0.0", port: MUTE_PORT },
    connectionsMax: 9,
    onConnection: (connection) => {
      connection.start({ receive: () => {}, drained: () => {}, closed: () => {} });
    },
  });
  return await world.run(virtualTcp(from).dial({ host, port: MUTE_PORT }, { signal }));
}

describe("a host that is closed", () => {
  it("tells whoever dials, however far that has come", async () => {
    const outcomes = new Set<unknown>();
    for (const carrier of ["udp", "tcp"] as const) {
      for (let afterMs = 0; afterMs <= 300; afterMs += 10) {
        const world = new LinkWorld({ seed: 3 });
        const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
        const addresses = far.host.addresses.filter((address) => address.carrier === carrier);
        const dialled = outcome(near.host.dial({ id: far.host.id, addresses }));
        await world.pass(afterMs);
        const closed = near.host.close();
        outcomes.add(await world.run(dialled, 5_000));
        await world.run(closed);
        await world.close();
      }
    }
    expect([...outcomes].sort()).toEqual(["CULVERT_CLOSED", "resolved"]);
  });

  it.each([true, false])(
    "tells whoever attaches to a mute one, as initiator: %s",
    async (isInitiator) => {
      const world = new LinkWorld({ seed: 4 });
      const node = await world.add("192.0.2.1");
      const connection = await muteConnection(world, node.vhost);
      const attached = outcome(node.host.attach(connection, { isInitiator, isRelayed: false }));
      await world.pass(100);
      await world.run(node.host.close());
      expect(await world.run(attached, 1_000)).toBe("CULVERT_CLOSED");
      expect(node.handshakes()).toBe(0);
    },
  );
});

describe("a connection that is over when it is attached", () => {
  it.each([true, false])("fails with a code, as initiator: %s", async (isInitiator) => {
    const world = new LinkWorld({ seed: 5 });
    const node = await world.add("192.0.2.1");
    const connection: PathConnection = {
      start: (events) => events.closed(undefined),
      write: () => {},
      unsentBytes: 0,
      setReading: () => {},
      close: () => {},
    };
    const attached = node.host.attach(connection, { isInitiator, isRelayed: true, signal });
    expect(await world.run(outcome(attached))).toBe("CULVERT_UNREACHABLE");
    await world.close();
  });
});

describe("a link that is closed gracefully", () => {
  it("takes no new streams, and is not given to who dials", async () => {
    const world = new LinkWorld({ seed: 6 });
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    far.host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
    const link = await world.dial(near, far);
    const open = await world.run(link.openStream("echo"));
    const closed = link.close({ graceful: true });
    expect(await world.run(outcome(link.openStream("echo")))).toBe("CULVERT_CLOSED");
    const next = await world.dial(near, far);
    expect([next === link, near.host.find(far.host.id) === next]).toEqual([false, true]);
    open.resume().end("last words");
    await world.run(closed);
    expect(open.bytesRead).toBe(10);
    expect(next.isOpen).toBe(true);
    await world.close();
  });
});

/** A connection whose writes of one tick arrive together. */
function inOnePiece(connection: PathConnection): PathConnection {
  let waiting: Uint8Array[] = [];
  return {
    start: (events) => connection.start(events),
    write: (bytes) => {
      waiting.push(bytes);
      if (waiting.length > 1) return;
      queueMicrotask(() => {
        connection.write(concatBytes(...waiting));
        waiting = [];
      });
    },
    unsentBytes: 0,
    setReading: (isReading) => connection.setReading(isReading),
    close: (isAbrupt) => connection.close(isAbrupt),
  };
}

describe("an initiator whose path was refused", () => {
  /** Says on one path whatever is given, all at once. */
  async function saysAtOnce(world: LinkWorld, to: LinkNode, payloads: readonly Uint8Array[]) {
    const stranger = world.network.addHost({ addresses: ["198.51.100.1"] });
    const at = to.host.addresses.find(({ carrier }) => carrier === "tcp");
    if (at === undefined) throw new Error("it listens");
    const connection = await world.run(virtualTcp(stranger).dial(at, { signal }));
    const random = new SeededRandom(7);
    const identity = new NodeIdentity(random.bytes(32));
    const path = new SecurePath(inOnePiece(connection), {
      identity: { publicKey: identity.publicKey, keys: dhKeysOf(identity.exposeSeed()) },
      isInitiator: true,
      network: "test",
      random,
      clock: world.clock,
      events: {
        ready: () => {
          for (const payload of payloads) path.send(payload);
        },
        message: () => {},
        datagram: () => {},
        drained: () => {},
        closed: () => {},
      },
    });
    path.begin();
    await world.pass(1_000);
  }

  it("gets no link by asking again behind it", async () => {
    const world = new LinkWorld({ seed: 7 });
    const node = await world.add("192.0.2.1");
    const made: unknown[] = [];
    node.host.onLink((link) => made.push(link));
    const hello = encodeControl({
      kind: "hello",
      streams: 8,
      streamWindow: 65_536,
      observed: undefined,
    });
    const linkId = new Uint8Array(16);
    const resume = { kind: "resume", epoch: 2, received: 0 } as const;
    await saysAtOnce(world, node, [
      hello,
      encodeControl({ kind: "intent", linkId, intent: resume }),
      encodeControl({ kind: "intent", linkId, intent: { kind: "new" } }),
    ]);
    expect([made, node.host.links()]).toEqual([[], []]);
    await world.close();
  });
});
