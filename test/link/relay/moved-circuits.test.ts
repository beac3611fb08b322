import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { RelayClient } from "../../../src/link/relay/relay-client.ts";
import { RelayService } from "../../../src/link/relay/relay-service.ts";
import { LinkWorld } from "../link-world.ts";

it("a relay may charge for what was on its way when links moved off their circuits", async () => {
  const world = new LinkWorld();
  const { clock } = world;
  const relay = await world.add("192.0.2.1");
  const holder = await world.add("192.0.2.2");
  const caller = await world.add("192.0.2.3");
  const identity = new NodeIdentity(new SeededRandom(1_000).bytes(32));
  const service = new RelayService({ host: relay.host, identity, clock });
  const limits = { disputeBytes: 100_000 };
  const client = new RelayClient({ host: holder.host, clock, limits });
  const calling = new RelayClient({ host: caller.host, clock });
  client.keepPlace({ id: relay.host.id, addresses: relay.host.addresses });
  await world.pass(2_000);
  holder.host.handle("flow", (stream) => stream.on("error", () => {}).resume());
  const { id: expectedId, addresses } = holder.host;
  const toRelay = await world.dial(caller, relay);
  const way = { isInitiator: true, isRelayed: true, via: relay.host.id } as const;
  for (let i = 0; i < 6; i++) {
    const path = await world.run(calling.call(toRelay, expectedId));
    const link = await world.run(caller.host.attach(path, { ...way, expectedId }));
    const stream = await world.run(link.openStream("flow"));
    stream.on("error", () => {});
    stream.write(new Uint8Array(4e6));
    await world.pass(300);
    await world.run(caller.host.upgrade(link, { addresses }));
    await world.pass(1_000);
    await world.run(link.close());
  }
  await world.pass(5_000);
  expect(service.statistics).toMatchObject({ circuits: 0, circuitsOpened: 6 });
  expect(client.vouchers.length).toBe(1);
  service.close();
  for (const user of [client, calling]) user.close();
  await world.close();
});
