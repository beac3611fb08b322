/**
 * Culvert: a byte stream that survives. The public face of the library; `culvert/transport`,
 * `culvert/mapservice` and `culvert/testing` have the rest.
 */
export type {
  ErrorCode,
  ErrorOptions,
  Journal,
  JournalChanges,
  JournalStore,
} from "./base/index.ts";
export { CulvertError, ERROR_CODES, isCulvertError } from "./base/index.ts";
export { ReadCapability, type StreamRole, WriteCapability } from "./crypto/index.ts";
export type { FrameState } from "./retx/index.ts";
export { ReTx, RtoEstimator, TimerQueue } from "./retx/index.ts";
export * from "./stream/index.ts";
