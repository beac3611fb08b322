import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { emptySelective } from "../../../src/stream/frame/frame.ts";
import {
  BroadcastCore,
  type BroadcastInput,
} from "../../../src/stream/multicast/broadcast-core.ts";
import {
  type BroadcastState,
  decodeBroadcastState,
} from "../../../src/stream/multicast/broadcast-state.ts";
import { generateCapability } from "../../../src/stream/multicast/capability-text.ts";
import { Numbering } from "../../../src/stream/multicast/numbering.ts";
import {
  type BroadcastOptions,
  resolveBroadcastOptions,
} from "../../../src/stream/multicast/options.ts";
import { effectsOf } from "../../effects-of.ts";

const CELL_BYTES = 100;
const DAY_MS = 86_400_000;

/** A broadcast on its own: its Map and its journal are told what to answer. */
function broadcastOf(given: Partial<BroadcastOptions> = {}, state?: BroadcastState) {
  const write = generateCapability();
  const core = new BroadcastCore({
    ...{ write, cellBytes: CELL_BYTES, random: new SeededRandom(7) },
    options: resolveBroadcastOptions(given),
    ...(state && { state }),
  });
  const puts: number[] = [];
  const recalls: string[] = [];
  const others: string[] = [];
  const heads: Uint8Array[] = [];
  const handle = (input: BroadcastInput, now: number): void => {
    core.handle(input, now);
    drain(now);
  };
  const drain = (now: number): void => {
    for (const effect of effectsOf(core)) {
      if (effect.kind === "put") puts.push(effect.request);
      else if (effect.kind === "recall") recalls.push(effect.name);
      else if (effect.kind === "turn") core.handle(effect, now);
      else if (effect.kind === "journal") {
        heads.push(effect.changes.head);
        core.handle({ kind: "journaled", commit: effect.commit }, now);
      } else others.push(effect.kind);
    }
  };
  /** Lets time pass up to `now`, timer by timer. */
  const pass = (now: number): void => {
    while (core.deadline() <= now) {
      const at = core.deadline();
      core.timeout(at);
      drain(at);
    }
  };
  /** The Map gives a receipt for the put that was made as number `at`. */
  const store = (at: number, now: number, ttlSeconds = 604_800): void =>
    handle({ kind: "stored", request: puts[at] ?? -1, ttlSeconds }, now);
  const frames = (count: number, now: number): void =>
    handle({ kind: "write", bytes: new Uint8Array(Math.ceil(count * CELL_BYTES)) }, now);
  /** A reader lacks so many frames from the first one on. */
  const repair = (credit: number, now: number): void => {
    const next = new Numbering(write.chain.index, 0).toWire(0);
    handle({ kind: "repair", wanted: { next, credit, selective: emptySelective() } }, now);
  };
  handle({ kind: "start", unixMs: 0 }, 0);
  return { core, puts, recalls, others, heads, handle, pass, store, frames, repair };
}

describe("the writer of a broadcast", () => {
  it("counts on the shortest life that it was ever granted", () => {
    const { core, store, frames } = broadcastOf({ noDelay: true });
    frames(1, 0);
    store(0, 10, 100);
    store(1, 10, 1_000);
    expect(core.state().grantedSeconds).toBe(100);
  });

  it("has said its end, and takes none of it back when it is given up", () => {
    const { puts, handle } = broadcastOf();
    handle({ kind: "end" }, 0);
    const count = puts.length;
    handle({ kind: "abort" }, 10);
    expect(puts).toHaveLength(count);
  });

  it("puts again what a reader lacks while there is always something new", () => {
    const { core, puts, frames, store, repair, pass } = broadcastOf({ window: 1 });
    frames(1, 0);
    store(0, 10);
    frames(50, 20);
    repair(1, 20);
    for (let at = 1; at < 8; at++) store(at, 30);
    pass(30);
    expect([core.progress.repairs, puts.length - core.progress.keptFrames]).toEqual([1, 1]);
  });

  it("puts nothing again that it has not put, nor what it still puts", () => {
    const { core, puts, recalls, frames, repair } = broadcastOf();
    frames(1, 0);
    const count = puts.length;
    // Of the frames that are asked for some are under way, and others are none.
    repair(9, 10);
    expect([core.progress.repairs, puts.length, recalls]).toEqual([0, count, []]);
  });

  it("has nobody to tell that it is given up before it was started", () => {
    const core = new BroadcastCore({
      ...{ write: generateCapability(), cellBytes: CELL_BYTES, random: new SeededRandom(7) },
      options: resolveBroadcastOptions({}),
    });
    core.handle({ kind: "abort" }, 0);
    expect([...effectsOf(core)]).toEqual([{ kind: "done" }]);
  });

  it("says once that all is stored, though its end is said twice", () => {
    const { puts, others, store, handle } = broadcastOf();
    handle({ kind: "end" }, 0);
    for (let at = 0; at < puts.length; at++) store(at, 10);
    handle({ kind: "end" }, 20);
    expect(others.filter((kind) => kind === "all-stored")).toHaveLength(1);
  });

  it("holds no small frame back for another where puts are rationed", () => {
    const { core, puts, frames, pass } = broadcastOf({ paceMeanMs: 1 });
    for (const now of [0, 100, 200]) {
      pass(now);
      frames(0.01, now);
    }
    pass(300);
    expect([puts.length, core.progress.keptFrames]).toEqual([3, 3]);
  });

  it("looks no more after a frame that it has given up when its receipt comes", () => {
    const { core, puts, recalls, frames, store, pass } = broadcastOf({ retainFrames: 1 });
    const small = (now: number): void => frames(0.01, now);
    small(0);
    store(0, 10);
    // It is put again, and before that is answered given up for the next one.
    while (puts.length < 2) pass(core.deadline());
    const now = core.deadline() - 1;
    small(now);
    expect([puts.length, core.progress.keptFrames]).toEqual([3, 1]);
    store(1, now);
    pass(3 * DAY_MS);
    expect(recalls).toEqual([]);
  });
});

describe("the writer of a broadcast with a journal", () => {
  /** One whose first frame was read back from it to be put again, which nobody answers. */
  function recalling() {
    const broadcast = broadcastOf({ durable: true });
    broadcast.handle({ kind: "write", bytes: new Uint8Array(1) }, 0);
    broadcast.store(0, 10);
    broadcast.pass(DAY_MS);
    expect(broadcast.recalls).toEqual(["d0"]);
    return broadcast;
  }

  it("does not need a frame back that it has given up meanwhile", () => {
    const { core, others, handle, pass } = recalling();
    pass(30 * DAY_MS);
    handle({ kind: "recalled", name: "d0", bytes: undefined }, 30 * DAY_MS);
    expect([core.progress.keptFrames, others.includes("fail")]).toEqual([0, false]);
  });

  it("asks its journal once for a frame whose put is late and then fails", () => {
    const { puts, recalls, handle, pass } = recalling();
    const bytes = new Uint8Array(32 + CELL_BYTES);
    handle({ kind: "recalled", name: "d0", bytes }, DAY_MS);
    pass(DAY_MS + 10_000);
    expect([puts.length, recalls.length]).toEqual([2, 2]);
    handle({ kind: "failed", request: puts[1] ?? -1, code: "CULVERT_BUSY" }, DAY_MS + 10_000);
    pass(DAY_MS + 20_000);
    expect(recalls).toHaveLength(2);
  });
});

describe("the writer of a broadcast that goes on", () => {
  it("keeps what an earlier session has kept, though its options allow less", () => {
    const before = broadcastOf({ durable: true, noDelay: true });
    before.frames(5, 0);
    for (let at = 0; at < before.puts.length; at++) before.store(at, 10);
    const { keptFrames } = before.core.progress;
    const { core, puts, pass } = broadcastOf(
      { durable: true, retainFrames: 1 },
      before.core.state(),
    );
    expect([core.progress.keptFrames, core.deadline() > 0]).toEqual([keptFrames, true]);
    expect(puts).toEqual([]);
    // One after the other is renewed.
    pass(DAY_MS);
    expect(core.deadline()).toBeGreaterThan(DAY_MS);
  });

  it("knows what was stored, though not how long each frame was", () => {
    const before = broadcastOf({ durable: true, noDelay: true });
    for (let now = 0; now < 4; now++) before.frames(0.01, now);
    for (const at of [0, 1]) before.store(at, 10);
    const { core, store, handle } = broadcastOf({ durable: true }, before.core.state());
    expect(core.progress.storedBytes).toBe(2);
    handle({ kind: "recalled", name: "d2", bytes: new Uint8Array(32 + CELL_BYTES) }, 0);
    store(0, 10);
    expect([core.progress.unstoredFrames, core.progress.storedBytes]).toEqual([1, 2]);
  });

  it("tells its journal of every reader that comes and goes", () => {
    const { heads, handle } = broadcastOf({ durable: true });
    const { root, chain } = generateCapability();
    const readers = () => decodeBroadcastState(heads.at(-1) ?? new Uint8Array(0)).readers.length;
    handle({ kind: "reader", id: "a", position: { root, next: 0, chain: chain.toBytes() } }, 0);
    expect(readers()).toBe(1);
    handle({ kind: "reader-gone", id: "a" }, 1);
    expect(readers()).toBe(0);
  });

  it("tells its journal of no bytes that are in no frame yet", () => {
    const { core, heads, frames, handle } = broadcastOf({ durable: true });
    for (let now = 0; now < 3; now++) frames(0.01, now);
    const { root, chain } = generateCapability();
    handle({ kind: "reader", id: "a", position: { root, next: 0, chain: chain.toBytes() } }, 3);
    expect(core.state().framer.waitingBytes).toBe(2);
    const { framer } = decodeBroadcastState(heads.at(-1) ?? new Uint8Array(0));
    expect(framer).toMatchObject({ framedBytes: 1, waitingBytes: 0 });
  });

  it("tells its journal that it has given frames up", () => {
    const { heads, frames, store, pass } = broadcastOf({ durable: true, retainSeconds: 3_600 });
    frames(0.01, 0);
    store(0, 10, 604_800);
    pass(DAY_MS);
    expect(decodeBroadcastState(heads.at(-1) ?? new Uint8Array(0))).toMatchObject({ base: 1 });
  });

  it("leaves after a while when nobody hears any more that it was given up", () => {
    const before = broadcastOf({ durable: true });
    before.frames(1, 0);
    before.handle({ kind: "abort" }, 0);
    const { core, others, pass } = broadcastOf({ durable: true }, before.core.state());
    pass(DAY_MS);
    expect([others.at(-1), core.isOver]).toEqual(["done", true]);
  });
});
