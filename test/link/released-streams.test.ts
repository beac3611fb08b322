import { expect, it } from "vitest";
import type { LinkStream } from "../../src/link/index.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { LinkWorld } from "./link-world.ts";

it("a link keeps nothing of a stream that is over at both ends", async () => {
  const world = new LinkWorld({ seed: 12 });
  const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  const seen: WeakRef<LinkStream>[] = [];
  far.host.handle("echo", (stream) => {
    seen.push(new WeakRef(stream));
    stream.on("error", () => {}).pipe(stream);
  });
  const link = await world.dial(near, far);
  const use = async (): Promise<void> => {
    const stream = await world.run(link.openStream("echo"));
    seen.push(new WeakRef(stream));
    stream.on("error", () => {}).resume();
    stream.end("x");
  };
  for (let i = 0; i < 8; i++) await use();
  // Longer than a stream that was left may drain, and than timers of its kind.
  await world.pass(120_000);
  expect([link.isOpen, link.streamCount]).toEqual([true, 0]);
  await collectGarbage();
  // The last one may lie in a register, or in what a promise was last settled with.
  expect(seen.filter((stream) => stream.deref() !== undefined).length).toBeLessThan(4);
  expect(seen).toHaveLength(16);
  await world.close();
});
