import { generateCapability, Mode, type ReadCapability, Subscription } from "culvert";
import { describe, expect, it } from "vitest";
import { Chain } from "../../../src/crypto/index.ts";
import { HostileWriter } from "../sealed-by-hand.ts";
import { place } from "./multicast-place.ts";

/** What a reader who begins at `joinsAt` says of five bytes whose end tells another number. */
async function readsTo(toldBytes: number, joinsAt: number): Promise<unknown[]> {
  const { memory, at, clock } = place({ payloadSize: 300 });
  const capability = generateCapability();
  const writer = new HostileWriter(memory, Chain.fromBytes(capability.chain.toBytes()));
  const end = new Uint8Array(8);
  new DataView(end.buffer).setBigUint64(0, BigInt(toldBytes));
  await writer.seal("start", Uint8Array.of(Mode.Multicast, 1, 2, 3))();
  await writer.seal("data", Uint8Array.of(4, 5))();
  await writer.seal("end", end)();
  let from: ReadCapability = capability.readCapability();
  for (let i = 0; i < joinsAt; i++) from = from.next();
  const reader = new Subscription(memory, from, at);
  const errors: unknown[] = [];
  reader.on("error", ({ code }: Error & { code?: string }) => errors.push(code));
  reader.on("end", () => errors.push("end"));
  reader.resume();
  await clock.runUntil(10_000);
  await reader.close();
  return errors;
}

describe("the end of a broadcast", () => {
  it.each([4, 6, 2 ** 53])(
    "is refused by who has all of it when it tells %i bytes",
    async (told) => {
      expect(await readsTo(told, 0)).toEqual(["CULVERT_PROTOCOL"]);
      expect(await readsTo(5, 0)).toEqual(["end"]);
    },
  );

  it("is refused by who came later only when it tells fewer than it got", async () => {
    expect(await readsTo(1, 1)).toEqual(["CULVERT_PROTOCOL"]);
    expect(await readsTo(5, 1)).toEqual(["end"]);
  });
});
