import { describe, expect, it } from "vitest";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import { type FrameType, NO_ACKNOWLEDGEMENT } from "../../../src/stream/frame/frame.ts";
import { DATA_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import { Sealer } from "../../../src/stream/frame/sealer.ts";
import { Mode } from "../../../src/stream/mode.ts";
import type { StreamOptions } from "../../../src/stream/options.ts";
import { ReceiverCore } from "../../../src/stream/receiver/receiver-core.ts";
import { exchangeFixture, keysFor } from "../exchange-fixture.ts";

const CELL_BYTES = 100;
const ACK_DELAY_MS = 250;

/** A receiver on its own, and the cells of a writer in the order in which they are sealed. */
function receiverOf(given: Partial<StreamOptions> = {}) {
  const fixture = exchangeFixture(given);
  const { exchange, effects, random, options, asked } = fixture;
  /** For when acknowledgements were wanted, and what went wrong. */
  const wanted: number[] = [];
  const failed: string[] = [];
  const receiver = new ReceiverCore({
    ...{ options, cellBytes: CELL_BYTES, exchange, effects, mode: Mode.EndToEnd },
    keys: keysFor(DATA_CONTEXT),
    commits: new CommitQueue(effects, options.durable, () => new Uint8Array(1)),
    onFrame: () => {},
    wantAck: (at) => wanted.push(at),
    warn: () => {},
    fail: (code) => failed.push(code),
    ackDelayMs: () => ACK_DELAY_MS,
  });
  const sealer = new Sealer({ keys: keysFor(DATA_CONTEXT), cellBytes: CELL_BYTES, random });
  let next = 0;
  const seal = (type: FrameType, ...bytes: number[]): Uint8Array => {
    const sealed = new Uint8Array(32 + CELL_BYTES);
    const payload = Uint8Array.from(bytes);
    const nothingRead = { acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
    sealer.seal(next++, { type, payload }, nothingRead, sealed);
    return sealed.subarray(32);
  };
  /** The Map gives a cell for the get that was made as number `at`. */
  const give = (at: number, cell: Uint8Array, now: number): void => {
    const request = exchange.settle(asked("get")[at]?.request ?? -1, now);
    if (request !== undefined) receiver.onGot(request, { kind: "got", request: 0, cell }, now);
  };
  receiver.pump(0);
  return { ...fixture, receiver, seal, give, wanted, failed };
}

const END = [0, 0, 0, 0, 0, 0, 0, 1];

describe("the receiver of a stream", () => {
  it("acknowledges an end at once, though a frame before it is missing", () => {
    const { seal, give, wanted, failed } = receiverOf();
    const start = seal("start", Mode.EndToEnd);
    seal("data", 7);
    const end = seal("end", ...END);
    give(0, start, 10);
    give(2, end, 20);
    expect([wanted.at(-1), failed]).toEqual([20, []]);
  });

  it("delivers nothing any more once it is closed, and hears of no abort", () => {
    const { receiver, seal, give, effects, failed } = receiverOf();
    const [start, reset] = [seal("start", Mode.EndToEnd, 7), seal("reset")];
    receiver.close(1);
    give(0, start, 10);
    give(1, reset, 20);
    expect(effects.filter(({ kind }) => kind === "deliver")).toEqual([]);
    expect(failed).toEqual([]);
    // Who has no room any more has a code in its place.
    expect(receiver.acknowledgement().credit).toBe(1);
  });

  it("leaves an end to the next session until all before it was taken", () => {
    const { receiver, seal, give } = receiverOf();
    give(0, seal("start", Mode.EndToEnd, 7), 10);
    give(1, seal("end", ...END), 20);
    expect(receiver.save()).toMatchObject({ next: 0, end: undefined });
    receiver.take({ kind: "taken", offset: 1 }, 30);
    expect(receiver.save()).toMatchObject({ next: 2, end: { index: 1, length: 1 } });
  });

  it("hears of an abort behind an end", () => {
    const { receiver, seal, give, failed } = receiverOf();
    give(0, seal("start", Mode.EndToEnd, 7), 10);
    give(1, seal("end", ...END), 20);
    receiver.pump(20);
    give(2, seal("reset"), 30);
    expect(failed).toEqual(["CULVERT_PEER_ABORTED"]);
  });

  it("keeps all pieces of what is begun, by how much of it is fresh", () => {
    const { receiver, seal, give } = receiverOf({ durable: true });
    give(0, seal("start", Mode.EndToEnd, 1, 2, 3), 10);
    const begin = (offset: number, ...bytes: number[]): void => {
      const begun = { length: offset, bytes: Uint8Array.from(bytes) };
      receiver.take({ kind: "taken", offset, begun }, 20);
    };
    begin(1, 1);
    begin(3, 2, 3);
    expect([...receiver.residentByName().values()].map((piece) => [...piece])).toEqual([
      [1],
      [2, 3],
    ]);
  });

  it("takes an abort of another session for no word of its peer", () => {
    const [ours, other] = [receiverOf(), receiverOf()];
    other.random.bytes(1);
    other.seal("start", Mode.EndToEnd);
    ours.give(0, ours.seal("start", Mode.EndToEnd), 10);
    // Of the same number and under the same keys, but it names another first frame.
    ours.give(1, other.seal("reset"), 20);
    expect(ours.failed).toEqual(["CULVERT_PROTOCOL"]);
  });

  it("is starved by what is missing next alone, and stuck by whatever is missing", () => {
    const { receiver, seal, give, lateAt } = receiverOf();
    give(0, seal("start", Mode.EndToEnd, 7), 10);
    seal("data", 8);
    give(2, seal("data", 9), 20);
    for (let now = 20; now < 10_000; now += 1_000) {
      for (const late of lateAt(now)) receiver.onLate(late);
      receiver.pump(now);
    }
    // Its application has not read what came before.
    expect([receiver.isStuck, receiver.isStarved]).toEqual([true, false]);
    receiver.take({ kind: "taken", offset: 1 }, 10_000);
    expect([receiver.isStuck, receiver.isStarved]).toEqual([true, true]);
  });

  it("tells at once that there is room again, and later what else was taken", () => {
    const { receiver, seal, give, wanted } = receiverOf({ receiveFramesMax: 2 });
    give(0, seal("start", Mode.EndToEnd, 7), 10);
    give(1, seal("data", 8), 10);
    receiver.take({ kind: "taken", offset: 1 }, 20);
    expect(wanted.at(-1)).toBe(20);
    receiver.take({ kind: "taken", offset: 2 }, 30);
    expect(wanted.at(-1)).toBe(30 + ACK_DELAY_MS);
  });

  it("expects more of a writer whom only its probes have brought so far", () => {
    const { receiver, seal, give } = receiverOf({ receiveFramesMax: 2 });
    give(0, seal("start", Mode.EndToEnd, 7), 10);
    give(1, seal("probe"), 10);
    expect(receiver.isExpecting).toBe(true);
    receiver.pump(20);
    give(2, seal("data", 8), 20);
    expect(receiver.isExpecting).toBe(false);
  });
});
