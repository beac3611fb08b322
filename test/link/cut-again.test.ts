import { expect, it } from "vitest";
import type { Link } from "../../src/link/index.ts";
import { cutPair } from "./cut-network.ts";

it("a peer that takes every path and cuts it is not dialled as fast as handshakes go", async () => {
  const { clock, a, b, cut } = await cutPair(1);
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, 600_000);
  const link = await run(a.dial({ id: b.id, addresses: b.addresses }));
  await clock.runUntil(() => b.links().length === 1, 1_000);
  const [there] = b.links() as [Link];
  let isRude = true;
  let paths = 0;
  there.onPath((path) => {
    if (path === undefined) return;
    paths += 1;
    if (isRude) clock.schedule(clock.now() + 200, () => cut());
  });
  cut();
  await clock.runUntil(clock.now() + 120_000);
  // Waits of 0, 250, 500, ... 8,000 ms, and 8,000 from then on.
  expect(paths).toBeGreaterThan(10);
  expect(paths).toBeLessThan(25);
  expect(link.isOpen).toBe(true);
  isRude = false;
  await clock.runUntil(clock.now() + 60_000);
  expect(link.path).toBeDefined();
  // A path that has lasted is replaced at once.
  const before = clock.now();
  cut();
  await clock.runUntil(() => link.path === undefined, 1_000);
  await clock.runUntil(() => link.path !== undefined, 10_000);
  expect(clock.now() - before).toBeLessThan(250);
  await run(Promise.all([a.close(), b.close()]));
});
