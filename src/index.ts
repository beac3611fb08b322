/**
 * Culvert: a byte stream that survives. What a program needs of every stream is here; the ways to a
 * Map are in `culvert/node`, `culvert/mapservice` and `culvert/transport`, journals on disk in
 * `culvert/journal`, what tests need in `culvert/testing`. docs/LIBRARY.md shows all of it at work.
 */
export type {
  Cancel,
  Clock,
  ErrorCode,
  ErrorOptions,
  Instant,
  Journal,
  JournalChanges,
  JournalStore,
  Log,
  Random,
  Scheduled,
} from "./base/index.ts";
export { CulvertError, ERROR_CODES, isCulvertError } from "./base/index.ts";
export type { CborInput, CborOf, CborValue } from "./codec/index.ts";
export { ReadCapability, type StreamRole, WriteCapability } from "./crypto/index.ts";
export { systemClock } from "./io/clock.ts";
export { systemRandom } from "./io/random.ts";
export type { FrameState, RtoOptions, Selection, TimerHandle } from "./retx/index.ts";
export { ReTx, RtoEstimator, TimerQueue } from "./retx/index.ts";
export * from "./stream/index.ts";
