import { describe, expect, it, onTestFinished } from "vitest";
import { type CulvertError, toHex } from "../../src/base/index.ts";
import { capabilitiesOf } from "../../src/stream/duplex/assemble.ts";
import { openFrame } from "../../src/stream/frame/cell.ts";
import { FLAG_STARVED } from "../../src/stream/frame/frame.ts";
import { ACK_CONTEXT, FrameKeys } from "../../src/stream/frame/frame-keys.ts";
import { Mode, Stream, type StreamOpenOptions } from "../../src/stream/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  type GetOptions,
  MemoryTransport,
  type PutOptions,
  type Receipt,
  type Transport,
} from "../../src/transport/index.ts";
import { HostileWriter, place } from "./sealed-by-hand.ts";

/** A Map that keeps everything but the cell that was put first, and spoils what it is told to. */
class LeakyTransport implements Transport {
  readonly payloadSize = 256;
  readonly #inner: MemoryTransport;
  #lost: string | undefined;
  /** How many of the next cells come with a bit that is wrong. */
  spoiled = 0;
  gets = 0;

  constructor(clock: VirtualClock) {
    this.#inner = new MemoryTransport({ clock, payloadSize: this.payloadSize });
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    this.#lost ??= toHex(frameId);
    if (this.#lost === toHex(frameId)) return { ttlSeconds: 3_600 };
    return await this.#inner.put(frameId, cell, options);
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    this.gets += 1;
    const cell = await this.#inner.get(frameId, options);
    if (this.spoiled === 0) return cell;
    this.spoiled -= 1;
    return cell.map((byte, at) => (at === 100 ? byte ^ 1 : byte));
  }

  /** Nothing is lost any more. */
  mend(): void {
    this.#lost = "";
  }
}

/** A writer that has put everything and left, and a reader who comes after it. */
async function lateReader(options: StreamOpenOptions, prepare = (_map: LeakyTransport) => {}) {
  const clock = new VirtualClock();
  const map = new LeakyTransport(clock);
  prepare(map);
  const secret = new Uint8Array(32).fill(5);
  const writer = Stream.listen(map, secret, { clock });
  writer.end(new Uint8Array(2_000));
  await clock.runPromise(writer.close(), 600_000);
  const state = await writer.save();
  const reader = Stream.dial(map, secret, { clock, ...options });
  reader.resume();
  const warnings: string[] = [];
  reader.on("warning", (warning: CulvertError) => warnings.push(warning.code));
  const errors: string[] = [];
  reader.on("error", (error: CulvertError) => errors.push(error.code));
  onTestFinished(() => reader.halt());
  return { clock, map, reader, warnings, errors, state };
}

describe("a frame that is gone while later ones are there", () => {
  it("is told once, and asked for at growing gaps", async () => {
    const { clock, map, reader, warnings, errors } = await lateReader({});
    await clock.runUntil(clock.now() + 3_600_000);
    expect([warnings, errors, reader.destroyed]).toEqual([["CULVERT_DATA_EXPIRED"], [], false]);
    const before = map.gets;
    await clock.runUntil(clock.now() + 3_600_000);
    expect(map.gets - before).toBeLessThan(4 * 3_600);
    expect(warnings).toHaveLength(1);
  });

  it("is read all the same when the writer comes back", async () => {
    const { clock, map, reader, warnings, state } = await lateReader({});
    await clock.runUntil(clock.now() + 3_600_000);
    expect(warnings).toHaveLength(1);
    map.mend();
    const writer = await Stream.load(map, state, { clock });
    onTestFinished(() => writer.halt());
    writer.resume();
    await clock.runPromise(writer.sync(), 3_600_000);
    expect(reader.bytesRead).toBe(2_000);
  });

  it("fails a reader that does not wait for ever with its own code", async () => {
    const { clock, warnings, errors } = await lateReader({ peerTimeoutMs: 900_000 });
    await clock.runUntil(clock.now() + 1_000_000);
    expect([warnings, errors]).toEqual([["CULVERT_DATA_EXPIRED"], ["CULVERT_DATA_EXPIRED"]]);
  });
});

describe("cells that do not open", () => {
  it("are counted, told once, and asked for again", async () => {
    const { clock, map, reader, warnings } = await lateReader({}, (map) => map.mend());
    map.spoiled = 3;
    await clock.runUntil(clock.now() + 60_000);
    expect([reader.bytesRead, reader.progress().unopened]).toEqual([2_000, 3]);
    expect(warnings).toEqual(["CULVERT_DECRYPT_FAILED"]);
  });
});

it("is told of to its writer, who may think that it is there", async () => {
  const { clock, map, at } = place();
  const secret = new Uint8Array(32).fill(5);
  const { write, read } = capabilitiesOf(secret, "listener");
  const acks = new FrameKeys(read.chain.ackChain(), 0, ACK_CONTEXT);
  const writer = new HostileWriter(map, write.chain);
  const reader = Stream.dial(map, secret, at);
  reader.resume();
  onTestFinished(() => reader.halt());
  await writer.seal("start", Uint8Array.of(Mode.EndToEnd))();
  writer.seal("data", Uint8Array.of(1));
  const asking = writer.seal("probe");
  await asking();
  const isStarved = async (index: number): Promise<boolean> => {
    const keys = acks.at(index);
    const opened = openFrame(await map.get(keys.frameId), keys, map.payloadSize);
    return opened.kind === "frame" && (opened.frame.flags & FLAG_STARVED) !== 0;
  };
  await clock.runUntil(1_000);
  expect(await isStarved(0)).toBe(false);
  await clock.runUntil(60_000);
  await writer.seal("probe")();
  await clock.runUntil(90_000);
  expect(await isStarved(1)).toBe(true);
});
