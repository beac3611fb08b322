import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type LinkLimits, type PathConnection } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

/** A connection at whose other end nothing is said. */
function mute(): PathConnection & { isCut: boolean } {
  const connection = {
    isCut: false,
    start: () => {},
    write: () => {},
    unsentBytes: 0,
    setReading: () => {},
    close: () => {
      connection.isCut = true;
    },
  };
  return connection;
}

/** A node to which relays bring connections of whoever calls there. */
async function called(limits: Partial<LinkLimits> = {}) {
  const world = new LinkWorld();
  const { host, handshakes } = await world.add("192.0.2.1", { limits });
  const bring = (relay: number): Promise<unknown> =>
    host
      .attach(mute(), { isInitiator: false, isRelayed: true, via: new Uint8Array(32).fill(relay) })
      .catch((error: { code?: unknown }) => error.code);
  return { world, handshakes, bring };
}

describe("connections that a relay brings", () => {
  it("begin no more handshakes than those of one address, and are not in others' way", async () => {
    const { world, handshakes, bring } = await called();
    const brought = Array.from({ length: 100 }, () => bring(1));
    expect(handshakes()).toBe(LINK_LIMITS.handshakesPerAddressMax);
    expect(await world.run(Promise.race(brought))).toBe("CULVERT_BUSY");
    const other = bring(2);
    expect(handshakes()).toBe(LINK_LIMITS.handshakesPerAddressMax + 1);
    await world.run(Promise.all([...brought, other]));
    expect([handshakes(), await other]).toEqual([0, "CULVERT_TIMEOUT"]);
    await world.close();
  });

  it("give way to newer ones where all places are taken, and hear of it", async () => {
    const { world, handshakes, bring } = await called({ handshakesMax: 3 });
    const brought = [1, 2, 3, 4].map(bring);
    expect(handshakes()).toBe(3);
    expect(await world.run(Promise.race(brought))).toBe("CULVERT_BUSY");
    expect(await world.run(Promise.all(brought))).toEqual([
      "CULVERT_BUSY",
      ...["CULVERT_TIMEOUT", "CULVERT_TIMEOUT", "CULVERT_TIMEOUT"],
    ]);
    await world.close();
  });
});
