import { expect, it } from "vitest";
import { OnionOverLinks } from "../../src/node/onion-over-links.ts";
import { LinkWorld } from "../link/link-world.ts";

it("keeps a few packets for a neighbour that takes no stream, and drops the rest", async () => {
  const world = new LinkWorld();
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2", { limits: { streamsInMax: 1 } });
  const packets: number[] = [];
  const sizes = { packetBytes: 4_096, cellBytes: 1_024 };
  new OnionOverLinks(far.host, () => world.dial(far, near), sizes).serve({
    receive: (_from, unit) => packets.push(unit.length),
    accept: () => ({ unit: () => {}, sent: () => {}, closed: () => {} }),
  });
  const onions = new OnionOverLinks(near.host, () => world.dial(near, far), sizes);
  far.host.handle("held", (stream) => stream.on("error", () => {}).resume());
  const link = await world.dial(near, far);
  const held = await world.run(link.openStream("held"));
  held.on("error", () => {});
  let dropped = 0;
  const send = (): void => {
    onions.send(far.host.id, new Uint8Array(sizes.packetBytes)).catch(() => {
      dropped += 1;
    });
  };
  for (let at = 0; at < 1_000; at++) send();
  await world.pass(5_000);
  expect(dropped).toBe(1_000 - 64);
  held.destroy();
  await world.pass(5_000);
  expect(packets).toEqual(Array.from({ length: 64 }, () => sizes.packetBytes));
  send();
  await world.pass(1_000);
  expect([packets.length, dropped]).toEqual([65, 1_000 - 64]);
  onions.close();
  await world.close();
});
