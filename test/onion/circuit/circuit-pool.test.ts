import { expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { Circuit } from "../../../src/onion/circuit/circuit.ts";
import { CIRCUIT_LIMITS } from "../../../src/onion/circuit/circuit-limits.ts";
import { CircuitPool } from "../../../src/onion/circuit/circuit-pool.ts";
import { packetBytes } from "../../../src/onion/packet/geometry.ts";
import { carrierRig, recordOf } from "../carrier-rig.ts";
import type { Passage } from "../virtual-net.ts";

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

it("a circuit that is replaced ends when nothing else begins", async () => {
  const { net, carrier } = carrierRig({ circuit: { lifeMs: 60_000, lifeSpreadMs: 10_000 } });
  carrier.prepare();
  const ends = new Map<Circuit, number>();
  const seen = new Set<Circuit>();
  for (let now = 0; now < 600_000; now += 1_000) {
    await net.clock.runUntil(now);
    for (const circuit of [...carrier.circuits.writes, ...carrier.circuits.reads]) {
      if (seen.has(circuit)) continue;
      seen.add(circuit);
      void circuit.ended.then(() => ends.set(circuit, net.clock.now()));
    }
  }
  expect(ends.size).toBeGreaterThan(50);
  const isBuild = ({ from, bytes }: Passage): boolean =>
    from === 0 && bytes.length === packetBytes(net.geometry);
  const begun = new Set(net.passages.filter(isBuild).map(({ at }) => at));
  expect(begun.size).toBeGreaterThan(50);
  expect([...ends.values()].filter((at) => begun.has(at))).toEqual([]);
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

it("what is asked beside a request without answer is told that its circuit is gone", async () => {
  const { net, carrier } = carrierRig({ paths: 1, spares: 0, answerMs: 5_000 });
  await net.clock.runPromise(carrier.put(recordOf(0)));
  for (const { service } of net.nodes)
    service.setHandlers({ request: () => new Promise(() => {}) });
  const codes: string[] = [];
  for (const seed of [1, 2]) {
    carrier.put(recordOf(seed)).catch(({ code }) => codes.push(code));
    await net.clock.runUntil(net.clock.now() + 2_000);
  }
  await net.clock.runUntil(net.clock.now() + 10_000);
  expect(codes).toEqual(["CULVERT_TIMEOUT", "CULVERT_UNREACHABLE"]);
  carrier.close();
  net.close();
});

it("a circuit is replaced at once, where fewer exits are there than are wanted", async () => {
  const { net, routes, carrier } = carrierRig({ framesPerExit: Number.POSITIVE_INFINITY });
  routes.route = async ({ isExcluded = () => false } = {}) => {
    const route = net.route(1, 2, 3);
    if (isExcluded(net.node(3).id)) throw new CulvertError("CULVERT_UNREACHABLE");
    return route;
  };
  let longestMs = 0;
  for (let seed = 0; seed < 400; seed++) {
    const from = net.clock.now();
    await net.clock.runPromise(carrier.put(recordOf(seed)), 60_000);
    longestMs = Math.max(longestMs, net.clock.now() - from);
    await net.clock.runUntil(net.clock.now() + 5_000);
  }
  expect(longestMs).toBeLessThan(1_000);
  carrier.close();
  net.close();
});
