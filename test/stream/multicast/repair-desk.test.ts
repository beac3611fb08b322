import { Broadcast, generateCapability } from "culvert";
import { CountingTransport } from "culvert/transport";
import { expect, it } from "vitest";
import { place } from "./multicast-place.ts";

it("a broadcast follows so many readers, each once, and asks no more for who is gone", async () => {
  const { transport, at, clock } = place();
  const counting = new CountingTransport(transport);
  const broadcast = new Broadcast(counting, { ...at, repairReadersMax: 1 });
  const [one, other] = [generateCapability(), generateCapability()].map((repair) =>
    repair.readCapability(),
  );
  if (one === undefined || other === undefined) throw new Error("two readers");
  const id = broadcast.addReader(one);
  expect(broadcast.addReader(one)).toBe(id);
  expect(() => broadcast.addReader(other)).toThrow(
    expect.objectContaining({ code: "CULVERT_BUSY" }),
  );
  await clock.runUntil(clock.now() + 10_000);
  expect([counting.counts.gets > 0, broadcast.progress().readers]).toEqual([true, 1]);
  expect([broadcast.removeReader(id), broadcast.removeReader(id)]).toEqual([true, false]);
  const { gets } = counting.counts;
  await clock.runUntil(clock.now() + 600_000);
  expect([counting.counts.gets, broadcast.progress().readers]).toEqual([gets, 0]);
  await broadcast.halt();
});
