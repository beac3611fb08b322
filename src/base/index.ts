export {
  abortError,
  Canceller,
  isAbortError,
  onAbort,
  requireSignal,
  throwIfAborted,
  untilAborted,
  withSignals,
} from "./abort.ts";
export { assert, unreachable } from "./assert.ts";
export {
  concatBytes,
  equalBytes,
  fromHex,
  isBytes,
  joinBytes,
  plainBytes,
  toHex,
  utf8,
  wipe,
} from "./bytes.ts";
export type { Core } from "./core.ts";
export { Counts } from "./counts.ts";
export { draw } from "./draw.ts";
export { Driver } from "./driver.ts";
export type { ErrorCode, ErrorOptions } from "./errors.ts";
export { CulvertError, ERROR_CODES, isCulvertError, isErrorCode } from "./errors.ts";
export {
  isBetween,
  requireAmount,
  requireArray,
  requireBytes,
  requireCallback,
  requireChance,
  requireFunction,
  requireMachine,
  requireMethods,
  requireObject,
  requireText,
  requireTime,
  requireWhole,
  shown,
} from "./given.ts";
export { Heap } from "./heap.ts";
export type { Journal, JournalChanges, JournalStore } from "./journal.ts";
export { KeyedHash } from "./keyed-hash.ts";
export { requirePositive, resolveLimits } from "./limits.ts";
export { LruMap } from "./lru-map.ts";
export { NumberMap } from "./number-map.ts";
export { requireOneOf } from "./one-of.ts";
export { pause } from "./pause.ts";
export type { Cancel, Clock, Instant, Log, Random, Scheduled } from "./ports.ts";
export { SILENT } from "./ports.ts";
export { SeededRandom } from "./prng.ts";
export { repeat } from "./repeat.ts";
export { SharedCalls } from "./shared-calls.ts";
export { shortMemory } from "./short-memory.ts";
