export type { PunchLimits, RendezvousLimits } from "./limits.ts";
export { PUNCH_LIMITS, RENDEZVOUS_LIMITS } from "./limits.ts";
export type { PunchedPath } from "./probe-exchange.ts";
export type { PunchEffect, PunchFailure, PunchInput, PunchStatistics } from "./protocol.ts";
export type { PunchCoreOptions } from "./punch-core.ts";
export { PunchCore } from "./punch-core.ts";
