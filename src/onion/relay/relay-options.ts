import { requireOneOf, resolveLimits } from "../../base/index.ts";
import {
  CIRCUIT_LIMITS,
  type CircuitLimits,
  resolveCircuitLimits,
} from "../circuit/circuit-limits.ts";
import { ONION_RELAY_LIMITS, type RelayLimits } from "./relay-protocol.ts";

/** What a relay is ready to do. */
export interface RelayOptions {
  /** Whether circuits may go through this node, and end here. */
  readonly isRelay: boolean;
  readonly isExit: boolean;
  readonly limits: Partial<RelayLimits>;
  readonly circuit: CircuitLimits;
}

/** The same, with every limit. */
export interface ResolvedRelayOptions extends RelayOptions {
  readonly limits: RelayLimits;
}

/** A relay and exit with all defaults. */
export const RELAY_DEFAULTS: ResolvedRelayOptions = Object.freeze({
  isRelay: true,
  isExit: true,
  limits: ONION_RELAY_LIMITS,
  circuit: CIRCUIT_LIMITS,
});

/** The options with defaults for what is left out. */
export function resolveRelayOptions(given: Partial<RelayOptions>): ResolvedRelayOptions {
  const limits = resolveLimits(ONION_RELAY_LIMITS, given.limits);
  const options = { ...RELAY_DEFAULTS, ...given };
  for (const name of ["isRelay", "isExit"] as const) {
    requireOneOf(name, options[name], [true, false]);
  }
  return { ...options, limits, circuit: resolveCircuitLimits(given.circuit) };
}
