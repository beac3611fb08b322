import { expect, it } from "vitest";
import { OnionOverLinks } from "../../../src/node/onion/onion-over-links.ts";
import type { ChannelEvents, OnionChannel } from "../../../src/onion/index.ts";
import { LinkWorld } from "../../link/link-world.ts";

const SIZES = { packetBytes: 64, cellBytes: 32 };
const CELLS = 20;

/** What a channel tells its owner. */
function listener(onUnit: () => void) {
  const told: string[] = [];
  const events: ChannelEvents = {
    unit: () => {
      told.push("unit");
      onUnit();
    },
    sent: () => {},
    closed: () => told.push("closed"),
  };
  return { told, events };
}

/** Two neighbours, of which the second accepts circuits as it is told. */
async function neighbours(accept: (channel: OnionChannel) => ChannelEvents) {
  const world = new LinkWorld();
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  const link = await world.dial(near, far);
  const options = { ...SIZES, clock: world.clock };
  const onions = new OnionOverLinks(near.host, async () => link, options);
  const others = new OnionOverLinks(far.host, () => Promise.reject(new Error("nobody")), options);
  others.serve({ receive: () => {}, accept: (_, channel) => accept(channel) });
  const close = async (): Promise<void> => {
    onions.close();
    others.close();
    await world.close();
  };
  return { world, onions, to: far.host.id, close };
}

it.each([false, true])("a channel that was closed tells no more (at once: %s)", async (now) => {
  // What comes in one piece has many units, and the first of them may be the last that is wanted.
  const accepted = listener(() => {});
  const { world, onions, to, close } = await neighbours((channel) => {
    for (let i = 0; i < CELLS; i++) channel.send(new Uint8Array(SIZES.cellBytes));
    return accepted.events;
  });
  const opened = listener(() => channel.close(now));
  const channel = onions.open(to, opened.events);
  channel.send(new Uint8Array(SIZES.packetBytes));
  await world.pass(1_000);
  expect(opened.told).toEqual(["unit"]);
  expect(accepted.told).toEqual(["unit", "closed"]);
  await close();
});

it.each([false, true])("nor does one that a neighbour has opened (at once: %s)", async (now) => {
  let accepted: OnionChannel | undefined;
  const far = listener(() => accepted?.close(now));
  const { world, onions, to, close } = await neighbours((channel) => {
    accepted = channel;
    return far.events;
  });
  const near = listener(() => {});
  const channel = onions.open(to, near.events);
  channel.send(new Uint8Array(SIZES.packetBytes));
  for (let i = 0; i < CELLS; i++) channel.send(new Uint8Array(SIZES.cellBytes));
  await world.pass(1_000);
  expect(far.told).toEqual(["unit"]);
  expect(near.told).toEqual(["closed"]);
  await close();
});
