import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { AckReader } from "../../src/stream/acks/ack-reader.ts";
import { AckWriter } from "../../src/stream/acks/ack-writer.ts";
import { CommitQueue } from "../../src/stream/exchange/commit-queue.ts";
import type { Request } from "../../src/stream/exchange/exchange.ts";
import { sealFrame } from "../../src/stream/frame/cell.ts";
import { type Frame, NO_ACKNOWLEDGEMENT } from "../../src/stream/frame/frame.ts";
import { ACK_CONTEXT } from "../../src/stream/frame/frame-keys.ts";
import type { StreamOptions } from "../../src/stream/options.ts";
import type { AckWriterState } from "../../src/stream/state.ts";
import { exchangeFixture, keysFor } from "./exchange-fixture.ts";

const CELL_BYTES = 100;
const NEVER = Number.POSITIVE_INFINITY;

/** A writer of acks whose every wish for an ack is answered with the next number. */
function writerOf(given: Partial<StreamOptions> = {}, state?: AckWriterState) {
  const fixture = exchangeFixture(given);
  const { exchange, effects, random, options } = fixture;
  const commits = new CommitQueue(effects, options.durable, () => new Uint8Array(1));
  let said = 0;
  const acknowledge = () => ({
    acknowledgement: { ...NO_ACKNOWLEDGEMENT, next: ++said },
    flags: 0,
  });
  const keys = keysFor(ACK_CONTEXT);
  keys.advance(state?.next ?? 0);
  const init = { cellBytes: CELL_BYTES, exchange, commits, keys, random, effects, acknowledge };
  const writer = new AckWriter(init, state);
  /** Wants an ack now, and gives whether one was put. */
  const say = (now: number): boolean => {
    const before = exchange.counts.puts;
    writer.want(now);
    writer.pump(now);
    commits.flush(now);
    return exchange.counts.puts > before;
  };
  const settle = (id: number, now: number): void => {
    const request = exchange.settle(id, now);
    if (request !== undefined) writer.onStored(request);
  };
  return { ...fixture, writer, commits, say, settle };
}

describe("a writer of acks", () => {
  it.each([
    [{}, 16],
    [{ paceMeanMs: 1 }, 4],
  ])("is never more than its places ahead of the last stored one: %o", (options, places) => {
    const { say, settle, asked, writer, exchange, lateAt } = writerOf(options);
    for (let i = 1; i <= 40; i++) say(100 * i);
    let now = 4_000;
    expect(asked("put")).toHaveLength(places);
    expect(writer.deadline(now)).toBe(NEVER);
    // The newest one that is stored makes room for as many again.
    const third = asked("put")[2]?.request ?? 0;
    settle(third, now);
    for (let i = 41; i <= 80; i++) say(100 * i);
    now = 8_000;
    expect(asked("put")).toHaveLength(places + 3);
    expect(writer.save().stored).toBe(2);
    expect(exchange.counts.puts).toBe(places + 3);
    expect(lateAt(now + 1e6).length).toBeGreaterThan(0);
  });

  it("puts the newest ack again when it is late, and no older one", () => {
    const { say, asked, writer, lateAt } = writerOf();
    say(0);
    say(1);
    for (const request of lateAt(10_000)) writer.onLate(request);
    expect(writer.deadline(10_000)).toBe(10_000);
    writer.pump(10_000);
    writer.pump(10_000);
    const [, newest, again] = asked("put");
    expect([asked("put").length, again?.cell]).toEqual([3, newest?.cell]);
    expect(writer.isSettled).toBe(false);
  });

  it("is settled by a receipt for its newest ack, whatever became of the others", () => {
    const { say, asked, writer, settle } = writerOf();
    say(0);
    say(1);
    settle(asked("put")[1]?.request ?? 0, 50);
    expect([writer.isSettled, writer.deadline(50)]).toEqual([true, NEVER]);
    expect(writer.save()).toMatchObject({ next: 2, stored: 1, pending: [] });
    settle(asked("put")[0]?.request ?? 0, 60);
    expect(writer.save().stored).toBe(1);
  });

  it("says nothing when a data frame has said it", () => {
    const { writer, asked } = writerOf();
    writer.want(50);
    writer.want(90);
    expect(writer.deadline(0)).toBe(50);
    writer.satisfied();
    writer.pump(100);
    expect([asked("put").length, writer.deadline(100), writer.isSettled]).toEqual([0, NEVER, true]);
  });

  it("puts nothing that is not durable", () => {
    const { say, asked, effects, commits } = writerOf({ durable: true });
    expect(say(0)).toBe(false);
    expect(effects.map(({ kind }) => kind)).toEqual(["journal"]);
    commits.journaled(1, 5);
    expect(asked("put")).toHaveLength(1);
  });
});

describe("a writer of acks after a restart", () => {
  const state = { next: 3, stored: 0, pending: [1, 2], chain: new Uint8Array(104) };

  it("recalls its newest ack and puts the same bytes", () => {
    const { writer, effects, asked } = writerOf({ durable: true }, state);
    writer.pump(0);
    expect(effects).toEqual([{ kind: "recall", name: "a2" }]);
    const sealed = new SeededRandom(4).bytes(132);
    expect(writer.onRecalled(2, sealed, 5)).toBe(true);
    expect(asked("put")[0]?.cell).toEqual(sealed.subarray(32));
    expect(writer.onRecalled(2, undefined, 6)).toBe(true);
  });

  it("finds out that the journal has lost it", () => {
    for (const bytes of [undefined, new Uint8Array(131)]) {
      const { writer } = writerOf({ durable: true }, state);
      writer.pump(0);
      expect(writer.onRecalled(2, bytes, 5)).toBe(false);
    }
  });

  it("gives its place back when a newer ack was stored before the recall came", () => {
    const { writer, say, settle, asked, commits, exchange } = writerOf(
      { durable: true, window: 2 },
      state,
    );
    writer.pump(0);
    say(1);
    commits.journaled(1, 2);
    settle(asked("put")[0]?.request ?? 0, 3);
    expect(writer.isSettled).toBe(true);
    expect(writer.onRecalled(2, new Uint8Array(132), 4)).toBe(true);
    exchange.reservePut(5);
    expect(exchange.mayPut(5)).toBe(true);
  });
});

function readerOf() {
  const fixture = exchangeFixture();
  const { exchange, random } = fixture;
  const heard: Frame[] = [];
  const spoiled: number[] = [];
  const reader = new AckReader({
    cellBytes: CELL_BYTES,
    exchange,
    keys: keysFor(ACK_CONTEXT),
    quietAskMsMax: 12_000,
    onAck: (frame) => heard.push(frame),
    onSpoiled: () => spoiled.push(1),
  });
  const sealer = keysFor(ACK_CONTEXT);
  const ack = (index: number, change: Partial<Frame> = {}): Uint8Array => {
    const acknowledgement = { ...NO_ACKNOWLEDGEMENT, next: index };
    const content = { acknowledgement, flags: 0, payload: new Uint8Array(0) };
    const frame: Frame = { type: "ack", previous: 0, ...content, ...change };
    const keys = sealer.at(index);
    return sealFrame(frame, { keys, cellBytes: CELL_BYTES, random }).subarray(32);
  };
  /** Answers the first open request for an ack. */
  const answer = (index: number, cell: Uint8Array, now: number): void => {
    for (let id = 1; id < 200; id++) {
      const request: Request | undefined = exchange.settle(id, now);
      if (request?.index !== index) continue;
      reader.onGot(request, cell, now);
      return;
    }
    throw new Error(`nobody asked for ${index}`);
  };
  return { ...fixture, reader, heard, spoiled, ack, answer };
}

describe("a reader of acks", () => {
  it("asks for as many places as a writer may use, and no more", () => {
    const { reader, asked } = readerOf();
    reader.pump(0);
    expect(asked("get")).toHaveLength(16);
    reader.isOpen = false;
    expect(reader.deadline(0)).toBe(NEVER);
  });

  it("takes the newest, drops the requests for older ones and moves on", () => {
    const { reader, asked, ack, heard, exchange } = readerOf();
    reader.pump(0);
    const request = exchange.settle(10, 50);
    expect(request?.index).toBe(9);
    if (request !== undefined) reader.onGot(request, ack(9), 50);
    expect(heard.map(({ acknowledgement }) => acknowledgement.next)).toEqual([9]);
    expect(asked("cancel").map(({ request: id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    reader.pump(50);
    expect(asked("get")).toHaveLength(26);
    expect(reader.save().next).toBe(10);
    // An older one that was on its way all the time is no news.
    if (request !== undefined) reader.onGot({ ...request, index: 4 }, ack(9), 51);
    expect(heard).toHaveLength(1);
  });

  it("asks again, after a pause, for what is no ack", () => {
    for (const change of [{ type: "data" }, { previous: 3 }] as const) {
      const { reader, answer, ack, heard, spoiled, asked } = readerOf();
      reader.pump(0);
      answer(0, ack(0, change), 50);
      expect([heard.length, spoiled.length, reader.save().next]).toEqual([0, 1, 0]);
      const again = (): number => {
        const [first, ...others] = asked("get");
        return others.filter(({ frameId }) => frameId === first?.frameId).length;
      };
      reader.pump(50);
      expect(again()).toBe(0);
      reader.pump(10_000);
      expect(again()).toBeGreaterThan(0);
    }
  });

  it("passes over what is out of reach when a probe says so, a thousand acks at once", () => {
    const { reader, asked } = readerOf();
    reader.pump(0);
    reader.passTo(15, 1);
    expect([reader.next, asked("cancel").length]).toEqual([0, 0]);
    reader.passTo(16, 2);
    expect([reader.next, asked("cancel").length]).toEqual([16, 16]);
    reader.passTo(2 ** 48 - 1, 3);
    expect(reader.next).toBe(16 + 1_024);
    reader.pump(4);
    expect(asked("get").at(-1)?.frameId).toBeDefined();
  });
});
