import { describe, expect, it } from "vitest";
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
});
