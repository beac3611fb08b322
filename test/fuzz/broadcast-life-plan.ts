import type { BroadcastOpenOptions, SubscriptionOpenOptions } from "../../src/stream/index.ts";
import type { LossyTransportOptions } from "../../src/transport/index.ts";
import type { Dice } from "./stream-life-plan.ts";

/**
 * - `strict`: crashes, halts, loss of requests, refused puts: nobody loses anything
 * - `sound`: other Maps, short lives, short memories besides: a reader may lose some, and is told
 * - `stale`: old backups and damaged disks of the writer besides
 * - `given-up`: the writer gives up besides
 */
export type BroadcastLifeKind = "strict" | "sound" | "stale" | "given-up";

/** How what a session leaves is kept: on a disk, which survives a crash, or in what `save` gave. */
export type Keeps = "store" | "saves";

/** The writer, and the application there. */
export interface WriterPlan {
  readonly keeps: Keeps;
  readonly bytes: number;
  readonly commitMsMax: number;
  readonly options: BroadcastOpenOptions;
}

/** One reader, and the application there. */
export interface ReaderPlan {
  readonly keeps: Keeps;
  /** At which step it comes, and from which frame on it reads. */
  readonly joinsAt: number;
  readonly from: "next" | "oldest";
  readonly isExact: boolean;
  readonly asksForRepairs: boolean;
  readonly commitMsMax: number;
  readonly options: SubscriptionOpenOptions;
}

/** A life whose every parameter follows from its seed. */
export interface BroadcastLifePlan {
  readonly kind: BroadcastLifeKind;
  readonly payloadSize: number;
  readonly steps: number;
  readonly refusing: number;
  readonly ttlSecondsMax: number;
  readonly weather: Partial<LossyTransportOptions>;
  readonly writer: WriterPlan;
  readonly readers: readonly ReaderPlan[];
}

/** Long enough for any life. */
const WEEK_SECONDS = 604_800;
/** The longest life of a Map's cell is this many round trips at least: else luck decides. */
const LIFE_ROUND_TRIPS = 20;

export function broadcastLifePlan(dice: Dice): BroadcastLifePlan {
  const kind = dice.one<BroadcastLifeKind>("strict", "sound", "sound", "stale", "given-up");
  const isStrict = kind === "strict";
  const payloadSize = dice.one(120, 200, 700, 2_000);
  const steps = 60;
  const ttlSecondsMax = isStrict ? WEEK_SECONDS : dice.one(120, 3_600, WEEK_SECONDS);
  const rttMs = isStrict ? dice.one(0, 50, 500) : dice.one(0, 50, 500, 3_000, 10_000);
  const weather = {
    loss: isStrict ? dice.one(0, 0.1) : dice.one(0, 0.1, 0.3),
    rttMs: Math.min(rttMs, (1_000 * ttlSecondsMax) / LIFE_ROUND_TRIPS),
    jitterMs: dice.one(0, 0, 100),
    duplicate: dice.one(0, 0, 0.05),
    reorder: dice.one(0, 0, 0.1),
  };
  const writer: WriterPlan = {
    keeps: dice.one("store", "saves"),
    bytes: dice.chance(0.2) ? dice.below(3) : dice.below(payloadSize * dice.one(3, 30, 150)),
    commitMsMax: dice.one(0, 40),
    options: writerOptions(dice, isStrict),
  };
  const readers = Array.from({ length: 1 + dice.below(3) }, () =>
    readerPlan(dice, { isStrict, steps }),
  );
  const refusing = isStrict ? 0 : dice.one(0, 0.1, 0.6);
  return { kind, payloadSize, steps, refusing, ttlSecondsMax, weather, writer, readers };
}

function writerOptions(dice: Dice, isStrict: boolean): BroadcastOpenOptions {
  const some = <T extends BroadcastOpenOptions>(options: T): T | object =>
    dice.chance(0.3) ? options : {};
  return {
    ...(isStrict ? {} : { ttlSeconds: dice.one(300, 3_600, WEEK_SECONDS) }),
    ...(isStrict ? {} : some({ retainSeconds: dice.one(60, 3_600, Number.POSITIVE_INFINITY) })),
    ...(isStrict ? {} : some({ retainFrames: 1 + dice.below(20) })),
    ...some({ refreshSeconds: dice.one(0, 600, 3_600) }),
    ...some({ unstoredFramesMax: 1 + dice.below(20) }),
    ...some({ window: 1 + dice.below(8) }),
    ...some({ noDelay: true }),
    ...some({ writeBufferBytes: 1 + dice.below(3_000) }),
    ...some({ writableHighWaterMark: 1 + dice.below(500) }),
    ...some({ paceMeanMs: dice.one(0, 20, 200) }),
    ...some({ rtoInitialMs: dice.one(100, 60_000) }),
    ...some({ repairEveryMs: dice.one(100, 60_000) }),
    ...some({ repairFramesMax: 1 + dice.below(10) }),
  };
}

function readerPlan(
  dice: Dice,
  { isStrict, steps }: { readonly isStrict: boolean; readonly steps: number },
): ReaderPlan {
  const some = <T extends SubscriptionOpenOptions>(options: T): T | object =>
    dice.chance(0.3) ? options : {};
  return {
    keeps: dice.one("store", "saves"),
    joinsAt: dice.chance(0.5) ? 0 : dice.below(steps),
    from: dice.one("next", "oldest"),
    isExact: dice.chance(0.3),
    asksForRepairs: dice.chance(0.5),
    commitMsMax: dice.one(0, 40),
    options: {
      onLag: dice.one("skip", "error"),
      ...(isStrict ? {} : some({ gapLimitMs: dice.one(1_000, 60_000, 3_600_000) })),
      ...(isStrict ? {} : some({ ttlSeconds: dice.one(300, 3_600) })),
      ...some({ receiveFramesMax: 2 + dice.below(30) }),
      ...some({ window: 1 + dice.below(8) }),
      ...some({ quietAskMsMax: dice.one(2_000, 600_000) }),
      ...some({ readableHighWaterMark: 1 + dice.below(500) }),
      ...some({ paceMeanMs: dice.one(0, 20, 200) }),
      ...some({ rtoInitialMs: dice.one(100, 60_000) }),
      ...some({ getWaitMs: dice.one(1_000, 5_000) }),
    },
  };
}

/**
 * Whether the writer keeps all that it ever wrote, and puts it again often enough, so that every
 * reader comes to the end; else one that was held up may wait for what nobody has any more.
 */
export function keepsAll({ writer, kind }: BroadcastLifePlan): boolean {
  const { retainSeconds = WEEK_SECONDS, retainFrames, refreshSeconds } = writer.options;
  const isPutAgain = kind === "strict" || refreshSeconds !== 0;
  return retainSeconds >= WEEK_SECONDS && retainFrames === undefined && isPutAgain;
}
