import { isCulvertError, onAbort } from "../../base/index.ts";
import type { CircuitHandlers } from "../relay/relay-shell.ts";
import { CircuitShares } from "./circuit-shares.ts";
import {
  encodeOutcome,
  type MapOutcome,
  type OnionRecord,
  readOperation,
} from "./map-operation.ts";

/** The Map as an exit reaches it. Arguments are handed over; rejections carry `CULVERT_` codes. */
export interface ExitMap {
  /** Puts a record, which is not verified yet. */
  put(
    record: OnionRecord,
    signal: AbortSignal,
  ): Promise<{ readonly ttlSeconds: number; readonly receipt: Uint8Array }>;
  /** Waits at most `waitMs` for a record. */
  get(address: Uint8Array, waitMs: number, signal: AbortSignal): Promise<OnionRecord>;
}

/** The longest that a get waits at an exit: no longer than any node's Map lets it. */
const EXIT_WAIT_MS_MAX = 300_000;

/**
 * Operations that an exit has open for others at once: three of four that its own Map can have, so
 * that it is never in the way of itself.
 */
const EXIT_OPERATIONS_MAX = 3_072;

/**
 * The handler of requests of an exit that serves the Map: what comes through a circuit is asked of
 * `map`. Nothing that a stranger sends makes it reject; a request that makes no sense is answered
 * `CULVERT_REFUSED`, one that its circuit has no share for `CULVERT_BUSY`.
 */
export function serveMap(
  map: ExitMap,
  operationsMax: number = EXIT_OPERATIONS_MAX,
): CircuitHandlers["request"] {
  const shares = new CircuitShares(operationsMax);
  return async (content, signal, { id }) => {
    const place = shares.take(id);
    if (place === undefined) return encodeOutcome({ kind: "failed", code: "CULVERT_BUSY" });
    const forget = onAbort(signal, () => place.abort());
    try {
      return encodeOutcome(await operate(map, content, place.signal));
    } finally {
      forget();
      shares.leave(id, place);
    }
  };
}

async function operate(
  map: ExitMap,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<MapOutcome> {
  try {
    const operation = readOperation(content);
    if (operation.kind === "put") {
      return { kind: "stored", ...(await map.put(operation.record, signal)) };
    }
    const waitMs = Math.min(operation.waitMs, EXIT_WAIT_MS_MAX);
    return { kind: "found", record: await map.get(operation.address, waitMs, signal) };
  } catch (error) {
    if (isCulvertError(error, "CULVERT_PROTOCOL"))
      return { kind: "failed", code: "CULVERT_REFUSED" };
    return { kind: "failed", code: isCulvertError(error) ? error.code : "CULVERT_BUSY" };
  }
}
