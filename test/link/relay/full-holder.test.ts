import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { CALL_PROTOCOL, encodeFrame, RELAY_PROTOCOL } from "../../../src/link/relay/frames.ts";
import { RelayClient } from "../../../src/link/relay/relay-client.ts";
import { RelayService } from "../../../src/link/relay/relay-service.ts";
import { LinkWorld } from "../link-world.ts";

/** A relay whose holder takes one stream at once, and has it; and a call that was made to it. */
async function called() {
  const world = new LinkWorld();
  const { clock } = world;
  const relay = await world.add("192.0.2.1");
  const holder = await world.add("192.0.2.2", { limits: { streamsInMax: 1 } });
  const caller = await world.add("192.0.2.3");
  const identity = new NodeIdentity(new SeededRandom(1_000).bytes(32));
  const service = new RelayService({ host: relay.host, identity, clock });
  const client = new RelayClient({ host: holder.host, clock });
  client.keepPlace({ id: relay.host.id, addresses: relay.host.addresses });
  await world.pass(2_000);
  holder.host.handle("held", (stream) => stream.on("error", () => {}).resume());
  const toHolder = relay.host.find(holder.host.id);
  if (toHolder === undefined) throw new Error("the holder has a place");
  const held = await world.run(toHolder.openStream("held"));
  held.on("error", () => {});
  let calls = 0;
  holder.host.handle(CALL_PROTOCOL, (stream) => {
    calls += 1;
    stream.on("error", () => {}).resume();
  });
  const link = await world.dial(caller, relay);
  const call = await world.run(link.openStream(RELAY_PROTOCOL));
  call.on("error", () => {}).resume();
  call.write(encodeFrame({ kind: "connect", target: holder.host.id }));
  await world.pass(1_000);
  const close = async (): Promise<void> => {
    service.close();
    client.close();
    await world.close();
  };
  return { world, service, call, held, toHolder, calls: () => calls, close };
}

describe("a holder that takes no stream of its relay", () => {
  it("hears nothing of a call that was given up meanwhile", async () => {
    const { world, call, held, calls, close } = await called();
    call.destroy();
    await world.pass(1_000);
    held.destroy();
    await world.pass(5_000);
    expect(calls()).toBe(0);
    await close();
  });

  it("nor of a relay that is closed, which leaves no stream behind", async () => {
    const { world, service, held, toHolder, calls, close } = await called();
    service.close();
    held.destroy();
    await world.pass(5_000);
    // The holder has its own one, on which it has its place.
    expect([calls(), toHolder.streamCount]).toEqual([0, 0]);
    await close();
  });
});
