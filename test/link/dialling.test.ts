import { describe, expect, it } from "vitest";
import type { NodeId } from "../../src/identity/index.ts";
import { LINK_LIMITS } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

describe("dialling", () => {
  it.each(["udp", "tcp"] as const)(
    "over %s, to where nobody answers, takes no longer than a handshake may",
    async (carrier) => {
      const world = new LinkWorld();
      const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
      world.network.partition([far.vhost]);
      const failure = await world.dial(near, far, carrier).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "CULVERT_UNREACHABLE" });
      expect(world.clock.now()).toBeLessThanOrEqual(LINK_LIMITS.handshakeMs);
      expect(near.handshakes()).toBe(0);
      await world.close();
    },
  );

  it.each(["udp", "tcp"] as const)(
    "over %s, to where another node answers: it says so where it can read what it is told",
    async (carrier) => {
      const world = new LinkWorld({ seed: 3 });
      const near = await world.add("192.0.2.1");
      const [far, other] = [await world.add("192.0.2.2"), await world.add("192.0.2.3")];
      const link = await world.dial(near, far);
      const { peerKey: publicKey } = link;
      await world.run(link.close());
      const addresses = other.host.addresses.filter((address) => address.carrier === carrier);
      const target = { id: far.host.id, addresses };
      const [unknown, known] = [near.host.dial(target), { ...target, publicKey }];
      await expect(world.run(unknown)).rejects.toMatchObject({ code: "CULVERT_WRONG_PEER" });
      // IK is sealed for the key that was asked for: another node can but cut the connection.
      const cut = near.host.dial(known);
      await expect(world.run(cut)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
      expect([near.handshakes(), other.handshakes()]).toEqual([0, 0]);
      await world.close();
    },
  );

  it("goes on over the next address beside one where nobody answers", async () => {
    const world = new LinkWorld();
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const dead = { carrier: "tcp", host: "192.0.2.99", port: 7_000 } as const;
    const [good] = far.host.addresses.filter(({ carrier }) => carrier === "tcp");
    if (good === undefined) throw new Error("it listens");
    const link = await world.run(near.host.dial({ id: far.host.id, addresses: [dead, good] }));
    expect([link.isOpen, world.clock.now() < 1_000]).toEqual([true, true]);
    await world.pass(2 * LINK_LIMITS.handshakeMs);
    expect(near.handshakes()).toBe(0);
    await world.close();
  });

  it.each([
    ["where it was", "192.0.2.2"],
    ["at another address too, once it has moved", "198.51.100.9"],
  ])("begins with the carrier that has won the race to that peer before, %s", async (_, place) => {
    const world = new LinkWorld({ seed: 4 });
    const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
    const tellsOf: string[] = [];
    const tookMs = async (host: string): Promise<number> => {
      const since = world.clock.now();
      // Whoever drops UDP says nothing of it.
      const dropped = { carrier: "udp", host: "192.0.2.99", port: 7_000 } as const;
      const addresses = [dropped, { carrier: "tcp", host, port: 7_000 } as const];
      const link = await world.run(near.host.dial({ id: far.host.id, addresses }));
      tellsOf.push(link.carrier);
      const ms = world.clock.now() - since;
      await world.run(link.close());
      return ms;
    };
    expect(await tookMs("192.0.2.2")).toBeGreaterThan(LINK_LIMITS.staggerMs);
    if (place !== "192.0.2.2") world.network.move(far.vhost, { addresses: [place] });
    expect(await tookMs(place)).toBeLessThan(LINK_LIMITS.staggerMs);
    expect(tellsOf).toEqual(["tcp", "tcp"]);
    // Of another peer nothing is known.
    const other = await world.add("192.0.2.3");
    const between = world.run(
      near.host.dial({ id: other.host.id, addresses: other.host.addresses }),
    );
    expect((await between).carrier).toBe("udp");
    await world.close();
  });

  it("to many at once does not look like a leak of listeners to Node", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", warned);
    const world = new LinkWorld();
    const near = await world.add("192.0.2.1");
    const dials = Array.from({ length: 24 }, (_, i) => {
      const addresses = [{ carrier: "tcp", host: `192.0.2.${100 + i}`, port: 7_000 } as const];
      return near.host.dial({ id: new Uint8Array(32).fill(i) as NodeId, addresses });
    });
    const outcomes = await world.run(Promise.allSettled(dials));
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
    await new Promise((resolve) => setImmediate(resolve)); // Node warns behind a tick
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    await world.close();
  });
});
