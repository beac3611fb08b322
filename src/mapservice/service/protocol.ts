import type { Receipt } from "../record/receipt.ts";
import type { MapRecord, RecordFault } from "../record/record.ts";
import type { PutOutcome, RecordPut, StoredRecord, SweepOutcome } from "../store/record-store.ts";

/** Names one asker of a service; never reused while the service lives. */
export type AskerId = number;

/** Names one request of one asker; chosen by who asks, not reused while it is in flight. */
export type RequestId = number;

/** What a service answers. */
export type MapAnswer =
  /** The record is durable for so long; the receipt is absent for an asker that needs none. */
  | { readonly kind: "stored"; readonly ttlSeconds: number; readonly receipt?: Receipt }
  | {
      readonly kind: "found";
      readonly record: MapRecord;
      readonly ttlSeconds: number;
      /**
       * True when the record's memory is not for the asker alone, or used again once the answer was
       * taken note of. Otherwise it is handed over.
       */
      readonly isBorrowed?: boolean;
    }
  | { readonly kind: "not-found" }
  | { readonly kind: "conflict" }
  | { readonly kind: "refused"; readonly fault: RecordFault }
  | { readonly kind: "full" }
  /** A limit was reached, or the store failed; nothing is known to have happened. */
  | { readonly kind: "busy" }
  | { readonly kind: "work-required"; readonly bits: number };

/** Who asks a service. */
export interface Asker {
  /** The unit of fairness: a host, a network, an authenticated node. */
  readonly source: string;
  /** Whether what is stored is answered with a receipt. */
  readonly needsReceipts: boolean;
}

/** A put that waits for its turn. */
export interface QueuedPut {
  readonly kind: "put";
  readonly asker: AskerId;
  readonly request: RequestId;
  /** The encoded record; parsed when it is its turn. */
  readonly record: Uint8Array;
  /** Proof of work, all zero when none was asked for. */
  readonly stamp: Uint8Array;
}

/** A get that waits for its turn. */
export interface QueuedGet {
  readonly kind: "get";
  readonly asker: AskerId;
  readonly request: RequestId;
  readonly address: Uint8Array;
  /** How long it may wait for a put when the address is empty. */
  readonly waitMs: number;
}

/** A request that waits for its turn. */
export type QueuedRequest = QueuedPut | QueuedGet;

/**
 * What serving a request took: point arithmetic, here or on another thread, a read of the store, or
 * next to nothing.
 */
export type Effort = "verify" | "aside" | "read" | "little";

/** Names a put whose record is verified elsewhere; never reused. */
export type VerifyId = number;

/**
 * What a Map core is told. Records and addresses are handed over: the giver must not change them.
 */
export type MapInput =
  | ({ readonly kind: "open"; readonly asker: AskerId } & Asker)
  /** The asker is gone: nobody is left to answer. */
  | { readonly kind: "close"; readonly asker: AskerId }
  | QueuedPut
  | QueuedGet
  /** The answer to a get is of no more use. A put cannot be taken back. */
  | { readonly kind: "cancel"; readonly asker: AskerId; readonly request: RequestId }
  /** Work off some of what is queued. */
  | { readonly kind: "turn"; readonly unixMs: number; readonly fill: number }
  /** What became of a `verify`. */
  | { readonly kind: "verified"; readonly id: VerifyId; readonly isGenuine: boolean }
  /** The commit is durable, or failed and nothing is known about its puts. */
  | {
      readonly kind: "committed";
      readonly outcomes: readonly PutOutcome[] | undefined;
      readonly unixMs: number;
    }
  /** What the store has at the address of a lookup, or that it failed. */
  | {
      readonly kind: "looked-up";
      readonly address: Uint8Array;
      readonly stored: StoredRecord | undefined;
      readonly isFailed: boolean;
      readonly unixMs: number;
    }
  /** What had expired at `unixMs` is removed, all of it or some. */
  | (SweepOutcome & { readonly kind: "swept"; readonly unixMs: number })
  /** Take no new requests; finish what was taken. */
  | { readonly kind: "drain" };

/** What a Map core asks its shell to do, in this order. */
export type MapEffect =
  | {
      readonly kind: "answer";
      readonly asker: AskerId;
      readonly request: RequestId;
      readonly answer: MapAnswer;
    }
  /** Come back with `turn` once other events had their chance. */
  | { readonly kind: "turn" }
  /** Verify this record while others are served, then tell `verified`. */
  | { readonly kind: "verify"; readonly id: VerifyId; readonly record: MapRecord }
  /** Make these durable in one step, then tell `committed`. There is one commit at a time. */
  | { readonly kind: "commit"; readonly puts: readonly RecordPut[] }
  /** The commit takes too long: its puts are answered, and no more are taken until it ends. */
  | { readonly kind: "hung" }
  /** Read this address, then tell `looked-up`. */
  | { readonly kind: "lookup"; readonly address: Uint8Array }
  /** Remove some expired records, then tell `swept`. */
  | { readonly kind: "sweep"; readonly limit: number }
  /** The asker's queue was full and has room again. */
  | { readonly kind: "ready"; readonly asker: AskerId };
