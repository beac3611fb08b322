import type { MapAnswer, RequestId } from "./protocol.ts";

/** What a node tells everybody whom it lets ask. */
export interface MapGreeting {
  /** The network's geometry: exact length of the payload of every cell. */
  readonly payloadSize: number;
  /** 32 bytes: the key that signs the node's receipts. */
  readonly nodeKey: Uint8Array;
  /** Zero bits that the stamp of a new record must show now. */
  readonly workBits: number;
  /** The longest life that is granted now. */
  readonly ttlSecondsMax: number;
  /** The longest that a get may wait. */
  readonly waitMsMax: number;
}

/** What a requester has to tell its owner. Called from event handlers: must not throw. */
export interface RequesterEvents {
  /**
   * True where nobody would look at a receipt: in the process of the service, which has nothing to
   * prove to itself. Puts are then answered without one, which saves the signature.
   */
  readonly needsNoReceipts?: boolean;
  /**
   * The one answer to a request. The record of `found` is handed over, unless it `isBorrowed`: then
   * it is neither to be written to nor to be kept.
   */
  answer(request: RequestId, answer: MapAnswer): void;
  /** The requester was congested and takes requests again. */
  ready(): void;
  /** The service is closing: no further answers come. */
  closed(): void;
}

/**
 * What one asker has to ask a service with. Bytes are handed over: the caller must not change them
 * afterwards. An address has 32 bytes; an encoded record may be anything, and is refused if it is
 * none.
 */
export interface Requester {
  put(request: RequestId, record: Uint8Array, stamp: Uint8Array): void;
  get(request: RequestId, address: Uint8Array, waitMs: number): void;
  /** Takes a get back: it is not answered. A put cannot be taken back. */
  cancel(request: RequestId): void;
  /** True while more requests would be answered `busy`; `ready` tells when that is over. */
  readonly isCongested: boolean;
  close(): void;
}

/** Where askers are let in: a service, or something that stands in front of one. */
export interface RecordService {
  greeting(): MapGreeting;
  /**
   * Lets another one ask, who counts for a source, the unit of fairness: a host, a network, an
   * authenticated node.
   *
   * @returns `undefined` when the service, or this source, has all the askers that it may have
   */
  open(source: string, events: RequesterEvents): Requester | undefined;
}
