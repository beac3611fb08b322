import { once } from "node:events";
import { generateCapability, generateSecret, Mode, Stream, Subscription } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { Chain } from "../../src/crypto/index.ts";
import { capabilitiesOf } from "../../src/stream/assemble.ts";
import { HostileWriter } from "./sealed-by-hand.ts";

const fails = (code: string) => expect.objectContaining({ code });
const EMPTY_END = new Uint8Array(8);

function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  return { clock, map, at: { clock } };
}

it.each(["data", "end"] as const)("refuses %s behind the end that came before it", async (type) => {
  const { clock, map, at } = place();
  const secret = generateSecret();
  const writer = new HostileWriter(map, capabilitiesOf(secret, "listener").write.chain);
  const stream = Stream.dial(map, secret, at);
  const errors: unknown[] = [];
  stream.on("error", (error) => errors.push(error));
  stream.resume();
  const [start, end, late] = [
    writer.seal("start", Uint8Array.of(Mode.EndToEnd)),
    writer.seal("end", EMPTY_END),
    writer.seal(type, EMPTY_END),
  ];
  await Promise.all([start(), late()]);
  await clock.runUntil(10_000);
  await end();
  await clock.runUntil(20_000);
  expect(errors).toEqual([fails("CULVERT_PROTOCOL")]);
  await stream.halt();
});

it("refuses data behind the end of a broadcast", async () => {
  const { clock, map, at } = place();
  const capability = generateCapability();
  const chain = Chain.fromBytes(capability.chain.toBytes());
  const writer = new HostileWriter(map, chain);
  const reader = new Subscription(map, capability.readCapability(), at);
  const errors: unknown[] = [];
  reader.on("error", (error) => errors.push(error));
  reader.resume();
  const [start, end, late] = [
    writer.seal("start", Uint8Array.of(Mode.Multicast)),
    writer.seal("end", EMPTY_END),
    writer.seal("data", EMPTY_END),
  ];
  await Promise.all([start(), late()]);
  await clock.runUntil(10_000);
  await end();
  await clock.runUntil(20_000);
  expect(errors).toEqual([fails("CULVERT_PROTOCOL")]);
  await reader.close();
});

it("answers every probe behind the end, however many there were", async () => {
  const { clock, map, at } = place();
  const secret = generateSecret();
  const writer = new HostileWriter(map, capabilitiesOf(secret, "listener").write.chain);
  const stream = Stream.dial(map, secret, at);
  const ended = once(stream.resume(), "end");
  await writer.seal("start", Uint8Array.of(Mode.EndToEnd))();
  await writer.seal("end", EMPTY_END)();
  await clock.runPromise(ended, 60_000);
  for (let probe = 0; probe < 5; probe++) {
    await clock.runUntil(clock.now() + 60_000);
    const before = stream.progress().puts;
    await writer.seal("probe")();
    await clock.runUntil(clock.now() + 60_000);
    expect([probe, stream.progress().puts > before]).toEqual([probe, true]);
  }
  await stream.halt();
});
