import { expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { Link } from "../../../src/link/index.ts";
import { OnionOverLinks } from "../../../src/node/onion/onion-over-links.ts";
import { LinkWorld } from "../../link/link-world.ts";

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
    onions.send(far.host.id, new Uint8Array(sizes.packetBytes)).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "CULVERT_BUSY" });
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

it("says of a neighbour that is busy itself that it is not reached", async () => {
  const world = new LinkWorld();
  const near = await world.add("192.0.2.1");
  const busy = () => Promise.reject(new CulvertError("CULVERT_BUSY", undefined, { remote: true }));
  const onions = new OnionOverLinks(near.host, busy, { packetBytes: 4_096, cellBytes: 1_024 });
  const sent = world.run(onions.send(near.host.id, new Uint8Array(4_096)));
  await expect(sent).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  await world.close();
});

it("builds no circuit whose origin has given up before there is a link", async () => {
  const world = new LinkWorld();
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  const sizes = { packetBytes: 4_096, cellBytes: 1_024 };
  let accepted = 0;
  const units: number[] = [];
  new OnionOverLinks(far.host, () => world.dial(far, near), sizes).serve({
    receive: () => {},
    accept: () => {
      accepted += 1;
      return { unit: (unit) => units.push(unit.length), sent: () => {}, closed: () => {} };
    },
  });
  const link = await world.dial(near, far);
  let isThere = (_link: Link): void => {};
  const dialled = new Promise<Link>((resolve) => {
    isThere = resolve;
  });
  const onions = new OnionOverLinks(near.host, () => dialled, sizes);
  const events = { unit: () => {}, sent: () => {}, closed: () => {} };
  const given = onions.open(far.host.id, events);
  given.send(new Uint8Array(sizes.packetBytes));
  given.close();
  isThere(link);
  await world.pass(1_000);
  expect([accepted, units]).toEqual([0, []]);
  // While its stream is being opened, nothing is sent any more either.
  const late = onions.open(far.host.id, events);
  late.send(new Uint8Array(sizes.packetBytes));
  await Promise.resolve();
  await Promise.resolve();
  late.close();
  await world.pass(1_000);
  expect(units).toEqual([]);
  const kept = onions.open(far.host.id, events);
  kept.send(new Uint8Array(sizes.packetBytes));
  await world.pass(1_000);
  expect(units).toEqual([sizes.packetBytes]);
  onions.close();
  await world.close();
});
