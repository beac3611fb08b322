export type { LegEffect, LegId } from "./circuit.ts";
export type { RelayRefusal } from "./frames.ts";
export { RELAY_REFUSALS } from "./frames.ts";
export type {
  HolderCoreOptions,
  HolderEffect,
  HolderInput,
  ReservationLoss,
} from "./holder-core.ts";
export { HolderCore } from "./holder-core.ts";
export type { RelayLimits } from "./limits.ts";
export { RELAY_LIMITS } from "./limits.ts";
export type { RelayEffect, RelayInput, RelayStatistics } from "./protocol.ts";
export type { RelayCoreOptions } from "./relay-core.ts";
export { RelayCore } from "./relay-core.ts";
export type { VoucherClaims } from "./voucher.ts";
export { Voucher } from "./voucher.ts";
