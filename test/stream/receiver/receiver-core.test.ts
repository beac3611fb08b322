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
    const frame = { type, payload, acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
    sealer.seal(next++, frame, sealed);
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
});
