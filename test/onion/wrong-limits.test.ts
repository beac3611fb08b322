import { expect, it } from "vitest";
import { CIRCUIT_LIMITS } from "../../src/onion/circuit/circuit-limits.ts";
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
