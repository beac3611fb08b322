import { resolveLimits } from "../../base/index.ts";
import { DESCRIPTOR_LIMITS } from "../../identity/index.ts";
import type { ValueKind } from "../wire/message.ts";
import { VALUE_BYTES_MAX } from "../wire/wire.ts";

/** What a node keeps for others, of each kind of value. */
export interface ValueLimits {
  readonly recordsMax: number;
  readonly recordsBytesMax: number;
  readonly recordTtlSecondsMax: number;
  readonly descriptorsMax: number;
  readonly descriptorsBytesMax: number;
  readonly descriptorTtlSecondsMax: number;
  readonly plainMax: number;
  readonly plainBytesMax: number;
  readonly plainTtlSecondsMax: number;
  /** What a plain value gets that asks for no life at all. */
  readonly plainTtlSecondsDefault: number;
}

/** Tuned for a node that gives some 100 MB of memory to its neighbours at the worst. */
export const VALUE_LIMITS: ValueLimits = Object.freeze({
  recordsMax: 16_384,
  recordsBytesMax: 64 * 2 ** 20,
  recordTtlSecondsMax: 604_800,
  descriptorsMax: 16_384,
  descriptorsBytesMax: 8 * 2 ** 20,
  descriptorTtlSecondsMax: 86_400,
  plainMax: 16_384,
  plainBytesMax: 32 * 2 ** 20,
  plainTtlSecondsMax: 86_400,
  plainTtlSecondsDefault: 3_600,
});

/**
 * The limits, with defaults for what is left out.
 *
 * @throws RangeError
 */
export function resolveValueLimits(given: Partial<ValueLimits> = VALUE_LIMITS): ValueLimits {
  if (given === VALUE_LIMITS) return VALUE_LIMITS; // of many nodes in a process, one object
  return resolveLimits(VALUE_LIMITS, given);
}

/** The limits of one kind. */
export interface ShelfLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly valueBytesMax: number;
}

/** What the shelf of one kind may hold. */
export function shelfLimits(kind: ValueKind, limits: ValueLimits): ShelfLimits {
  switch (kind) {
    case "record":
      return shelf(limits.recordsMax, limits.recordsBytesMax, VALUE_BYTES_MAX);
    case "descriptor":
      return shelf(limits.descriptorsMax, limits.descriptorsBytesMax, DESCRIPTOR_LIMITS.bytes);
    default:
      return shelf(limits.plainMax, limits.plainBytesMax, VALUE_BYTES_MAX);
  }
}

/** The life that is granted to a value which asks for `ttlSeconds`. */
export function grantedSeconds(kind: ValueKind, ttlSeconds: number, limits: ValueLimits): number {
  const asked = ttlSeconds === 0 ? limits.plainTtlSecondsDefault : ttlSeconds;
  if (kind === "record") return Math.min(asked, limits.recordTtlSecondsMax);
  if (kind === "descriptor") return Math.min(asked, limits.descriptorTtlSecondsMax);
  return Math.min(asked, limits.plainTtlSecondsMax);
}

function shelf(entriesMax: number, bytesMax: number, valueBytesMax: number): ShelfLimits {
  return { entriesMax, bytesMax, valueBytesMax };
}
