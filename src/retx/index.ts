export type { Pacer } from "./pacer.ts";
export { OPEN_PACER, PoissonPacer } from "./pacer.ts";
export type { FrameState } from "./retx.ts";
export { ReTx } from "./retx.ts";
export type { RtoOptions } from "./rto.ts";
export { RTO_DEFAULTS, RtoEstimator } from "./rto.ts";
export type { TimerHandle } from "./timer-queue.ts";
export { TimerQueue } from "./timer-queue.ts";
export { RateWindow } from "./window.ts";
