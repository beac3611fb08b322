import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom, toHex } from "../../../src/base/index.ts";
import { Writer } from "../../../src/codec/index.ts";
import { LINK_LIMITS, type LinkLimits, type Priority } from "../../../src/link/index.ts";
import { MuxCore } from "../../../src/link/mux/mux-core.ts";
import { encodeControlFrame, encodeDataHead } from "../../../src/link/mux/mux-frames.ts";
import type { MuxEffect, MuxInput } from "../../../src/link/mux/mux-protocol.ts";
import { creditCost } from "../../../src/link/mux/mux-stream.ts";
import { effectsOf } from "../../effects-of.ts";

const RECORD_BYTES = 65_519;

/** A mux with what a shell does for it: everything is consumed at once, unless `isLazy`. */
class Side {
  readonly mux: MuxCore;
  readonly effects: MuxEffect[] = [];
  readonly data = new Map<number, Uint8Array[]>();
  isLazy = false;

  constructor(
    isInitiator: boolean,
    limits: Partial<LinkLimits> = {},
    peer: Partial<LinkLimits> = {},
  ) {
    const theirs = { ...LINK_LIMITS, ...peer };
    this.mux = new MuxCore({
      limits: { ...LINK_LIMITS, ...limits },
      isInitiator,
      peer: { streams: theirs.streamsInMax, streamWindow: theirs.streamWindowBytes },
    });
  }

  handle(input: MuxInput): MuxEffect[] {
    this.mux.handle(input, 0);
    return this.drain();
  }

  drain(): MuxEffect[] {
    const fresh: MuxEffect[] = [];
    for (const effect of effectsOf(this.mux)) {
      fresh.push(effect);
      this.effects.push(effect);
      if (effect.kind !== "data") continue;
      this.data.set(effect.id, [...(this.data.get(effect.id) ?? []), effect.bytes]);
      const credit = creditCost(effect.bytes.length);
      if (!this.isLazy) this.mux.handle({ kind: "consumed", id: effect.id, credit }, 0);
    }
    return fresh;
  }

  fill(bytesMax = RECORD_BYTES): Uint8Array | undefined {
    const payload = this.mux.fill(bytesMax);
    this.drain();
    return payload;
  }

  open(protocol = "p", priority: Priority = "normal"): number {
    const [effect] = this.handle({ kind: "open", ticket: 1, protocol, priority });
    return effect?.kind === "opened" ? effect.id : -1;
  }

  text(id: number): string {
    return toHex(concatBytes(...(this.data.get(id) ?? [])));
  }

  failure(): string | undefined {
    return this.effects.flatMap((e) => (e.kind === "fail" ? [e.error.code] : []))[0];
  }
}

/** Records in both directions until neither has anything to say. */
function exchange(a: Side, b: Side, bytesMax = RECORD_BYTES): void {
  let [from, to] = [a, b];
  for (let idle = 0; idle < 2; [from, to] = [to, from]) {
    const payload = from.fill(bytesMax);
    if (payload !== undefined) to.handle({ kind: "receive", payload });
    idle = payload === undefined ? idle + 1 : 0;
  }
}

/**
 * The same over a long line: each end says all that it may before it hears the other. Returns how
 * many bytes `a` had on its way each time.
 */
function exchangeFarApart(a: Side, b: Side): number[] {
  const flight = (from: Side, to: Side): number => {
    const payloads: Uint8Array[] = [];
    for (let next = from.fill(); next !== undefined; next = from.fill()) payloads.push(next);
    for (const payload of payloads) to.handle({ kind: "receive", payload });
    return payloads.reduce((sum, { length }) => sum + length, 0);
  };
  const flights: number[] = [];
  for (let isOver = false; !isOver; ) {
    const bytes = flight(a, b);
    flights.push(bytes);
    isOver = bytes + flight(b, a) === 0;
  }
  return flights;
}

describe("a mux", () => {
  it("carries many streams both ways, whatever is written and however small its records", () => {
    const writes = fc.array(
      fc.record({
        stream: fc.nat(5),
        length: fc.integer({ min: 0, max: 90_000 }),
        back: fc.boolean(),
      }),
      { maxLength: 25 },
    );
    fc.assert(
      fc.property(writes, fc.integer({ min: 100, max: RECORD_BYTES }), (plan, bytesMax) => {
        const [a, b] = [new Side(true), new Side(false)];
        const ids = Array.from({ length: 6 }, () => a.open());
        exchange(a, b);
        const sent = new Map<string, Uint8Array[]>();
        for (const [at, { stream, length, back }] of plan.entries()) {
          const bytes = new SeededRandom(at).bytes(length);
          const id = ids[stream] as number;
          (back ? b : a).handle({ kind: "write", id, chunks: [bytes] });
          sent.set(`${back}${id}`, [...(sent.get(`${back}${id}`) ?? []), bytes]);
          exchange(a, b, bytesMax);
        }
        for (const id of ids) {
          expect(b.text(id)).toBe(toHex(concatBytes(...(sent.get(`false${id}`) ?? []))));
          expect(a.text(id)).toBe(toHex(concatBytes(...(sent.get(`true${id}`) ?? []))));
          for (const side of [a, b]) side.handle({ kind: "end", id });
        }
        exchange(a, b, bytesMax);
        expect([a.mux.streamCount, b.mux.streamCount]).toEqual([0, 0]);
        expect([a.failure(), b.failure()]).toEqual([undefined, undefined]);
      }),
      { numRuns: 30 },
    );
  });

  it("leaves nothing behind after 10,000 streams", () => {
    const [a, b] = [new Side(true), new Side(false)];
    for (let i = 0; i < 10_000; i++) {
      const id = a.open();
      a.handle({ kind: "write", id, chunks: [Uint8Array.of(1)] });
      if (i % 3 === 0) a.handle({ kind: "reset", id, code: 1 });
      else for (const side of [a, b]) side.handle({ kind: "end", id });
      exchange(a, b);
      if (i % 3 !== 0) b.handle({ kind: "end", id });
      exchange(a, b);
      b.effects.length = 0;
      b.data.clear();
    }
    expect([a.mux.streamCount, b.mux.streamCount, a.mux.isReady, b.mux.isReady]).toEqual([
      0,
      0,
      false,
      false,
    ]);
  });

  it("stops at the credit of a reader that does not read, and lets others pass", () => {
    const [a, b] = [new Side(true), new Side(false)];
    b.isLazy = true;
    const [stuck, other] = [a.open(), a.open()];
    a.handle({ kind: "write", id: stuck, chunks: [new Uint8Array(1_000_000)] });
    exchange(a, b);
    const got = (b.data.get(stuck) ?? []).reduce((sum, bytes) => sum + bytes.length, 0);
    expect(got).toBeGreaterThan(60_000);
    expect(got).toBeLessThan(LINK_LIMITS.streamWindowBytes);
    expect(a.effects.filter(({ kind }) => kind === "written")).toEqual([]);
    a.handle({ kind: "write", id: other, chunks: [Uint8Array.of(5)] });
    exchange(a, b);
    expect(b.text(other)).toBe("05");
  });

  it("widens the window of a reader that keeps up, within the limits of stream and link", () => {
    const limits = { streamWindowBytesMax: 1_048_576, linkWindowBytesMax: 16 * 2 ** 20 + 700_000 };
    const [a, b] = [new Side(true), new Side(false, limits)];
    const ids = [a.open(), a.open()];
    for (const id of ids) a.handle({ kind: "write", id, chunks: [new Uint8Array(4_000_000)] });
    exchangeFarApart(a, b);
    b.isLazy = true;
    const inFlight = ids.map((id) => {
      b.data.delete(id);
      a.handle({ kind: "write", id, chunks: [new Uint8Array(4_000_000)] });
      exchangeFarApart(a, b);
      return (b.data.get(id) ?? []).reduce((sum, bytes) => sum + creditCost(bytes.length), 0);
    });
    for (const credit of inFlight) expect(credit).toBeLessThanOrEqual(1_048_576);
    expect(Math.max(...inFlight)).toBeGreaterThan(500_000);
  });

  it("widens sixteenfold at once, and leaves as much to other streams as one has", () => {
    const [a, b] = [new Side(true), new Side(false)];
    const most = [a.open(), a.open(), a.open()].map((id) => {
      a.handle({ kind: "write", id, chunks: [new Uint8Array(90e6)] });
      const flights = exchangeFarApart(a, b);
      expect(flights[0]).toBeLessThanOrEqual(LINK_LIMITS.streamWindowBytes);
      expect(flights[1]).toBeGreaterThan(950_000);
      return Math.max(...flights) / LINK_LIMITS.linkWindowBytesMax;
    });
    expect(most[0]).toBeCloseTo(1 / 2, 1);
    expect(most[1]).toBeCloseTo(1 / 4, 1);
    expect(most[2]).toBeCloseTo(1 / 8, 1);
  });

  it("does not widen once more for a wish that is older than the last time", () => {
    const [a, b] = [new Side(true), new Side(false)];
    const id = a.open();
    b.isLazy = true;
    const flight = (from: Side): Uint8Array[] => {
      const payloads: Uint8Array[] = [];
      for (let next = from.fill(); next !== undefined; next = from.fill()) payloads.push(next);
      return payloads;
    };
    const deliver = (to: Side, payloads: Uint8Array[]): void => {
      for (const payload of payloads) to.handle({ kind: "receive", payload });
    };
    a.handle({ kind: "write", id, chunks: [new Uint8Array(40e6)] });
    deliver(b, flight(a));
    b.handle({ kind: "consumed", id, credit: 40_000 });
    deliver(a, flight(b));
    const [wish, before] = [flight(a), b.fill()];
    b.handle({ kind: "consumed", id, credit: 10_000 });
    const widened = flight(b);
    deliver(b, wish);
    expect([before, widened.length]).toEqual([undefined, 1]);
    deliver(a, widened);
    exchangeFarApart(a, b);
    const got = (b.data.get(id) ?? []).reduce((sum, bytes) => sum + bytes.length, 0);
    expect(got).toBeGreaterThan(15 * LINK_LIMITS.streamWindowBytes);
    expect(got).toBeLessThan(17 * LINK_LIMITS.streamWindowBytes);
  });

  it("grants credit for 256 KiB at the latest, however large the window has become", () => {
    const [a, b] = [new Side(true), new Side(false)];
    const id = a.open();
    for (let round = 0; round < 40; round++) {
      a.handle({ kind: "write", id, chunks: [new Uint8Array(1e6)] });
      exchangeFarApart(a, b);
    }
    b.isLazy = true;
    a.handle({ kind: "write", id, chunks: [new Uint8Array(1e6)] });
    exchangeFarApart(a, b);
    let consumed = 0;
    for (; b.fill() === undefined; consumed += 16_384) {
      b.handle({ kind: "consumed", id, credit: 16_384 });
    }
    expect(consumed).toBeGreaterThan(0);
    expect(consumed).toBeLessThanOrEqual(262_144);
  });

  it("keeps nothing of a carrier's memory but what fills a good part of it", () => {
    const [a, b] = [new Side(true), new Side(false)];
    const [short, long] = [a.open(), a.open()];
    exchange(a, b);
    a.handle({ kind: "write", id: short, chunks: [new Uint8Array(100)] });
    const alone = a.fill() as Uint8Array;
    a.handle({ kind: "write", id: long, chunks: [new Uint8Array(30_000)] });
    const behind = a.fill() as Uint8Array;
    // The record is hardly longer than the piece, but lies among many others.
    const memory = concatBytes(alone, behind, new Uint8Array(30_000));
    for (const [from, to] of [
      [0, alone.length],
      [alone.length, alone.length + behind.length],
    ]) {
      b.handle({ kind: "receive", payload: memory.subarray(from, to) });
    }
    const isKept = (id: number) => b.data.get(id)?.map(({ buffer }) => buffer === memory.buffer);
    expect([isKept(short), isKept(long)]).toEqual([[false], [true]]);
  });

  it("sends the urgent first, and takes turns within a class", () => {
    const [a, b] = [new Side(true), new Side(false)];
    const bulk = a.open("bulk", "bulk");
    const twins = [a.open("n"), a.open("n")];
    const urgent = a.open("u", "urgent");
    exchange(a, b);
    for (const id of [bulk, ...twins, urgent]) {
      a.handle({ kind: "write", id, chunks: [new Uint8Array(40_000)] });
    }
    const order: number[] = [];
    for (let payload = a.fill(20_000); payload !== undefined; payload = a.fill(20_000)) {
      const before = b.effects.length;
      b.handle({ kind: "receive", payload });
      for (const effect of b.effects.slice(before))
        if (effect.kind === "data") order.push(effect.id);
    }
    const first = (id: number): number => order.indexOf(id);
    expect(first(urgent)).toBe(0);
    expect(order.lastIndexOf(urgent)).toBeLessThan(Math.min(...twins.map(first)));
    expect(first(bulk)).toBeGreaterThan(Math.max(...twins.map((id) => order.lastIndexOf(id))));
    // Neither of the twins is done before the other has begun.
    expect(first(twins[1] as number)).toBeLessThan(order.lastIndexOf(twins[0] as number));
  });

  it("lets an opener wait at the peer's limit, and refuses when too many wait", () => {
    const [a, b] = [
      new Side(true, { openingsWaitingMax: 1 }, { streamsInMax: 2 }),
      new Side(false, { streamsInMax: 2 }),
    ];
    const [first] = [a.open(), a.open()];
    const ask = (ticket: number) =>
      a.handle({ kind: "open", ticket, protocol: "p", priority: "normal" });
    expect([ask(5), ask(6)]).toEqual([[], [{ kind: "open-refused", ticket: 6 }]]);
    a.handle({ kind: "reset", id: first as number, code: 3 });
    exchange(a, b);
    expect(a.effects).toContainEqual({ kind: "opened", ticket: 5, id: 4, isLast: false });
    expect(b.effects).toContainEqual({ kind: "reset", id: 0, code: 3 });
    expect(b.failure()).toBeUndefined();
  });

  it("counts no stream that both ends have ended, though it was given up meanwhile", () => {
    const [a, b] = [new Side(true, {}, { streamsInMax: 1 }), new Side(false, { streamsInMax: 1 })];
    const id = a.open();
    b.handle({ kind: "receive", payload: a.fill() as Uint8Array });
    b.handle({ kind: "end", id });
    a.handle({ kind: "receive", payload: b.fill() as Uint8Array });
    a.handle({ kind: "end", id });
    const end = a.fill() as Uint8Array;
    const next = a.open();
    // Given up, but there is no room on the path to say so.
    b.handle({ kind: "reset", id, code: 3 });
    for (const payload of [end, a.fill() as Uint8Array]) b.handle({ kind: "receive", payload });
    expect(b.failure()).toBeUndefined();
    expect(b.effects).toContainEqual(expect.objectContaining({ kind: "accept", id: next }));
    exchange(a, b);
    expect([a.mux.streamCount, b.mux.streamCount, a.mux.lateFrames]).toEqual([1, 1, 0]);
  });
});

describe("a mux whose peer breaks the protocol", () => {
  const open = (id: number) =>
    encodeControlFrame({ kind: "open", id, protocol: "p", priority: "normal" });
  const data = (id: number, length: number) =>
    concatBytes(encodeDataHead(id, length), new Uint8Array(length));

  it.each([
    ["a frame of no known kind", [Uint8Array.of(9, 0, 0, 0, 0)]],
    ["a frame that is cut off", [open(1).subarray(0, 6)]],
    ["empty data", [open(1), encodeDataHead(1, 0)]],
    ["a protocol that is no name", [new Writer().u8(1).u32(1).u8(0).u8(1).u8(0xff).finish()]],
    ["a priority that is none", [new Writer().u8(1).u32(1).u8(9).u8(1).u8(97).finish()]],
    ["a stream of ours that was opened by the peer", [open(0)]],
    ["a number that comes again", [open(3), open(3)]],
    ["a number that goes back", [open(3), open(1)]],
    ["data for a stream that never was", [data(5, 1)]],
    ["data after the end", [open(1), encodeControlFrame({ kind: "end", id: 1 }), data(1, 1)]],
    ["a second end", [open(1), ...[1, 2].map(() => encodeControlFrame({ kind: "end", id: 1 }))]],
    ["more than there was credit for", [open(1), data(1, 65_500)]],
    ["single bytes beyond what they cost", [open(1), ...Array(2_000).fill(data(1, 1))]],
    ["streams without end", Array.from({ length: 257 }, (_, at) => open(2 * at + 1))],
    [
      "more credit than can be used",
      [
        open(1),
        ...[1, 2].map(() => encodeControlFrame({ kind: "credit", id: 1, amount: 2 ** 32 - 1 })),
      ],
    ],
  ])("ends for %s", (_name, frames) => {
    const side = new Side(true);
    side.isLazy = true;
    for (const payload of frames) side.handle({ kind: "receive", payload });
    expect(side.failure()).toBe("CULVERT_PROTOCOL");
    expect([side.fill(), side.handle({ kind: "receive", payload: open(9) })]).toEqual([
      undefined,
      [],
    ]);
  });

  it("only counts what comes for a stream that is over", () => {
    const side = new Side(true);
    side.handle({ kind: "receive", payload: open(1) });
    side.handle({ kind: "reset", id: 1, code: 0 });
    side.handle({ kind: "receive", payload: data(1, 10) });
    side.fill();
    side.handle({ kind: "receive", payload: data(1, 10) });
    expect([side.failure(), side.mux.lateFrames, side.mux.streamCount]).toEqual([undefined, 2, 0]);
  });

  it("survives whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 })), (payloads) => {
        const side = new Side(true);
        for (const payload of payloads) side.handle({ kind: "receive", payload });
        expect([undefined, "CULVERT_PROTOCOL"]).toContain(side.failure());
      }),
    );
  });
});
