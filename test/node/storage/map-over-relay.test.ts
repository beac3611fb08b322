import { generateSecret, Stream } from "culvert";
import { MapClient, MapService, MemoryRecordStore } from "culvert/mapservice";
import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { MapPeers, serveMapOverLinks } from "../../../src/node/storage/map-links.ts";
import { ReachWorld } from "../../link/reach/reach-world.ts";
import { readAll } from "../../stream/virtual-pair.ts";

it("a keeper behind a NAT is asked through a relay, then directly; nothing is lost", async () => {
  const world = new ReachWorld({ seed: 3 });
  const { clock } = world;
  const relay = await world.add({ addresses: ["192.0.2.1"], relay: {} });
  const behind = () => world.nat("port-restricted");
  const client = await world.add({ addresses: ["192.168.1.2"], behind: behind() });
  const keeper = await world.add({ addresses: ["192.168.1.2"], behind: behind() });
  await world.reserve(keeper, relay);

  const sizes = { payloadSize: 1_024, entriesMax: 1_000, bytesMax: 2 ** 22 };
  const service = new MapService({ store: new MemoryRecordStore(sizes), clock });
  serveMapOverLinks(keeper.host, { service, clock }, { perSourceMax: 64 });
  let dials = 0;
  const peers = new MapPeers(
    () => {
      dials += 1;
      return client.reach.dial(keeper.target);
    },
    { clock, random: new SeededRandom(1) },
  );
  const remote = await clock.runPromise(peers.of(keeper.id), 60_000);
  const link = client.host.find(keeper.id);
  expect(link?.isRelayed).toBe(true);

  const { nodeKey } = service.greeting();
  const transport = () => new MapClient(remote, { nodeKey, clock });
  const secret = generateSecret();
  const a = Stream.listen(transport(), secret, { clock });
  const b = Stream.dial(transport(), secret, { clock });
  const warnings: unknown[] = [];
  for (const stream of [a, b]) stream.on("warning", (warning) => warnings.push(warning));
  // So slowly that the link moves while it is read and written.
  const text = "a line that is kept by somebody else\n";
  const lines = 40;
  let written = 0;
  const write = (left: number): void => {
    if (left === 0) {
      a.end();
      return;
    }
    a.write(text);
    written += 1;
    clock.schedule(clock.now() + 50, () => write(left - 1));
  };
  const read = readAll(b);
  write(lines);
  await clock.runUntil(() => link?.isRelayed === false, 60_000);
  expect(written, "it moves amid the stream").toBeLessThan(lines);
  expect(String(await clock.runPromise(read, 120_000))).toBe(text.repeat(lines));
  expect([link?.carrier, link?.isOpen, dials, warnings]).toEqual(["udp", true, 1, []]);
  expect(relay.reach.relay?.statistics.circuits, "the relay is free again").toBe(0);

  await clock.runPromise(Promise.all([a.halt(), b.halt()]));
  peers.close();
  await clock.runPromise(service.close());
  await world.close();
});
