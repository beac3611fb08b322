import { expect, it } from "vitest";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit-limits.ts";
import { CircuitPool } from "../../src/onion/circuit-pool.ts";
import { carrierRig } from "./carrier-rig.ts";

it("a pool that is closed while a circuit becomes ready leaves none behind", async () => {
  for (let turns = 0; turns < 24; turns++) {
    const { net, routes } = carrierRig();
    const service = net.service(0);
    const open = service.links.open.bind(service.links);
    let pool: CircuitPool | undefined;
    service.links.open = (to, events) => {
      const heard = events.unit;
      return open(to, {
        ...events,
        unit: (unit) => {
          heard(unit);
          let wait = Promise.resolve();
          for (let i = 0; i < turns; i++) wait = wait.then(() => {});
          void wait.then(() => pool?.close());
        },
      });
    };
    pool = new CircuitPool({ service, routes }, { paths: 1, spares: 0 });
    pool.refresh();
    await net.clock.runUntil(10_000);
    expect([turns, net.nodes.filter((node) => node.service.circuits > 0).length]).toEqual([
      turns,
      0,
    ]);
    net.close();
  }
});

it("a relay that ends circuits as too old before their time has the blame for it", async () => {
  const hasty = { relay: { circuit: { ...CIRCUIT_LIMITS, relayLifeMs: 1_000 } } };
  const others = new Map([1, 2, 3].map((index) => [index, hasty]));
  const { net, routes, carrier } = carrierRig({}, 12, { others });
  carrier.prepare();
  await net.clock.runUntil(30_000);
  expect(routes.failures.map(({ reason }) => reason)).toContain("expired");
  carrier.close();
  net.close();
});

it("nobody has the blame for circuits that have lived their time", async () => {
  const { net, routes, carrier } = carrierRig({ circuit: { lifeMs: 5_000, lifeSpreadMs: 1_000 } });
  carrier.prepare();
  await net.clock.runUntil(60_000);
  expect(routes.failures).toEqual([]);
  carrier.close();
  net.close();
});
