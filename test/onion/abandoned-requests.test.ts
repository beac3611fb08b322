import { afterEach, expect, it } from "vitest";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { carrierRig, recordOf } from "./carrier-rig.ts";
import type { VirtualNet } from "./virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

it("gets that were given up end soon, with the circuit that is full of them", async () => {
  const rig = carrierRig({ paths: 1, spares: 0 });
  const { carrier } = rig;
  net = rig.net;
  const abandon = async (count: number): Promise<void> => {
    const aborts = Array.from({ length: count }, () => new AbortController());
    const gets = aborts.map(({ signal }, seed) =>
      carrier.get(recordOf(seed).address, { waitMs: 250_000, signal }).catch(({ name }) => name),
    );
    await net.clock.runUntil(net.clock.now() + 1_000);
    for (const abort of aborts) abort.abort();
    expect(new Set(await Promise.all(gets))).toEqual(new Set(["AbortError"]));
  };
  for (let round = 0; round < 4; round++) {
    await abandon(CIRCUIT_LIMITS.requestsMax);
    // Those that are full, and the next.
    expect(carrier.circuits.reads.length).toBeLessThanOrEqual(round + 2);
  }
  // One on which somebody waits stays, however full it is of others.
  const record = recordOf(99);
  const got = carrier.get(record.address, { waitMs: 200_000 });
  await net.clock.runUntil(net.clock.now() + 31_000);
  expect(carrier.circuits.reads.length).toBeLessThanOrEqual(2);
  await abandon(CIRCUIT_LIMITS.requestsMax - 1);
  await abandon(1);
  await net.clock.runPromise(carrier.put(record), 60_000);
  expect(await net.clock.runPromise(got, 60_000)).toEqual(record);
});
