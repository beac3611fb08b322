import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { dhKeysOf } from "../../src/link/channel/noise.ts";
import { SecurePath } from "../../src/link/channel/secure-path.ts";
import type { PathConnection } from "../../src/link/index.ts";
import { virtualTcp } from "../../src/testing/index.ts";
import { LinkWorld } from "./link-world.ts";

const PORT = 9_000;

describe("a connection that is attached to a peer that proves its key and says no more", () => {
  it.each(["attach", "upgrade"])("can be given up: %s", async (how) => {
    const world = new LinkWorld({ seed: 8 });
    const [node, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const mute = world.network.addHost({ addresses: ["198.51.100.9"] });
    const random = new SeededRandom(how === "attach" ? 8 : 8_001);
    const identity = new NodeIdentity(how === "attach" ? random.bytes(32) : seedOfFar());
    let isReady = false;
    await virtualTcp(mute).listen({
      at: { host: "0.0.0.0", port: PORT },
      connectionsMax: 9,
      onConnection: (connection) => {
        const path = new SecurePath(connection, {
          identity: { publicKey: identity.publicKey, keys: dhKeysOf(identity.exposeSeed()) },
          isInitiator: false,
          network: "test",
          random,
          clock: world.clock,
          events: {
            ready: () => {
              isReady = true;
            },
            message: () => {},
            datagram: () => {},
            drained: () => {},
            closed: () => {},
          },
        });
        path.begin();
      },
    });
    const abort = new AbortController();
    const { signal } = abort;
    const to = { host: "198.51.100.9", port: PORT };
    const connection = await world.run(virtualTcp(node.vhost).dial(to, { signal }));
    const link = await world.dial(node, far);
    const asked =
      how === "attach"
        ? node.host.attach(connection, { isInitiator: true, isRelayed: false, signal })
        : node.host.upgrade(link, { connection, isRelayed: false, signal });
    const failed = asked.then(
      () => "resolved",
      ({ name }: Error) => name,
    );
    await world.pass(1_000);
    expect([isReady, node.handshakes()]).toEqual([true, 1]);
    abort.abort();
    expect(await world.run(failed, 1_000)).toBe("AbortError");
    expect(node.handshakes()).toBe(0);
    expect(link.isOpen).toBe(true);
    await world.close();
  });
});

describe("a connection that is handed over and not used", () => {
  it("is closed: for a link of another host, and for one that is over", async () => {
    const world = new LinkWorld({ seed: 10 });
    const [node, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const closed: string[] = [];
    const link = await world.dial(node, far);
    const path = (name: string) => ({ connection: idle(name, closed), isRelayed: true });
    const foreign = far.host.upgrade(link, path("foreign"));
    await expect(world.run(foreign)).rejects.toThrow(RangeError);
    await world.run(link.close());
    const late = node.host.upgrade(link, path("over"));
    await expect(world.run(late)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect([closed, node.handshakes()]).toEqual([["foreign", "over"], 0]);
    await world.close();
  });

  it("is closed: by a host that is, and while its link moves already", async () => {
    const world = new LinkWorld({ seed: 9 });
    const [node, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const closed: string[] = [];
    const named = (name: string): PathConnection => idle(name, closed);
    const link = await world.dial(node, far);
    const moving = node.host.upgrade(link, { addresses: far.host.addresses });
    const busy = node.host.upgrade(link, { connection: named("busy"), isRelayed: true });
    await expect(world.run(busy)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    await world.run(moving);
    await world.run(node.host.close());
    const late = node.host.attach(named("late"), { isInitiator: true, isRelayed: true });
    await expect(world.run(late)).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect(closed).toEqual(["busy", "late"]);
    await world.close();
  });
});

/** A connection that says nothing, and tells by its name that it was closed. */
function idle(name: string, closed: string[]): PathConnection {
  return {
    start: () => {},
    write: () => {},
    unsentBytes: 0,
    setReading: () => {},
    close: () => closed.push(name),
  };
}

/** The seed of the second node of a world whose seed is 8. */
function seedOfFar(): Uint8Array {
  return new SeededRandom(8_001).bytes(32);
}
