import { resolveLimits } from "../../base/index.ts";

/** Bounds of circuits, the same at both ends. Times in milliseconds. */
export interface CircuitLimits {
  /** Cells of one direction whose receipt has not been proven. */
  readonly windowCells: number;
  /** Cells that one proof covers. */
  readonly creditCells: number;
  /** Requests of one circuit that are not answered. */
  readonly requestsMax: number;
  /** Cells that wait for credit, responses aside; then what is to be sent is refused. */
  readonly queuedCellsMax: number;
  /** A message of several data cells. */
  readonly messageBytesMax: number;
  /** Cells handed to a link and not on their way; beyond, a relay gives the circuit up. */
  readonly unsentCellsMax: number;
  /** For every hop's part in a build. */
  readonly buildMs: number;
  /** How long a circuit lives, and by how much that is shorter or longer. */
  readonly lifeMs: number;
  readonly lifeSpreadMs: number;
  /** How long relays keep a circuit; longer than any origin does. */
  readonly relayLifeMs: number;
  /** Cells of a circuit in both directions; then it is replaced. */
  readonly cellsMax: number;
  /** The shortest pause between two cells of cover that a last hop grants. */
  readonly coverMsMin: number;
}

/** Tuned for a path of half a second and some 500 kB/s; at the worst 2 windows of memory. */
export const CIRCUIT_LIMITS: CircuitLimits = Object.freeze({
  windowCells: 256,
  creditCells: 32,
  requestsMax: 64,
  queuedCellsMax: 1_024,
  messageBytesMax: 65_536,
  unsentCellsMax: 512,
  buildMs: 10_000,
  lifeMs: 600_000,
  lifeSpreadMs: 120_000,
  relayLifeMs: 900_000,
  cellsMax: 1_048_576,
  coverMsMin: 10,
});

/** The limits with defaults for what is left out. */
export function resolveCircuitLimits(given?: Partial<CircuitLimits>): CircuitLimits {
  const limits = resolveLimits(CIRCUIT_LIMITS, given, "lifeSpreadMs");
  if (limits.windowCells < 2 * limits.creditCells) {
    throw new RangeError("windowCells must be at least twice creditCells");
  }
  return limits;
}
