import type { Transport } from "../../transport/index.ts";
import type { Receipt } from "../record/receipt.ts";
import type { MapRecord } from "../record/record.ts";

/** How a put of a record was answered. */
export interface StoredReply {
  /** Seconds for which the Map has promised to try to keep the record. */
  readonly ttlSeconds: number;
  /**
   * The node's signed word; by which node, the carrier does not prove. Absent where several nodes
   * keep the record and the carrier has looked at their receipts, and where nobody signs any.
   */
  readonly receipt?: Receipt;
}

/** How a carrier is asked to put a record. */
export interface CarrierPutOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How a carrier is asked for a record. */
export interface CarrierGetOptions {
  /** Milliseconds for which an empty address is waited at; 0 if absent. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a {@link MapClient} needs of whatever carries its records: a service in this process, a node
 * over a socket or a link, a DHT. It carries bytes and believes nobody: the client verifies.
 *
 * - `put` may be repeated with the same record for ever. It rejects with `CULVERT_CONFLICT`,
 *   `CULVERT_REFUSED`, `CULVERT_FULL`, `CULVERT_BUSY` or `CULVERT_WORK_REQUIRED` when the Map says
 *   so, `CULVERT_UNREACHABLE` or `CULVERT_TIMEOUT` when nobody said anything.
 * - `get` waits for an empty address up to `waitMs`, then rejects with `CULVERT_NOT_FOUND`.
 * - Arguments are borrowed until the promise settles; a record that `get` returns is not to be
 *   written to, unless the carrier `handsOver`. Its `ttlSeconds` are what is left, 0 where nobody
 *   tells.
 * - Aborting a signal rejects with the name `AbortError`.
 */
export interface RecordCarrier {
  /** Exact length of the payload of every cell; constant for the life of the carrier. */
  readonly payloadSize: number;
  /**
   * True when every record was verified in this very process and has not left its memory since, the
   * other bytes of every conflict too: then verifying it again proves nothing.
   */
  readonly isVerified?: boolean;
  /** True when nobody else looks again at the memory of a record that `get` returns. */
  readonly handsOver?: boolean;
  /** What the client says of itself, as a transport. */
  readonly putsAtOnce?: Transport["putsAtOnce"];
  put(record: MapRecord, options?: CarrierPutOptions): Promise<StoredReply>;
  get(address: Uint8Array, options?: CarrierGetOptions): Promise<MapRecord>;
}
