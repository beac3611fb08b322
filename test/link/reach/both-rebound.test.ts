import { expect, it } from "vitest";
import { LINK_LIMITS } from "../../../src/link/index.ts";
import { ReachWorld } from "./reach-world.ts";

it.each([1, 2, 3])(
  "two nodes that have other addresses at once meet at their relay again, seed %i",
  async (seed) => {
    const world = new ReachWorld({ seed });
    const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
    const [natA, natB] = [world.nat("port-restricted"), world.nat("port-restricted")];
    const left = await world.add({ addresses: ["192.168.1.2"], behind: natA });
    const right = await world.add({ addresses: ["192.168.1.2"], behind: natB });
    right.host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
    await world.reserve(right, relay);
    const link = await world.clock.runPromise(left.reach.dial(right.target), 60_000);
    await world.clock.runUntil(() => link.path !== undefined && !link.isRelayed, 60_000);
    const stream = await world.clock.runPromise(link.openStream("echo"), 10_000);
    let received = 0;
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => {
      received += bytes.length;
    });
    let isFlowing = true;
    const flow = (): void => {
      stream.write(new Uint8Array(10));
      if (isFlowing) world.clock.schedule(world.clock.now() + 200, flow);
    };
    flow();
    await world.clock.runUntil(world.clock.now() + 30_000 + seed * 5_000);
    natA.rebind("203.0.113.101");
    natB.rebind("203.0.113.102");
    const since = world.clock.now();
    await world.clock.runUntil(since + 1_000);
    received = 0;
    await world.clock.runUntil(() => received > 0, 60_000);
    // Each of them hears nothing of the other, and asks the relay: long before it would anyway.
    expect(world.clock.now() - since).toBeLessThan(1.5 * LINK_LIMITS.silenceMs);
    isFlowing = false;
    await world.close();
  },
);
