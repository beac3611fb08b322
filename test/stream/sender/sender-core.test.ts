import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { Chain } from "../../../src/crypto/index.ts";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import { emptySelective, NO_ACKNOWLEDGEMENT } from "../../../src/stream/frame/frame.ts";
import { DATA_CONTEXT, FrameKeys } from "../../../src/stream/frame/frame-keys.ts";
import { Mode } from "../../../src/stream/mode.ts";
import type { StreamOptions } from "../../../src/stream/options.ts";
import { INDEX_LIMIT } from "../../../src/stream/sender/probe-timer.ts";
import { SenderCore } from "../../../src/stream/sender/sender-core.ts";
import type { SenderState } from "../../../src/stream/state.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

const CELL_BYTES = 100;
const DAY_S = 86_400;

/** A sender on its own: its Map and its reader are told what to answer. */
function senderOf(given: Partial<StreamOptions> = {}, state?: SenderState) {
  const fixture = exchangeFixture({ ttlSeconds: DAY_S, ...given });
  const { exchange, effects, random, options, asked } = fixture;
  const commits = new CommitQueue(effects, options.durable, () => new Uint8Array(1));
  const chain = Chain.fromMaterial(0n, new SeededRandom(9).bytes(96));
  const keys = new FrameKeys(chain, state?.next ?? 0, DATA_CONTEXT);
  const sender = new SenderCore(
    {
      ...{ cellBytes: CELL_BYTES, exchange, commits, keys, random, effects, options },
      acknowledge: () => ({ acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 }),
      trail: () => new Uint8Array(12),
      mode: Mode.EndToEnd,
    },
    state,
  );
  let [commit, isQuick] = [0, true];
  /** Lets it do what it may; the journal answers at once unless it was delayed. */
  const pump = (now: number): void => {
    sender.pump(now);
    commits.flush(now);
    while (isQuick && effects.filter(({ kind }) => kind === "journal").length > commit) {
      commits.journaled(++commit, now);
      commits.flush(now);
    }
  };
  const write = (bytes: number, now: number): void => {
    sender.write(new Uint8Array(bytes));
    pump(now);
  };
  /** The Map gives a receipt for the put that was made as number `at`. */
  const store = (at: number, now: number, ttlSeconds = DAY_S): void => {
    const request = exchange.settle(asked("put")[at]?.request ?? -1, now);
    if (request !== undefined) sender.onStored(request, ttlSeconds, now);
  };
  /** The reader has taken what is below `next`, and says more. */
  const acknowledge = (next: number, now: number, said: Partial<Said> = {}) => {
    const { credit = 0, isStarved = false } = said;
    const ack = { next, credit, selective: emptySelective() };
    return sender.onAcknowledgement(ack, { newest: true, now, isStarved });
  };
  const delayJournal = (): void => {
    isQuick = false;
  };
  const puts = (): number => asked("put").length;
  const recalls = (): number => effects.filter(({ kind }) => kind === "recall").length;
  const parts = { sender, commits, pump, write, store, acknowledge, delayJournal };
  return { ...fixture, ...parts, puts, recalls };
}

interface Said {
  readonly credit: number;
  readonly isStarved: boolean;
}

describe("the sender of a stream", () => {
  it("takes nothing back once its end was taken", () => {
    const { sender, pump, store, acknowledge, puts } = senderOf();
    sender.end();
    pump(0);
    store(0, 10);
    store(1, 10);
    acknowledge(1, 20);
    expect(sender.isEndTaken).toBe(false);
    acknowledge(2, 20);
    expect(sender.isEndTaken).toBe(true);
    sender.abort(30, 7);
    pump(30);
    expect([puts(), sender.unacknowledgedFrames]).toEqual([2, 0]);
  });

  it("needs no frame back from its journal that was acknowledged meanwhile", () => {
    const { sender, exchange, write, pump, store, acknowledge, puts, recalls } = senderOf({
      durable: true,
      window: 2,
    });
    write(1, 0);
    store(0, 10);
    const late = 900 * DAY_S;
    pump(late);
    // The other one is a probe.
    expect([puts(), recalls()]).toEqual([2, 1]);
    acknowledge(1, late + 10);
    expect(sender.onRecalled(0, undefined, late + 20)).toBe(true);
    expect([puts(), exchange.mayPut(late + 20)]).toEqual([2, true]);
  });

  it("asks its journal once for a frame that is found missing meanwhile", () => {
    const { exchange, write, pump, store, acknowledge, recalls } = senderOf({
      ...{ durable: true, window: 3, ttlSeconds: 10 },
    });
    write(1, 0);
    store(0, 1_000, 10);
    // Its time has come, before that of the first probe.
    pump(9_500);
    expect(recalls()).toBe(1);
    acknowledge(0, 30_000, { isStarved: true });
    pump(30_000);
    // A probe and the frame that is read back have a place each.
    expect([recalls(), exchange.mayPut(30_000)]).toEqual([1, true]);
  });

  it("does not put what was acknowledged before it was durable", () => {
    const sending = senderOf({ durable: true, window: 1 });
    const { exchange, commits, write, store, acknowledge, delayJournal, puts } = sending;
    write(1, 0);
    store(0, 10);
    delayJournal();
    write(1, 20);
    // Whatever it has read there.
    acknowledge(2, 30);
    expect(exchange.mayPut(40)).toBe(false);
    commits.journaled(2, 40);
    expect([puts(), exchange.mayPut(40)]).toEqual([1, true]);
  });

  it("waits for nothing when all is acknowledged", () => {
    const { sender, write, store, acknowledge } = senderOf();
    write(1, 0);
    store(0, 10);
    acknowledge(1, 20);
    expect(sender.deadline(20)).toBe(Number.POSITIVE_INFINITY);
  });

  it("may go as far as it ever was allowed to, though an older word comes later", () => {
    const { write, store, acknowledge, pump, puts } = senderOf();
    write(1, 0);
    store(0, 10);
    acknowledge(1, 20, { credit: 10 });
    acknowledge(1, 21, { credit: 4 });
    write(20 * CELL_BYTES, 30);
    pump(30);
    expect(puts()).toBe(11);
  });

  it("holds no small frame back for another where puts are rationed", () => {
    const { write, exchange, puts } = senderOf({ paceMeanMs: 1 });
    for (let now = 0; now < 3; now++) write(1, exchange.readyAt("put", 100 * now));
    expect(puts()).toBe(3);
  });

  it("holds no small frame back for the first one", () => {
    const { write, puts } = senderOf();
    for (let now = 0; now < 3; now++) write(1, now);
    // The third one waits for the second.
    expect(puts()).toBe(2);
  });

  it("puts the frame behind the first again when its reader speaks and has no news", () => {
    const { write, store, acknowledge, pump, asked } = senderOf({ noDelay: true });
    for (let at = 0; at < 3; at++) {
      write(1, 0);
      store(at, 10);
    }
    const second = asked("put")[1]?.frameId;
    acknowledge(0, 1e6);
    pump(1e6);
    const isSecond = ({ frameId }: { frameId: Uint8Array }): boolean =>
      toHex(frameId) === toHex(second ?? frameId);
    expect(asked("put").filter(isSecond)).toHaveLength(2);
  });

  it("puts the first frame again before new ones where puts are rationed", () => {
    const { sender, write, lateAt, pump, exchange, asked } = senderOf({ paceMeanMs: 1 });
    write(10 * CELL_BYTES, 0);
    const now = 4_000;
    for (const request of lateAt(now)) sender.onLate(request);
    pump(exchange.readyAt("put", now));
    // No acknowledgement is believed before it is stored.
    const [first, second] = asked("put");
    expect(second?.frameId).toEqual(first?.frameId);
  });

  it("answers once until that is acknowledged", () => {
    const { sender, write, store, acknowledge, pump, puts } = senderOf();
    write(1, 0);
    store(0, 10);
    const answer = (now: number): number => {
      sender.answer();
      expect(sender.deadline(now)).toBe(now);
      pump(now);
      return puts();
    };
    expect([answer(20), answer(30)]).toEqual([2, 2]);
    acknowledge(2, 40);
    expect(answer(50)).toBe(3);
  });
});

describe("the sender of a stream whose reader is silent", () => {
  it("asks no more often than there is room for, and keeps a place for a reset", () => {
    const options = { unacknowledgedFramesMax: 4, ttlSeconds: 2 ** 32 - 1 };
    const { sender, write, store, pump, puts } = senderOf(options);
    write(1, 0);
    let stored = 0;
    for (let now = 0, turns = 0; turns < 400; turns++) {
      for (; stored < puts(); stored++) store(stored, now, options.ttlSeconds);
      now = Math.max(now, sender.deadline(now));
      pump(now);
    }
    expect(sender.unacknowledgedFrames).toBe(options.unacknowledgedFramesMax + 127);
    sender.abort(1e15, 0);
    expect(sender.unacknowledgedFrames).toBe(options.unacknowledgedFramesMax + 128);
  });
});

describe("the sender of a stream that goes on", () => {
  const left = senderOf().sender.save(0, true);

  it("keeps the last indexes back for a reset", () => {
    const state = { ...left, base: INDEX_LIMIT, next: INDEX_LIMIT, storedBelow: INDEX_LIMIT };
    const { sender, write, pump, puts } = senderOf({}, state);
    write(1, 0);
    expect(puts()).toBe(0);
    sender.abort(10, 0);
    pump(10);
    expect(puts()).toBe(1);
  });

  it("believes no word that was said before its first frame was put", () => {
    const state = { ...left, base: 0, next: 1, storedBelow: 1 };
    const sending = senderOf({ durable: true }, state);
    const { sender, commits, write, store, acknowledge, delayJournal, puts } = sending;
    sender.resume(0, 1e9, { ...state, expiresUnixMs: 1e9 });
    delayJournal();
    write(1, 0);
    // Of what another session has put there.
    acknowledge(2, 10);
    commits.journaled(1, 20);
    expect(puts()).toBe(1);
    store(0, 30);
    expect(sender.unacknowledgedFrames).toBe(2);
  });

  it("goes no further than its reader has allowed, and knows its end and its abort", () => {
    const state = { ...left, base: 1, next: 2, storedBelow: 2, creditLimit: 4 };
    const resumed = (more: Partial<SenderState>) =>
      senderOf({ noDelay: true }, { ...state, ...more });
    const { sender, write, store, pump, puts } = resumed({});
    sender.resume(0, 1e9, { ...state, expiresUnixMs: 1e9 });
    write(1, 0);
    store(0, 10);
    for (let now = 20; now < 30; now++) write(1, now);
    pump(30);
    expect(puts()).toBe(2);
    const ended = resumed({ endIndex: 1 });
    ended.acknowledge(2, 10);
    expect(ended.sender.isEndTaken).toBe(true);
    // Its code is left out where it is 0.
    const aborted = resumed({ resetIndex: 1 });
    aborted.write(1, 0);
    expect(aborted.puts()).toBe(0);
  });

  it("puts again what may not be in the Map, and what is there before its time is over", () => {
    const state = { ...left, base: 0, next: 2, storedBelow: 1 };
    const { sender, pump, recalls } = senderOf({ durable: true }, state);
    // Sooner than its reader would be asked.
    sender.resume(0, 10_000, { ...state, expiresUnixMs: 10_000 });
    pump(0);
    expect(recalls()).toBe(1);
    expect(sender.onRecalled(1, new Uint8Array(31 + CELL_BYTES), 10)).toBe(false);
    pump(9_900);
    expect(recalls()).toBe(2);
  });

  it("tells the next one what is stored, and which of its frames are probes", () => {
    const { sender, write, store, pump } = senderOf();
    write(1, 0);
    store(0, 10);
    pump(1e6);
    const { storedBytes, probes } = sender.save(0, true);
    expect([storedBytes, storedBytes > 0, probes]).toEqual([sender.storedBytes, true, [1]]);
  });

  it("counts nothing as stored that has left the Map", () => {
    const framer = { ...left.framer, framedBytes: 100 };
    const state = { ...left, framer, base: 0, next: 4, storedBelow: 4, storedBytes: 90 };
    const storedIf = (expiresAt: number): number => {
      const { sender } = senderOf({}, state);
      sender.resume(10, expiresAt, { ...state, expiresUnixMs: expiresAt });
      return sender.storedBytes;
    };
    expect([storedIf(1e6), storedIf(10)]).toEqual([100, 0]);
  });

  it("tells of no fewer bytes than were acknowledged, where it knows no frame's length", () => {
    const framer = { ...left.framer, framedBytes: 100 };
    const state = { ...left, framer, base: 3, next: 8, storedBelow: 8, acknowledgedBytes: 50 };
    const { sender, acknowledge } = senderOf({}, state);
    sender.resume(0, undefined, { ...state, expiresUnixMs: Number.POSITIVE_INFINITY });
    expect(acknowledge(4, 10)).toBe("taken");
    expect([sender.unacknowledgedFrames, sender.acknowledgedBytes]).toEqual([4, 50]);
  });
});
