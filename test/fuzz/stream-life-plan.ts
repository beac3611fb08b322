import type { ErrorCode, SeededRandom } from "../../src/base/index.ts";
import type { StreamOpenOptions } from "../../src/stream/index.ts";
import type { LossyTransportOptions } from "../../src/transport/index.ts";

/**
 * - `sound`: crashes, halts, other Maps, refusals, clocks that jump: all must come to its end
 * - `stale`: old backups, damaged disks, two streams of one state besides
 * - `given-up`: one side destroys or resets the stream besides
 */
export type LifeKind = "sound" | "stale" | "given-up";

/** One end of a stream and the application there. */
export interface EndPlan {
  readonly role: "listener" | "dialer";
  /** In a store, which survives a crash; or in what `save` gave, between two sessions. */
  readonly keeps: "store" | "saves";
  /** What it reads is text, or it confirms by itself what it has read; or neither. */
  readonly reads: "bytes" | "text" | "confirmed";
  /** How much it writes; of text some bytes more. */
  readonly bytes: number;
  readonly commitMsMax: number;
  readonly options: StreamOpenOptions;
}

/** How a way to the Map refuses requests, from when it is taken on. */
export interface RefusalPlan {
  readonly forMs: number;
  readonly puts: boolean;
  readonly gets: boolean;
  readonly code: ErrorCode;
  readonly lateMs: number;
  /** Of each request, or `undefined` where it refuses what goes beyond `room`. */
  readonly chance: number | undefined;
  readonly room: number;
}

/** A life whose every parameter follows from its seed. */
export interface LifePlan {
  readonly kind: LifeKind;
  readonly payloadSize: number;
  readonly steps: number;
  /** How many of the ways to a Map refuse something. */
  readonly refusing: number;
  readonly loss: number;
  readonly ends: readonly [EndPlan, EndPlan];
}

/** How long a peer of a stale or given-up stream may be silent: then it must be told. */
const PEER_TIMEOUT_MS = 3 * 3_600_000;

/** Choices of one generator. */
export class Dice {
  readonly random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  one<T>(...values: readonly T[]): T {
    return values[this.random.below(values.length)] as T;
  }

  below(limit: number): number {
    return this.random.below(limit);
  }

  chance(probability: number): boolean {
    return this.random.unit() < probability;
  }
}

export function lifePlan(dice: Dice): LifePlan {
  const payloadSize = dice.one(120, 200, 700, 2_000);
  const kind = dice.one<LifeKind>("sound", "sound", "stale", "given-up");
  const refusing = dice.one(0.1, 0.6);
  const loss = dice.one(0, 0, 0.1, 0.3);
  const end = (role: EndPlan["role"]): EndPlan => endPlan(dice, { role, kind, payloadSize });
  const ends = [end("listener"), end("dialer")] as const;
  return { kind, payloadSize, steps: 60, refusing, loss, ends };
}

function endPlan(
  dice: Dice,
  { role, kind, payloadSize }: Pick<EndPlan, "role"> & Pick<LifePlan, "kind" | "payloadSize">,
): EndPlan {
  return {
    role,
    keeps: dice.one("store", "saves"),
    reads: dice.one("bytes", "bytes", "text", "confirmed"),
    bytes: dice.chance(0.2) ? dice.below(3) : dice.below(payloadSize * dice.one(3, 30, 150)),
    commitMsMax: dice.one(0, 40),
    options: {
      ttlSeconds: dice.one(60, 300, 3_600, 604_800),
      ...(kind === "sound" ? {} : { peerTimeoutMs: PEER_TIMEOUT_MS }),
      ...streamOptions(dice),
    },
  };
}

/** Some of the options, others by default. */
function streamOptions(dice: Dice): StreamOpenOptions {
  const some = <T extends StreamOpenOptions>(options: T): T | object =>
    dice.chance(0.3) ? options : {};
  return {
    ...some({ unacknowledgedFramesMax: 4 + dice.below(20) }),
    ...some({ receiveFramesMax: 2 + dice.below(30) }),
    ...some({ creditFrames: 4 + dice.below(10) }),
    ...some({ window: 1 + dice.below(8) }),
    ...some({ noDelay: true }),
    ...some({ quietAskMsMax: dice.one(2_000, 600_000) }),
    ...some({ writeBufferBytes: 1 + dice.below(3_000) }),
    ...some({ writableHighWaterMark: 1 + dice.below(500) }),
    ...some({ readableHighWaterMark: 1 + dice.below(500) }),
    ...some({ paceMeanMs: dice.one(0, 20, 200) }),
    ...some({ rtoInitialMs: dice.one(100, 60_000) }),
    ...some({ getWaitMs: dice.one(1_000, 5_000) }),
  };
}

/**
 * What a Map keeps for less than this many round trips is gone before a window of one or few has
 * come round: such a stream moves by luck, and not within the time of a test.
 */
const LIFE_ROUND_TRIPS = 20;

export function mapPlan(
  dice: Dice,
  { loss, ends }: LifePlan,
): { ttlSecondsMax: number; weather: Partial<LossyTransportOptions> } {
  const ttlSecondsMax = dice.one(120, 3_600, 604_800, 604_800);
  const lives = ends.map(({ options }) => options.ttlSeconds ?? ttlSecondsMax);
  const rttMsMax = (1_000 * Math.min(ttlSecondsMax, ...lives)) / LIFE_ROUND_TRIPS;
  return {
    ttlSecondsMax,
    weather: {
      loss,
      rttMs: Math.min(rttMsMax, dice.one(0, 50, 500, 3_000, 10_000, 20_000)),
      jitterMs: dice.one(0, 0, 100),
      duplicate: dice.one(0, 0, 0.05),
      reorder: dice.one(0, 0, 0.1),
    },
  };
}

/** What a way refuses; most refuse nothing. */
export function refusalPlan(
  dice: Dice,
  { refusing }: Pick<LifePlan, "refusing">,
): RefusalPlan | undefined {
  if (!dice.chance(refusing)) return undefined;
  return {
    forMs: dice.one(5_000, 60_000, 600_000),
    puts: dice.chance(0.8),
    gets: dice.chance(0.4),
    code: dice.one("CULVERT_BUSY", "CULVERT_BUSY", "CULVERT_FULL", "CULVERT_UNREACHABLE"),
    lateMs: dice.one(0, 0, 50, 3_000),
    chance: dice.chance(0.6) ? dice.one(0.1, 0.5, 0.9, 1) : undefined,
    room: dice.below(6),
  };
}
