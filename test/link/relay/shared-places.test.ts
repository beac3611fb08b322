import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { RelayLimits } from "../../../src/link/relay/limits.ts";
import { type PeerLeg, RelayStage } from "./relay-stage.ts";

const random = new SeededRandom(5);
const node = (): Uint8Array => random.bytes(32);
const isRefused = (leg: PeerLeg): boolean => leg.frames().frames[0]?.kind === "refused";

function stageOf(limits: Partial<RelayLimits>) {
  const stage = new RelayStage(limits);
  const call = (holder: Uint8Array, network: string): PeerLeg => {
    const leg = stage.open(node(), { network });
    stage.say(leg, { kind: "connect", target: holder });
    if (!isRefused(leg)) stage.say(stage.lastCall(), { kind: "connected" });
    return leg;
  };
  return { stage, call };
}

describe("a relay whose places are all taken by a few networks", () => {
  const limits = { reservationsMax: 6, reservationsPerNetworkMax: 3 };

  it("has one for another, by the last of whoever has most, with all that uses it", () => {
    const { stage, call } = stageOf(limits);
    const holders = Array.from({ length: 6 }, node);
    const controls = holders.map((holder, at) => {
      return stage.reserve(holder, { network: at < 3 ? "a" : "b" });
    });
    const calls = holders.map((holder) => call(holder, "callers"));
    const late = stage.reserve(node(), { network: "c" });
    expect(isRefused(late)).toBe(false);
    expect(controls.map(({ end }) => end)).toEqual([
      ...["open", "open", "reset", "open", "open", "open"],
    ]);
    expect(calls.map(({ end }) => end)).toEqual(controls.map(({ end }) => end));
    expect(stage.core.statistics).toMatchObject({ reservations: 6, circuits: 5 });
    expect(isRefused(stage.reserve(node(), { network: "a" }))).toBe(true);
  });

  it("keeps them where nobody has more than the new one would have", () => {
    const { stage } = stageOf({ reservationsMax: 3 });
    const controls = ["a", "b", "c"].map((network) => stage.reserve(node(), { network }));
    expect(isRefused(stage.reserve(node(), { network: "d" }))).toBe(true);
    expect(controls.map(({ end }) => end)).toEqual(["open", "open", "open"]);
  });
});

describe("a relay whose circuits are all of a few networks", () => {
  it("has one to a holder for a caller of another", () => {
    const { stage, call } = stageOf({
      circuitsPerHolderMax: 4,
      circuitsPerNetworkToHolderMax: 2,
    });
    const holder = node();
    stage.reserve(holder);
    const rude = ["a", "a", "b", "b"].map((network) => call(holder, network));
    const honest = call(holder, "c");
    expect([isRefused(honest), honest.end]).toEqual([false, "open"]);
    expect(rude.map(({ end }) => end)).toEqual(["open", "reset", "open", "open"]);
    expect(isRefused(call(holder, "a"))).toBe(true);
    expect(stage.core.statistics.circuits).toBe(4);
  });

  it("has one at all", () => {
    const { stage, call } = stageOf({ circuitsMax: 4, circuitsPerNetworkMax: 2 });
    const holders = Array.from({ length: 5 }, node);
    for (const holder of holders) stage.reserve(holder);
    const rude = ["a", "a", "b", "b"].map((network, at) => call(holders[at] ?? node(), network));
    const honest = call(holders[4] ?? node(), "c");
    expect([isRefused(honest), honest.end]).toEqual([false, "open"]);
    expect(rude.map(({ end }) => end)).toEqual(["open", "reset", "open", "open"]);
    expect(stage.core.statistics.circuits).toBe(4);
  });

  it("gives a call that nobody has answered up, too", () => {
    const { stage, call } = stageOf({ circuitsMax: 2 });
    const [first, second] = [node(), node()];
    for (const holder of [first, second]) stage.reserve(holder);
    call(first, "a");
    const waiting = stage.open(node(), { network: "a" });
    stage.say(waiting, { kind: "connect", target: first });
    const asked = stage.lastCall();
    expect(isRefused(call(second, "b"))).toBe(false);
    expect([waiting.end, asked.end]).toEqual(["reset", "reset"]);
    stage.advance(60_000);
    expect(stage.core.statistics.circuits).toBe(2);
  });
});
