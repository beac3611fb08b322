import { expect, it } from "vitest";
import { LINK_LIMITS, type Link, type LinkStream } from "../../../src/link/index.ts";
import { OnionOverLinks } from "../../../src/node/onion/onion-over-links.ts";
import { ONION_RELAY_LIMITS } from "../../../src/onion/relay/relay-protocol.ts";
import { LinkWorld } from "../../link/link-world.ts";

const CELL = new Uint8Array(1_024);
const EVENTS = { unit: () => {}, sent: () => {}, closed: () => {} };
/** More than a link has places for streams, and for those that wait for one. */
const PLACES = 256;
const WAITING = 1_024;

/** Circuits to a neighbour that does with their streams what it likes. */
async function circuitsTo(take: (stream: LinkStream) => void, streamsInMax = PLACES) {
  const world = new LinkWorld();
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2", { limits: { streamsInMax } });
  far.host.handle("circuit", (stream) => take(stream.on("error", () => {})));
  far.host.handle("other", (stream) => stream.on("error", () => {}).resume());
  const link = await world.dial(near, far);
  const onions = new OnionOverLinks(near.host, async () => link, {
    ...{ packetBytes: 4_096, cellBytes: CELL.length, clock: world.clock },
  });
  const leave = async (cells: number, isAtOnce = false): Promise<void> => {
    const channel = onions.open(far.host.id, EVENTS);
    for (let i = 0; i < cells; i++) channel.send(CELL.slice());
    await world.pass(100);
    channel.close(isAtOnce);
  };
  const close = async (): Promise<void> => {
    onions.close();
    await world.close();
  };
  return { world, link, leave, close };
}

function openOther(link: Link): { outcome: string } {
  const said = { outcome: "waits" };
  link.openStream("other").then(
    (stream) => {
      stream.on("error", () => {});
      said.outcome = "open";
    },
    ({ code }) => {
      said.outcome = code;
    },
  );
  return said;
}

it.each([
  ["reads nothing", 200, (stream: LinkStream) => stream.pause()],
  ["never ends its side", 1, (stream: LinkStream) => stream.resume()],
])("a neighbour that %s keeps no place of a circuit that is over", async (_, cells, take) => {
  const { world, link, leave, close } = await circuitsTo(take);
  for (let i = 0; i <= PLACES; i++) await leave(cells);
  await world.pass(60_000 + 10_000);
  expect(link.streamCount).toBe(0);
  const other = openOther(link);
  await world.pass(1_000);
  expect(other.outcome).toBe("open");
  await close();
});

it("a neighbour that reads nothing keeps nothing of a circuit that ends for that", async () => {
  const { world, link, leave, close } = await circuitsTo((stream) => stream.pause());
  await leave(200, true);
  await world.pass(100);
  expect(link.streamCount).toBe(0);
  await close();
});

it("circuits that are given up do not wait for a stream", async () => {
  const { world, link, leave, close } = await circuitsTo((stream) => stream.resume(), 1);
  const held = openOther(link);
  await world.pass(100);
  for (let i = 0; i <= WAITING; i++) await leave(1);
  const other = openOther(link);
  await world.pass(100);
  expect([held.outcome, other.outcome]).toEqual(["open", "waits"]);
  await close();
});

it("circuits of strangers leave a quarter of the streams of a link to others", () => {
  const { streamsInMax, streamsOutMax } = LINK_LIMITS;
  expect(ONION_RELAY_LIMITS.circuitsPerLinkMax).toBe((3 / 4) * streamsOutMax);
  expect(streamsInMax).toBe(streamsOutMax);
});
