import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
import { CircuitPool, PATH_DEFAULTS } from "../../src/onion/circuit/circuit-pool.ts";
import { ONION_CARRIER_DEFAULTS } from "../../src/onion/map/onion-carrier-options.ts";
import { RELAY_DEFAULTS, resolveRelayOptions } from "../../src/onion/relay/relay-options.ts";
import { DescriptorRoutes, ROUTE_DEFAULTS } from "../../src/onion/route/descriptor-routes.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { carrierRig } from "./carrier-rig.ts";
import { VirtualNet } from "./virtual-net.ts";

it.each([undefined, "256", Number.NaN, -1])(
  "a limit of %s is refused: nothing would be bounded by it",
  (value) => {
    const of = (name: string): object => ({ [name]: value });
    const made = [
      () => new VirtualNet(1, { packets: of("statesMax") }),
      () => new VirtualNet(1, { relay: { limits: of("circuitsMax") } }),
      () => new VirtualNet(1, { relay: { circuit: { ...CIRCUIT_LIMITS, ...of("cellsMax") } } }),
      // Before any circuit is built, and not once for each that is.
      () => carrierRig({ circuit: of("requestsMax") }),
    ];
    for (const make of made) expect(make).toThrow("must be a positive number");
  },
);

it("a window that holds no two proofs is refused before a cell has come", () => {
  const circuit = { ...CIRCUIT_LIMITS, windowCells: 32 };
  expect(() => new VirtualNet(1, { relay: { circuit } })).toThrow(RangeError);
});

it("circuits may all live as long", () => {
  const { net, carrier } = carrierRig({ circuit: { lifeSpreadMs: 0 } });
  carrier.close();
  net.close();
});

describe("options of circuits and routes", () => {
  const routesWith = (options: object): DescriptorRoutes => {
    const discovery = { discover: async () => [] };
    const parts = { discovery, clock: new VirtualClock(), random: new SeededRandom(1) };
    return new DescriptorRoutes({ ...parts, self: new Uint8Array(32) }, options);
  };
  const poolWith = (options: object): void => {
    const { net, routes, carrier } = carrierRig();
    carrier.close();
    try {
      new CircuitPool({ service: net.service(0), routes }, options).close();
    } finally {
      net.close();
    }
  };
  const carrierWith = (options: object): void => {
    const { net, carrier } = carrierRig(options);
    carrier.close();
    net.close();
  };
  const kinds: [string, object, (options: object) => unknown][] = [
    ["a route", ROUTE_DEFAULTS, routesWith],
    ["a pool of circuits", PATH_DEFAULTS, poolWith],
    ["a carrier", ONION_CARRIER_DEFAULTS, carrierWith],
  ];
  const cases = kinds.flatMap(([kind, defaults, make]) =>
    Object.keys(defaults).map((name) => ({ kind, name, make })),
  );

  it.each(cases)("refuse a $name of $kind that is none, by its name", ({ name, make }) => {
    for (const value of [undefined, null, "3", Number.NaN, -1]) {
      expect(() => make({ [name]: value })).toThrow(RangeError);
      expect(() => make({ [name]: value })).toThrow(new RegExp(`^${name} must be `));
    }
  });

  it("may be zero where that says something, and without a budget", () => {
    routesWith({ relaysBias: 0 });
    poolWith({ spares: 0, coverMs: 0 });
    carrierWith({ spares: 0, coverMs: 0, framesPerExit: 0 });
    carrierWith({ framesPerExit: Number.POSITIVE_INFINITY });
    for (const name of ["relays", "guards", "retryMs"]) {
      expect(() => routesWith({ [name]: 0 })).toThrow(RangeError);
    }
    for (const name of ["paths", "retryMs", "window"]) {
      expect(() => carrierWith({ [name]: 0 })).toThrow(RangeError);
    }
  });
});

it("whether a node is a relay is said by yes or no", () => {
  expect(resolveRelayOptions({})).toEqual(RELAY_DEFAULTS);
  for (const name of ["isRelay", "isExit"]) {
    for (const value of [undefined, 0, "no"]) {
      expect(() => resolveRelayOptions({ [name]: value })).toThrow(`${name} must be true or false`);
    }
  }
});
