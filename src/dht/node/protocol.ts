import type { ExchangeId } from "../exchange/exchange-desk.ts";
import type { DhtResult } from "../lookup/operation.ts";
import type { Contact } from "../wire/contact.ts";
import type { DhtAsker, DhtRequest, DhtResponse, DhtValue, ValueKind } from "../wire/message.ts";

/** Names one operation; chosen by who asks for it, not reused while it runs. */
export type OperationId = number;

/** Names a request of another node; chosen by the carrier. */
export type AskerExchange = number;

/** What a DHT core is told. Bytes are borrowed until the operation or exchange ends. */
export type DhtInput =
  /** Begin: join the network through these nodes, and look after the table from now on. */
  | { readonly kind: "start"; readonly bootstrap: readonly Contact[] }
  /** Another node asks; answered at once, with the same exchange. */
  | {
      readonly kind: "request";
      readonly exchange: AskerExchange;
      readonly asker: DhtAsker;
      readonly request: DhtRequest;
    }
  /** The answer to a `send`, from the very node that it went to. */
  | {
      readonly kind: "response";
      readonly exchange: ExchangeId;
      readonly response: DhtResponse;
      /** Of the `send` that it answers. */
      readonly attempt: number;
    }
  /**
   * There will be none: the node cannot be reached, or somebody else is there, or its answer was
   * no message. Silence is not told; the core has its own patience. `isBusy`: it may well be there,
   * but a limit of its carrier or of ours left no room for the request.
   */
  | { readonly kind: "failed"; readonly exchange: ExchangeId; readonly isBusy?: boolean }
  /** A way to the node has to be made first, which takes some round trips; and now it is there. */
  | { readonly kind: "dialling" | "dialled"; readonly exchange: ExchangeId }
  /** The wall clock was set: it shows this at the instant 0. */
  | { readonly kind: "calendar"; readonly unixMsAtZero: number }
  /** The carrier has spoken to this node for other reasons: its id is proven, it lives. */
  | { readonly kind: "met"; readonly contact: Contact }
  | {
      readonly kind: "get";
      readonly operation: OperationId;
      readonly key: Uint8Array;
      /** Any kind, if absent. */
      readonly valueKind?: ValueKind;
    }
  | {
      readonly kind: "put";
      readonly operation: OperationId;
      readonly key: Uint8Array;
      readonly value: DhtValue;
      /** Nodes to store at, as far as there are so many; the limits' own number if absent. */
      readonly replicas?: number;
      /** Of these so many have to agree before the put is done; half if absent. */
      readonly quorum?: number;
    }
  /** Find the closest live nodes to a key. */
  | {
      readonly kind: "find";
      readonly operation: OperationId;
      readonly target: Uint8Array;
      readonly count: number;
    }
  | { readonly kind: "cancel"; readonly operation: OperationId }
  /** Keep a value of this node's own in the network until it is withdrawn. */
  | { readonly kind: "publish"; readonly key: Uint8Array; readonly value: DhtValue }
  | { readonly kind: "withdraw"; readonly key: Uint8Array; readonly valueKind: ValueKind }
  /** The node broke its word: it did not have what it had promised to keep. */
  | { readonly kind: "blame"; readonly id: Uint8Array };

/** What a DHT core asks its shell to do, in this order. */
export type DhtEffect =
  /** Send a request; told again with the same exchange, it is a repetition. */
  | {
      readonly kind: "send";
      readonly exchange: ExchangeId;
      /** 1 for the first, up to `ATTEMPTS_MAX`. */
      readonly attempt: number;
      readonly to: Contact;
      readonly request: DhtRequest;
    }
  /** Nobody waits for this answer any more. */
  | { readonly kind: "forget"; readonly exchange: ExchangeId }
  | {
      readonly kind: "answer";
      readonly exchange: AskerExchange;
      readonly response: DhtResponse;
    }
  /** The operation takes longer than it should; at most once. */
  | { readonly kind: "late"; readonly operation: OperationId }
  /** The operation is done; once, unless it was cancelled. */
  | { readonly kind: "done"; readonly operation: OperationId; readonly result: DhtResult }
  /** Too many operations run, or requests: this one has no result, and ends. */
  | { readonly kind: "busy"; readonly operation: OperationId }
  /** The node has found its place, and knows so many nodes; none when nobody answered yet. */
  | { readonly kind: "joined"; readonly nodes: number };

/** Numbers of a DHT node that runs. */
export interface DhtStatistics {
  /** Nodes in the table. */
  readonly contacts: number;
  /** Nodes that the network is thought to have. */
  readonly nodesEstimated: number;
  /** Values kept for others. */
  readonly values: number;
  readonly exchangesOpen: number;
  /** Requests sent so far, repetitions not counted. */
  readonly exchangesSent: number;
  readonly operations: number;
  /** Peers whose speed and word are known. */
  readonly peers: number;
}
