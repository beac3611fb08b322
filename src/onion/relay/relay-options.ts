import { CIRCUIT_LIMITS, type CircuitLimits } from "../circuit/circuit-limits.ts";
import { ONION_RELAY_LIMITS, type RelayLimits } from "./relay-protocol.ts";

/** What a relay is ready to do. */
export interface RelayOptions {
  /** Whether circuits may go through this node, and end here. */
  readonly isRelay: boolean;
  readonly isExit: boolean;
  readonly limits: Partial<RelayLimits>;
  readonly circuit: CircuitLimits;
}

/** A relay and exit with all defaults. */
export const RELAY_DEFAULTS: RelayOptions = Object.freeze({
  isRelay: true,
  isExit: true,
  limits: ONION_RELAY_LIMITS,
  circuit: CIRCUIT_LIMITS,
});
