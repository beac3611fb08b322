import { expect, it } from "vitest";
import type { Link, LinkPath } from "../../../src/link/index.ts";
import { encodeFrame, RELAY_PROTOCOL } from "../../../src/link/relay/frames.ts";
import { StreamPath } from "../../../src/link/relay/stream-path.ts";
import { type ReachNode, ReachWorld } from "./reach-world.ts";

/** Moves a link to its peer through a relay at which that has a place. */
async function moveToRelay(node: ReachNode, relay: ReachNode, link: Link): Promise<void> {
  const stream = await node.host.find(relay.id)?.openStream(RELAY_PROTOCOL);
  if (stream === undefined) throw new Error("no link to the relay");
  stream.on("error", () => {});
  stream.write(encodeFrame({ kind: "connect", target: link.peer }));
  await new Promise((resolve) => stream.once("readable", resolve));
  if (stream.read(3) === null) throw new Error("no answer of the relay");
  const connection = new StreamPath(stream);
  await node.host.upgrade(link, { connection, isRelayed: true, via: relay.id });
}

it.each([
  ["once it is direct", (path: LinkPath) => !path.isRelayed],
  ["whatever path it is on", () => true],
])(
  "a peer that moves a link back to the relay has it punched at growing gaps: %s",
  async (_, isLeft) => {
    const world = new ReachWorld({ seed: 5 });
    const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
    const behind = () => world.nat("port-restricted");
    const left = await world.add({ addresses: ["192.168.1.2"], behind: behind() });
    const rude = await world.add({ addresses: ["192.168.1.2"], behind: behind() });
    for (const node of [left, rude]) await world.reserve(node, relay);
    const link = await world.clock.runPromise(left.reach.dial(rude.target), 60_000);
    const there = rude.host.find(left.id);
    let [isRude, direct] = [true, 0];
    there?.onPath((path) => {
      if (path !== undefined && !path.isRelayed) direct += 1;
      if (path === undefined || !isRude || !isLeft(path)) return;
      world.clock.schedule(world.clock.now() + 200, () => {
        moveToRelay(rude, relay, there).catch(() => {});
      });
    });
    await world.clock.runUntil(world.clock.now() + 120_000);
    // At once, and after 15, 45 and 105 s.
    expect(direct).toBeGreaterThan(2);
    expect(direct).toBeLessThan(6);
    isRude = false;
    await world.clock.runUntil(() => link.path !== undefined && !link.isRelayed, 300_000);
    // A direct path that has lasted is looked for again at once.
    await world.clock.runUntil(world.clock.now() + 10_000);
    const before = world.clock.now();
    if (there !== undefined) moveToRelay(rude, relay, there).catch(() => {});
    await world.clock.runUntil(() => link.isRelayed, 5_000);
    await world.clock.runUntil(() => link.path !== undefined && !link.isRelayed, 5_000);
    expect(world.clock.now() - before).toBeLessThan(5_000);
    await world.close();
  },
);
