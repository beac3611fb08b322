import type { NodeId } from "../../identity/index.ts";
import type { MapOutcome, OnionRecord } from "./map-operation.ts";

/** By what an exit is caught. Arguments are borrowed. */
export interface ExitChecks {
  /**
   * What a receipt says of a put: that it was done, that it may have been, or that the exit lies,
   * since no honest one hands out such a receipt. After `no-proof` the put is made again, as a rule
   * through another exit.
   */
  receiptOf(record: OnionRecord, stored: StoredOutcome, exit: NodeId): "proof" | "no-proof" | "lie";
  /** Whether a record is what its address calls for; an honest exit has looked itself. */
  isGenuine(record: OnionRecord): boolean;
}

/** How an exit confirms a put: with a life, and with what is to prove it. */
export type StoredOutcome = Pick<
  Extract<MapOutcome, { readonly kind: "stored" }>,
  "ttlSeconds" | "receipt"
>;
