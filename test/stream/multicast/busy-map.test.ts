import { Broadcast, CulvertError } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { pattern } from "../virtual-pair.ts";

/** What the Map takes at once. */
const ROOM = 24;
const RTT_MS = 500;

it("a broadcast puts no more at once than a Map has room for", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const lossy = new LossyTransport(map, { rttMs: RTT_MS, clock });
  let underWay = 0;
  let refused = 0;
  const narrow: Transport = {
    payloadSize: lossy.payloadSize,
    put: async (...args) => {
      if (underWay >= ROOM) {
        refused += 1;
        await new Promise<void>((resolve) => clock.schedule(clock.now() + RTT_MS, resolve));
        throw new CulvertError("CULVERT_BUSY");
      }
      underWay += 1;
      return await lossy.put(...args).finally(() => {
        underWay -= 1;
      });
    },
    get: (...args) => lossy.get(...args),
  };
  const broadcast = new Broadcast(narrow, { clock });
  broadcast.end(pattern(2_000_000));
  await clock.runUntil(() => broadcast.progress().isAllStored, 3_600_000);
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(broadcast.progress().puts / 4);
  await broadcast.halt();
});
