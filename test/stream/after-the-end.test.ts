import { once } from "node:events";
import type { Readable } from "node:stream";
import { generateCapability, generateSecret, Mode, Stream, Subscription } from "culvert";
import { expect, it } from "vitest";
import { Chain } from "../../src/crypto/index.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { HostileWriter, type Place, place } from "./sealed-by-hand.ts";

const fails = (code: string) => expect.objectContaining({ code });
const EMPTY_END = new Uint8Array(8);

/** A frame behind the end comes first, the end later; gives what the reader then says. */
async function lateFrame(
  { clock }: Place,
  writer: HostileWriter,
  { reader, mode, type }: { reader: Readable; mode: number; type: "data" | "end" },
): Promise<unknown[]> {
  const errors: unknown[] = [];
  reader.on("error", (error) => errors.push(error));
  reader.resume();
  const [start, end, late] = [
    writer.seal("start", Uint8Array.of(mode)),
    writer.seal("end", EMPTY_END),
    writer.seal(type, EMPTY_END),
  ];
  await Promise.all([start(), late()]);
  await clock.runUntil(10_000);
  await end();
  await clock.runUntil(20_000);
  return errors;
}

it.each(["data", "end"] as const)("refuses %s behind the end that came before it", async (type) => {
  const here = place();
  const secret = generateSecret();
  const writer = new HostileWriter(here.map, capabilitiesOf(secret, "listener").write.chain);
  const reader = Stream.dial(here.map, secret, here.at);
  const errors = await lateFrame(here, writer, { reader, mode: Mode.EndToEnd, type });
  expect(errors).toEqual([fails("CULVERT_PROTOCOL")]);
  await reader.halt();
});

it("refuses data behind the end of a broadcast", async () => {
  const here = place();
  const capability = generateCapability();
  const writer = new HostileWriter(here.map, Chain.fromBytes(capability.chain.toBytes()));
  const reader = new Subscription(here.map, capability.readCapability(), here.at);
  const errors = await lateFrame(here, writer, { reader, mode: Mode.Multicast, type: "data" });
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
