import { expect, it } from "vitest";
import {
  type NatKind,
  VirtualClock,
  type VirtualNat,
  VirtualNetwork,
} from "../../../src/testing/index.ts";

const networkWith = (line: object): VirtualNetwork =>
  new VirtualNetwork({ clock: new VirtualClock(), seed: 1, line });

it("a network has no line, and no NAT, that cannot be: what was meant would go unnoticed", () => {
  const odd = [undefined, null, "5", Number.NaN, -1, true];
  const times = ["delayMs", "jitterMs", "reorderMs", "bytesPerSecond", "queueBytes"];
  const chances = ["loss", "duplicate", "reorder", "corrupt"];
  for (const name of [...times, ...chances, "isQueued"]) {
    const values = name === "isQueued" ? [0, "no", undefined] : odd;
    for (const value of values) {
      expect(() => networkWith({ [name]: value })).toThrow(new RegExp(`^${name} must be`));
    }
  }
  for (const name of chances) expect(() => networkWith({ [name]: 1.5 })).toThrow(RangeError);
  const network = networkWith({ bytesPerSecond: Number.POSITIVE_INFINITY });
  const nat = (kind: string, behaviour: object = {}): VirtualNat =>
    network.addNat({ outer: "192.0.2.9", kind: kind as NatKind, behaviour });
  expect(() => nat("cone")).toThrow("kind must be");
  expect(() => nat("symmetric", { mapping: "none" })).toThrow("mapping must be");
  expect(() => nat("symmetric", { filtering: undefined })).toThrow("filtering must be");
  expect(() => nat("symmetric", { ports: "some" })).toThrow("ports must be");
  expect(() => nat("symmetric", { mappingMs: "60" })).toThrow("mappingMs must be");
  expect(() => nat("symmetric", { isHairpinning: 0 })).toThrow("isHairpinning must be");
  expect(() => nat("symmetric", { mappingsMax: 0 })).toThrow("mappingsMax must be");
  nat("symmetric");
});
