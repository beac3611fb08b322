import type { Readable } from "node:stream";
import { generateCapability, generateSecret, Mode, Stream, Subscription } from "culvert";
import { describe, expect, it, onTestFinished } from "vitest";
import { Chain } from "../../src/crypto/index.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import type { FrameType } from "../../src/stream/frame/frame.ts";
import { HostileWriter, type Place, place } from "./sealed-by-hand.ts";

interface Reader {
  readonly own: number;
  readonly other: number;
  /** Frames that no reader of this kind takes, whatever is in them. */
  readonly foreign: readonly FrameType[];
  readonly open: (place: Place) => { reader: Readable; writer: HostileWriter };
}

const STREAM: Reader = {
  own: Mode.EndToEnd,
  other: Mode.Multicast,
  foreign: ["ack"],
  open: ({ map, at }) => {
    const secret = generateSecret();
    const { chain } = capabilitiesOf(secret, "listener").write;
    const reader = Stream.dial(map, secret, at);
    onTestFinished(() => reader.halt());
    return { reader, writer: new HostileWriter(map, chain) };
  },
};

const SUBSCRIPTION: Reader = {
  own: Mode.Multicast,
  other: Mode.EndToEnd,
  foreign: ["ack", "probe"],
  open: ({ map, at }) => {
    const capability = generateCapability();
    const reader = new Subscription(map, capability.readCapability(), at);
    onTestFinished(() => reader.close());
    return { reader, writer: new HostileWriter(map, Chain.fromBytes(capability.chain.toBytes())) };
  },
};

type Sealed = readonly [FrameType, ...bytes: number[]];

/** What a reader says, and has given on, when it is sent these frames. */
async function heard({ open }: Reader, frames: readonly Sealed[]): Promise<unknown[]> {
  const here = place();
  const { reader, writer } = open(here);
  const all: unknown[] = [];
  reader.on("error", (error: Error & { code?: string }) => all.push([error.code, error.message]));
  reader.on("data", (bytes: Buffer) => all.push(bytes.toString()));
  reader.on("end", () => all.push("end"));
  for (const [type, ...bytes] of frames) await writer.seal(type, Uint8Array.from(bytes))();
  await here.clock.runUntil(10_000);
  return all;
}

const refused = (field: string) => ["CULVERT_PROTOCOL", expect.stringContaining(field)];
const A = 0x61;

describe.each([
  ["a stream", STREAM],
  ["a subscription", SUBSCRIPTION],
] as const)("%s", (_name, kind) => {
  it("takes what it should", async () => {
    const frames: Sealed[] = [
      ["start", kind.own, A],
      ["data", A],
      ["end", 0, 0, 0, 0, 0, 0, 0, 3, A],
    ];
    expect((await heard(kind, frames)).join("")).toBe("aaaend");
  });

  it("refuses the beginning of the other kind, and one that tells no kind", async () => {
    expect(await heard(kind, [["start", kind.other, A]])).toEqual([refused("mode")]);
    expect(await heard(kind, [["start"]])).toEqual([refused("mode")]);
  });

  it("refuses a second beginning", async () => {
    const frames: Sealed[] = [
      ["start", kind.own, A],
      ["start", kind.own, A],
    ];
    expect((await heard(kind, frames)).at(-1)).toEqual(refused("type"));
  });

  it("refuses an end without a length, or with a wrong one", async () => {
    const start: Sealed = ["start", kind.own];
    expect(await heard(kind, [start, ["end", 0, 0, 0, 0, 0, 0, 0]])).toEqual([refused("length")]);
    const wrong: Sealed = ["end", 0, 0, 0, 0, 0, 0, 0, 1];
    expect((await heard(kind, [start, wrong])).at(-1)).toEqual(refused("length"));
  });

  it("refuses what is behind its end, though that came first", async () => {
    const here = place();
    const { reader, writer } = kind.open(here);
    const all: unknown[] = [];
    reader.on("error", (error: Error & { code?: string }) => all.push([error.code, error.message]));
    reader.resume();
    const start = writer.seal("start", Uint8Array.of(kind.own));
    const end = writer.seal("end", new Uint8Array(8));
    const behind = writer.seal("data", Uint8Array.of(A));
    await start();
    await behind();
    await here.clock.runUntil(1_000);
    await end();
    await here.clock.runUntil(10_000);
    expect(all).toEqual([refused("after its end")]);
  });

  it.each(kind.foreign)("refuses %s where it is not used", async (type) => {
    expect(await heard(kind, [["start", kind.own], [type]])).toEqual([refused("type")]);
  });
});

it("a stream refuses to begin with data", async () => {
  expect(await heard(STREAM, [["data", A]])).toEqual([refused("type")]);
});
