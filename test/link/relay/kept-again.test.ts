import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { RelayClient } from "../../../src/link/relay/relay-client.ts";
import { RelayService } from "../../../src/link/relay/relay-service.ts";
import { LinkWorld } from "../link-world.ts";

const LIMITS = { reportBytes: 20_000, disputeBytes: 50_000 };

it("a place that was given up and is kept again counts what older circuits carry", async () => {
  const world = new LinkWorld();
  const { clock } = world;
  const relay = await world.add("192.0.2.1");
  const holder = await world.add("192.0.2.2");
  const caller = await world.add("192.0.2.3");
  const identity = new NodeIdentity(new SeededRandom(1_000).bytes(32));
  const service = new RelayService({ host: relay.host, identity, clock, limits: LIMITS });
  const client = new RelayClient({ host: holder.host, clock, limits: LIMITS });
  const calling = new RelayClient({ host: caller.host, clock });
  const target = { id: relay.host.id, addresses: relay.host.addresses };
  const keep = async (): Promise<void> => {
    client.keepPlace(target);
    await world.pass(2_000);
  };
  await keep();
  holder.host.handle("flow", (stream) => stream.on("error", () => {}).resume());
  const toRelay = await world.dial(caller, relay);
  const way = { isInitiator: true, isRelayed: true, via: relay.host.id } as const;
  const path = await world.run(calling.call(toRelay, holder.host.id));
  const link = await world.run(caller.host.attach(path, { ...way, expectedId: holder.host.id }));
  const stream = await world.run(link.openStream("flow"));
  stream.on("error", () => {});
  const carry = async (bytes: number): Promise<void> => {
    stream.write(new Uint8Array(bytes));
    await world.pass(5_000);
  };
  await carry(40_000);
  client.leave(relay.host.id);
  await keep();
  await carry(30_000);
  for (let i = 0; i < 10; i++) await carry(30_000);
  expect([client.vouchers.length, client.keepPlace(target), link.isOpen]).toEqual([1, true, true]);
  service.close();
  for (const user of [client, calling]) user.close();
  await world.close();
});
