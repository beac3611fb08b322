import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { StreamCore } from "../../../src/stream/core/stream-core.ts";
import { capabilitiesOf } from "../../../src/stream/duplex/assemble.ts";
import type { StreamEffect, StreamInput } from "../../../src/stream/exchange/protocol.ts";
import { resolveOptions, type StreamOptions } from "../../../src/stream/options.ts";
import type { StreamState } from "../../../src/stream/state.ts";
import { effectsOf } from "../../effects-of.ts";
import { type CheckedCore, type CoreWeather, CoreWorld } from "../core-world.ts";

const OPTIONS: readonly Partial<StreamOptions>[] = [
  {},
  { durable: true },
  { window: 1 },
  { window: 2, durable: true },
  { paceMeanMs: 40 },
  { paceMeanMs: 40, durable: true, window: 4 },
  { receiveFramesMax: 2, unacknowledgedFramesMax: 4 },
  { noDelay: true, ackEveryFrames: 1, ackDelayMsMax: 0 },
];

/** Weather, options and sizes that follow from a seed. */
function weatherOf(seed: number): CoreWeather {
  const options = OPTIONS[seed % OPTIONS.length] ?? {};
  return {
    seed,
    options,
    loss: (seed % 4) * 0.08,
    refusal: (seed % 3) * 0.04,
    cellBytes: 100 + seed,
  };
}

/** Writes `length` bytes in pieces at moments of the seed's choice, and ends. */
function writeAll(world: CoreWorld, node: CheckedCore, length: number): number[] {
  const bytes = [...world.random.bytes(length)];
  let at = 0;
  const step = (): void => {
    const piece = Uint8Array.from(bytes.slice(at, at + 1 + world.random.below(200)));
    at += piece.length;
    if (piece.length > 0) node.handle({ kind: "write", bytes: piece }, world.now);
    else node.handle({ kind: "end" }, world.now);
    if (piece.length > 0) world.after(world.random.below(60), step);
  };
  world.after(world.random.below(500), step);
  return bytes;
}

/** Whatever an engine, or an application that has not noticed, may still say. */
const LATE_INPUTS: readonly StreamInput[] = [
  { kind: "start", unixMs: 0 },
  { kind: "write", bytes: Uint8Array.of(1) },
  { kind: "end" },
  { kind: "abort" },
  { kind: "taken", offset: 10 },
  { kind: "stored", request: 1, ttlSeconds: 10 },
  { kind: "got", request: 2, cell: new Uint8Array(100) },
  { kind: "failed", request: 3, code: "CULVERT_CONFLICT" },
  { kind: "recalled", name: "d0", bytes: undefined },
  { kind: "journaled", commit: 1 },
];

function expectSilence(world: CoreWorld, node: CheckedCore): void {
  const count = node.effects.length;
  for (const input of LATE_INPUTS) node.handle(input, world.now);
  node.core.timeout(world.now + 1e9);
  expect(node.core.poll()).toBeUndefined();
  expect([node.effects.length, node.core.deadline()]).toEqual([count, Number.POSITIVE_INFINITY]);
}

describe("the contract of a stream core", () => {
  // The world checks it at every turn: deadlines ahead, early timeouts without effect, silence
  // after the end.
  // The last two once said a last word more when a timeout came early.
  it.each([...Array.from({ length: 16 }, (_, seed) => seed), 244, 483])(
    "holds in a whole stream, seed %i",
    (seed) => {
      const world = new CoreWorld(weatherOf(seed));
      const { a, b } = world;
      const there = writeAll(world, a, 1_500);
      const back = writeAll(world, b, seed % 2 === 0 ? 400 : 0);
      expect(world.run(() => a.isOver && b.isOver)).toBe(true);
      expect([a.effects.at(-1)?.kind, b.effects.at(-1)?.kind]).toEqual(["done", "done"]);
      expect([b.received, a.received]).toEqual([there, back]);
      for (const node of [a, b]) {
        expect(node.effects.filter(({ kind }) => kind === "delivered-end")).toHaveLength(1);
        expectSilence(world, node);
      }
    },
  );

  it.each([...Array.from({ length: 24 }, (_, seed) => seed), 147])(
    "holds around an abort, seed %i",
    (seed) => {
      const world = new CoreWorld(weatherOf(seed));
      const { a, b } = world;
      writeAll(world, a, 600);
      writeAll(world, b, 100);
      // Too late for some of them: then the stream is complete, and this does nothing.
      world.after(200 * (seed + 1), () => a.handle({ kind: "abort" }, world.now));
      expect(world.run(() => a.isOver && b.isOver)).toBe(true);
      expect(a.effects.at(-1)?.kind).toBe("done");
      for (const node of [a, b]) expectSilence(world, node);
    },
  );

  it("holds when a stream is aborted while it says its last words", () => {
    const world = new CoreWorld({ seed: 3 });
    const { a, b } = world;
    a.handle({ kind: "end" }, 0);
    b.handle({ kind: "end" }, 0);
    const hasDeparted = (): boolean => a.core.progress.isEndTaken && a.has("delivered-end");
    expect(world.run(hasDeparted)).toBe(true);
    const abortedAt = world.now;
    a.handle({ kind: "abort" }, world.now);
    expect(world.run(() => a.isOver)).toBe(true);
    expect(a.effects.at(-1)?.kind).toBe("done");
    // Nothing of ours is missing to the peer: there is nothing to wait for but the last word.
    expect(world.now - abortedAt).toBeLessThan(1_000);
    expectSilence(world, a);
  });

  it("holds when nothing is answered any more between the last words and the abort", () => {
    const world = new CoreWorld({ seed: 3 });
    const { a, b } = world;
    a.handle({ kind: "end" }, 0);
    b.handle({ kind: "end" }, 0);
    expect(world.run(() => a.core.progress.isEndTaken && a.has("delivered-end"))).toBe(true);
    world.cutOff();
    a.handle({ kind: "abort" }, world.now);
    expect(world.run(() => a.isOver)).toBe(true);
    expectSilence(world, a);
  });

  it("gives an abort its time behind the pause that a Map has asked for", () => {
    const overAt = (isPaused: boolean): number => {
      const core = new StreamCore({
        ...capabilitiesOf(new Uint8Array(32).fill(1), "listener"),
        ...{ cellBytes: 120, random: new SeededRandom(1), options: resolveOptions() },
      });
      const handle = (input: StreamInput, now: number): void => {
        core.handle(input, now);
        for (const effect of effectsOf(core)) if (effect.kind === "turn") core.handle(effect, now);
      };
      handle({ kind: "start", unixMs: 1e12 }, 0);
      if (isPaused) handle({ kind: "failed", request: 1, code: "CULVERT_BUSY" }, 10);
      handle({ kind: "abort" }, 20);
      let now = 20;
      for (; core.deadline() < Number.POSITIVE_INFINITY; core.timeout(now)) now = core.deadline();
      return now;
    };
    expect(overAt(true)).toBeGreaterThan(overAt(false));
  });

  it("lets a stream go on whose options allow less than it has under way", () => {
    const secret = new Uint8Array(32).fill(1);
    const init = {
      ...capabilitiesOf(secret, "listener"),
      cellBytes: 120,
      random: new SeededRandom(1),
      options: resolveOptions({ durable: true, unacknowledgedFramesMax: 4 }),
    };
    const fresh = new StreamCore(init).state();
    const sender = { ...fresh.sender, next: 500, storedBelow: 500, expiresUnixMs: 2e12 };
    const core = new StreamCore({ ...init, state: { ...fresh, sender } });
    core.handle({ kind: "start", unixMs: 1e12 }, 0);
    expect([core.progress.unacknowledgedFrames, core.deadline() > 0]).toEqual([500, true]);
  });

  it("believes no receipt for longer than it has asked for, whatever the wall clock says", () => {
    const secret = new Uint8Array(32).fill(1);
    const init = {
      ...capabilitiesOf(secret, "listener"),
      cellBytes: 120,
      random: new SeededRandom(1),
      options: resolveOptions({ durable: true, ttlSeconds: 1_000 }),
    };
    const fresh = new StreamCore(init).state();
    // By a clock that is set back, years are left of it.
    const sender = { ...fresh.sender, next: 1, storedBelow: 1, expiresUnixMs: 2e12 };
    const core = new StreamCore({ ...init, state: { ...fresh, sender } });
    core.handle({ kind: "start", unixMs: 1e12 }, 0);
    expect(core.progress.expiresAt).toBe(1e6);
  });

  it("has nothing to tell of an abort before it was started", () => {
    const { core } = coreAlone();
    core.handle({ kind: "abort" }, 0);
    expect([...effectsOf(core)]).toEqual([{ kind: "done" }]);
  });

  it("says once that it is there where nothing is, and goes on asking", () => {
    const { core, asked, pass } = coreAlone();
    core.handle({ kind: "start", unixMs: 1e12 }, 0);
    pass(3_600_000);
    const before = asked("get").length;
    pass(7_200_000);
    // It is put again and again, as nobody says that it is stored.
    const frameIds = new Set(asked("put").map(({ frameId }) => toHex(frameId)));
    expect([frameIds.size, asked("get").length > before]).toEqual([1, true]);
  });

  it("says in its next session that it is there, and has told all when that is stored", () => {
    const { core, asked, pass } = coreAlone(coreAlone().core.state());
    core.handle({ kind: "start", unixMs: 1e12 }, 0);
    pass(0);
    // An old copy of that state would learn so.
    const [put] = asked("put");
    expect([core.progress.isAllStored, core.progress.isAllTold]).toEqual([true, false]);
    core.handle({ kind: "stored", request: put?.request ?? -1, ttlSeconds: 100 }, 10);
    expect(core.progress.isAllTold).toBe(true);
  });
});

/** A core without a Map: what it asks for is never answered, if not by hand. */
function coreAlone(state?: StreamState) {
  const core = new StreamCore({
    ...capabilitiesOf(new Uint8Array(32).fill(1), "listener"),
    ...{ cellBytes: 120, random: new SeededRandom(1), options: resolveOptions() },
    ...(state && { state }),
  });
  const effects: StreamEffect[] = [];
  /** Lets time pass up to `now`, timer by timer. */
  const pass = (now: number): void => {
    for (let at = 0; at <= now; at = core.deadline()) {
      core.timeout(at);
      for (const effect of effectsOf(core)) {
        effects.push(effect);
        if (effect.kind === "turn") core.handle(effect, at);
      }
    }
  };
  const asked = (kind: "put" | "get") =>
    effects.filter((effect): effect is Extract<StreamEffect, { kind: typeof kind }> => {
      return effect.kind === kind;
    });
  return { core, asked, pass };
}
