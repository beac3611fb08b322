import { CulvertError, isCulvertError } from "../../base/index.ts";
import { FAILURE_REASONS, type FailureReason } from "./backward.ts";

/** How a circuit or a packet failed, as far as its origin can tell. */
export interface Failure {
  readonly reason: FailureReason;
  /** The hop that said so: 0 is the first, -1 this node; nobody if it is absent. */
  readonly hop?: number;
  /** The hop has broken the protocol under its own layer: it was nobody else. */
  readonly isProven?: true;
}

/** The failure as an error; which hop it was stays with who asked. */
export function failureError(failure: Failure): CulvertError {
  const code = failure.reason === "timeout" ? "CULVERT_TIMEOUT" : "CULVERT_UNREACHABLE";
  const { reason, hop, isProven } = failure;
  const detail = { reason, ...(hop !== undefined && { hop }), ...(isProven && { isProven }) };
  return new CulvertError(code, `the onion route failed: ${reason}`, { detail });
}

/** The failure that {@link failureError} has made an error of; `undefined` for other errors. */
export function failureOf(error: unknown): Failure | undefined {
  if (!isCulvertError(error)) return undefined;
  const { reason: name, hop, isProven } = error.detail ?? {};
  const reason = FAILURE_REASONS.find((known) => known === name);
  if (reason === undefined) return undefined;
  return {
    reason,
    ...(typeof hop === "number" && { hop }),
    ...(isProven === true && { isProven }),
  };
}
