import { afterEach, describe, expect, it } from "vitest";
import type { OnionCarrierOptions } from "../../src/onion/map/onion-carrier-options.ts";
import { carrierRig, recordOf } from "./carrier-rig.ts";
import type { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

function setUp(options: Partial<OnionCarrierOptions> = {}) {
  const rig = carrierRig(options);
  net = rig.net;
  return rig;
}

describe("circuits that were prepared", () => {
  it("are there before the first request when they were prepared, and stay fresh", async () => {
    const { carrier } = setUp();
    carrier.prepare();
    await net.clock.runUntil(1_000);
    for (const ageMs of [0, 800_000]) {
      await net.clock.runUntil(net.clock.now() + ageMs);
      const { writes, reads } = carrier.circuits;
      expect([writes.length, reads.length]).toEqual([4, 4]);
      expect([...writes, ...reads].every(({ openRequests }) => openRequests === 0)).toBe(true);
    }
    const asks: readonly (() => Promise<unknown>)[] = [
      () => carrier.put(recordOf(0)),
      () => carrier.get(recordOf(0).address),
    ];
    for (const ask of asks) {
      const from = net.clock.now();
      await net.clock.runPromise(ask(), 60_000);
      expect(net.clock.now() - from).toBeLessThanOrEqual(6 * net.latencyMs);
    }
  });

  it("end with their lives when nobody has asked for long after they were prepared", async () => {
    const { carrier } = setUp({ preparedMs: 300_000 });
    carrier.prepare();
    for (const ms of [299_000, 301_000]) {
      await net.clock.runUntil(ms);
      const { writes, reads } = carrier.circuits;
      expect([writes.length, reads.length]).toEqual([4, 4]);
    }
    await net.clock.runUntil(1_000_000);
    const circuits = net.nodes.map(({ service }) => service.circuits);
    expect(Math.max(...circuits)).toBe(0);
    carrier.prepare();
    await net.clock.runUntil(1_001_000);
    expect(carrier.circuits.writes.length).toBe(4);
  });

  it("are kept for as long as there is a request, whenever they were prepared", async () => {
    const { carrier } = setUp({ preparedMs: 1_000 });
    const isReplaced = async (): Promise<boolean> => {
      carrier.circuits.writes[0]?.close();
      await net.clock.runUntil(net.clock.now() + 2_000);
      return carrier.circuits.writes.length === 4;
    };
    carrier.prepare();
    await net.clock.runUntil(500);
    const got = carrier.get(recordOf(0).address, { waitMs: 20_000 }).catch(({ code }) => code);
    expect(await isReplaced()).toBe(true);
    carrier.prepare();
    await net.clock.runUntil(5_000);
    expect(await isReplaced()).toBe(true);
    expect(await net.clock.runPromise(got, 60_000)).toBe("CULVERT_NOT_FOUND");
  });

  it("are none of a carrier that is closed, and no timer is left of it", async () => {
    const { carrier } = setUp();
    const { pending } = net.clock;
    carrier.close();
    carrier.prepare();
    await net.clock.runUntil(1_000);
    expect([carrier.circuits.writes.length, net.clock.pending]).toEqual([0, pending]);
  });

  it("are there again when all that were prepared have failed, or could not be built", async () => {
    const { carrier } = setUp();
    const others = net.nodes.slice(1);
    for (const { index } of others) net.kill(index);
    carrier.prepare();
    for (const _ of ["could not be built", "have failed"]) {
      await net.clock.runUntil(net.clock.now() + 20_000);
      for (const { index } of others) net.restart(index);
      await net.clock.runUntil(net.clock.now() + 60_000);
      const { writes, reads } = carrier.circuits;
      expect([writes.length, reads.length]).toEqual([4, 4]);
    }
  });
});
