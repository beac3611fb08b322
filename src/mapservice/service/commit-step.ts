import { RECORD_HEADER_BYTES } from "../record/record.ts";
import type { RecordPut } from "../store/record-store.ts";
import type { AskerId, RequestId } from "./protocol.ts";
import type { Charge } from "./source-shares.ts";

/** Puts in one durable step: some milliseconds to write, and to sign for. */
const COMMIT_PUTS_MAX = 256;
/** Bytes from which on no further put joins a step: they are copied at once. */
const COMMIT_BYTES_MAX = 1_048_576;

/** A put that passed every check and is on its way to the store. */
export interface CheckedPut extends RecordPut {
  /**
   * SHA-256, for the receipt; taken in the put's own turn, not at once for a whole commit. Absent
   * where no receipt is needed.
   */
  readonly payloadHash: Uint8Array | undefined;
  readonly asker: AskerId;
  readonly request: RequestId;
  /** What this put took from its source's share; nothing where that counts for nothing. */
  readonly charge: Charge | undefined;
}

/** How many of the puts that were gathered go into the next durable step. */
export function putsInStep(gathered: readonly CheckedPut[]): number {
  let bytes = 0;
  const isOver = (put: CheckedPut): boolean => {
    bytes += bytesOf(put);
    return bytes >= COMMIT_BYTES_MAX;
  };
  const last = gathered.findIndex(isOver);
  return last === -1 ? COMMIT_PUTS_MAX : Math.min(last + 1, COMMIT_PUTS_MAX);
}

/** What a put takes on its way to the store. */
export function bytesOf(put: Pick<RecordPut, "record">): number {
  return RECORD_HEADER_BYTES + put.record.payload.length;
}
