import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { RELAY_LIMITS } from "../../../src/link/relay/limits.ts";
import { type PeerLeg, RelayStage } from "./relay-stage.ts";

const random = new SeededRandom(4);
const node = (): Uint8Array => random.bytes(32);
const refusal = (leg: PeerLeg): string | undefined => {
  const [frame] = leg.frames().frames;
  return frame?.kind === "refused" ? frame.reason : undefined;
};

it("a circuit is refused to a network that has its share, whoever calls from there", () => {
  const stage = new RelayStage();
  const holders = Array.from({ length: 8 }, node);
  for (const [at, holder] of holders.entries()) {
    stage.reserve(holder, { network: `10.0.${at}.0/24` });
  }
  const call = (holder: Uint8Array, network: string): PeerLeg => {
    const leg = stage.open(node(), { network });
    stage.say(leg, { kind: "connect", target: holder });
    if (refusal(leg) === undefined) stage.say(stage.lastCall(), { kind: "connected" });
    return leg;
  };
  const { circuitsPerHolderMax, circuitsMax } = RELAY_LIMITS;
  const rude = holders.flatMap((holder) =>
    Array.from({ length: circuitsPerHolderMax }, () => call(holder, "203.0.113.0/24")),
  );
  const open = rude.filter((leg) => refusal(leg) === undefined);
  expect(open.length).toBe(RELAY_LIMITS.circuitsPerNetworkMax);
  expect(open.length).toBeLessThan(circuitsMax / 2);
  // All are left something, the first holder that was called too.
  for (const holder of holders) expect(refusal(call(holder, "198.51.100.0/24"))).toBe(undefined);
  const [first] = open;
  if (first !== undefined) stage.cut(first);
  expect(refusal(call(holders[0] ?? node(), "203.0.113.0/24"))).toBe(undefined);
});

it("a circuit to one holder is refused to a network that has its share of them", () => {
  const stage = new RelayStage();
  const [one, other] = [node(), node()];
  for (const holder of [one, other]) stage.reserve(holder, { network: "10.0.0.0/24" });
  const call = (holder: Uint8Array, network: string): string | undefined => {
    const leg = stage.open(node(), { network });
    stage.say(leg, { kind: "connect", target: holder });
    if (refusal(leg) === undefined) stage.say(stage.lastCall(), { kind: "connected" });
    return refusal(leg);
  };
  const { circuitsPerNetworkToHolderMax, circuitsPerHolderMax } = RELAY_LIMITS;
  const rude = Array.from({ length: circuitsPerHolderMax }, () => call(one, "203.0.113.0/24"));
  expect(rude.filter((refused) => refused === undefined)).toHaveLength(
    circuitsPerNetworkToHolderMax,
  );
  expect(rude.at(-1)).toBe("busy");
  // It may call another one, and others this one.
  expect(call(other, "203.0.113.0/24")).toBe(undefined);
  expect(call(one, "198.51.100.0/24")).toBe(undefined);
});
