/** Limits of a Map by which no asker of a benchmark is held back, and no share is reached. */
export const UNLIMITED = {
  requestsPerSecond: 1e9,
  requestsBurst: 1e9,
  bytesPerSecond: 1e12,
  bytesBurst: 1e12,
  sourceShare: 1,
} as const;
