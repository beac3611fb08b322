import { Broadcast } from "culvert";
import { describe, expect, it, onTestFinished } from "vitest";
import { Chain } from "../../../src/crypto/index.ts";
import { collectGarbage } from "../../collect-garbage.ts";
import { place } from "./multicast-place.ts";

/** All chain states that are made from now on, for as long as somebody has them. */
function watchChains(): () => Chain[] {
  const made: WeakRef<Chain>[] = [];
  // A spy would keep what it has seen.
  for (const name of ["fromBytes", "fromMaterial"] as const) {
    const make = Chain[name] as (...given: unknown[]) => Chain;
    const watched = (...given: unknown[]): Chain => {
      const chain = make(...given);
      made.push(new WeakRef(chain));
      return chain;
    };
    Object.assign(Chain, { [name]: watched });
    onTestFinished(() => void Object.assign(Chain, { [name]: make }));
  }
  return () => made.map((chain) => chain.deref()).filter((chain) => chain !== undefined);
}

describe("a broadcast has no key of a frame that it has given up", () => {
  it.each(["begun", "loaded"])("when it was %s", async (how) => {
    const { transport, at, clock, elapse } = place();
    const options = { ...at, retainFrames: 2 };
    const state = await new Broadcast(transport, options).save();
    const kept = watchChains();
    const broadcast =
      how === "begun"
        ? new Broadcast(transport, options)
        : await Broadcast.load(transport, state, options);
    expect(kept()).not.toEqual([]);
    const first = broadcast.capabilityAtStart().index;
    broadcast.write("x".repeat(3_000));
    await elapse(broadcast.sync());
    await clock.runUntil(clock.now() + 10_000);
    const oldest = broadcast.capabilityAtStart().index;
    expect(oldest).toBeGreaterThan(first);
    await collectGarbage();
    const isUsable = (chain: Chain): boolean => {
      try {
        return chain.toBytes().length > 0;
      } catch {
        return false;
      }
    };
    const usable = kept().filter(isUsable);
    expect(usable.filter(({ index }) => index < oldest)).toEqual([]);
    await broadcast.halt();
  });
});
