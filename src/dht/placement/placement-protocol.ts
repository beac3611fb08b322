import type { ErrorCode } from "../../base/index.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";

/** Names one put or get; chosen by who asks, not reused while it runs. */
export type PlacementId = number;

/** Names one request to one node. */
export type NodeRequestId = number;

/**
 * How one node answered. What it answered with stays with the shell, under the request's number.
 */
export type NodeAnswer =
  /** Kept, with a receipt that is the node's. */
  | { readonly kind: "stored"; readonly ttlSeconds: number }
  /** A record that verifies. */
  | { readonly kind: "found" }
  /** `CULVERT_NOT_FOUND`, `CULVERT_CONFLICT`, `CULVERT_FULL` …, or that it was not reached. */
  | { readonly kind: "failed"; readonly code: ErrorCode }
  /** A record or receipt that does not verify. */
  | { readonly kind: "lied" };

/** What a placement core is told. */
export type PlacementInput =
  | { readonly kind: "put"; readonly operation: PlacementId; readonly address: Uint8Array }
  | {
      readonly kind: "get";
      readonly operation: PlacementId;
      readonly address: Uint8Array;
      /** How long an empty address may wait for its put. */
      readonly waitMs: number;
    }
  | { readonly kind: "cancel"; readonly operation: PlacementId }
  /**
   * The answer to `find`: the closest live nodes, closest first, and where ids crowd others beyond
   * them; none when that failed.
   */
  | {
      readonly kind: "closest";
      readonly operation: PlacementId;
      readonly nodes: readonly Contact[];
    }
  | { readonly kind: "answer"; readonly request: NodeRequestId; readonly answer: NodeAnswer };

/** How a put or get ended. */
export type PlacementOutcome =
  /**
   * By the node that answered `request`; so many nodes had a receipt by then, and most of them for
   * so long at least.
   */
  | {
      readonly kind: "stored";
      readonly request: NodeRequestId;
      readonly receipts: number;
      readonly ttlSeconds: number;
    }
  | { readonly kind: "found"; readonly request: NodeRequestId }
  | { readonly kind: "failed"; readonly code: ErrorCode };

/** What a placement core asks its shell to do, in this order. */
export type PlacementEffect =
  /** Look up the closest live nodes, then tell `closest`. */
  | { readonly kind: "find"; readonly operation: PlacementId; readonly address: Uint8Array }
  /** Put the operation's record at this node, then tell `answer`. */
  | {
      readonly kind: "put-at";
      readonly operation: PlacementId;
      readonly request: NodeRequestId;
      readonly node: Contact;
    }
  /** Get the record from this node, then tell `answer`. */
  | {
      readonly kind: "get-from";
      /** Absent when it is an audit, of which only the answer matters. */
      readonly operation?: PlacementId;
      readonly request: NodeRequestId;
      readonly node: Contact;
      readonly address: Uint8Array;
      readonly waitMs: number;
    }
  /** The answer is of no more use. */
  | { readonly kind: "abandon"; readonly request: NodeRequestId }
  | {
      readonly kind: "done";
      readonly operation: PlacementId;
      readonly outcome: PlacementOutcome;
    }
  /** Nothing of the operation is under way any more: its record may be let go. */
  | { readonly kind: "ended"; readonly operation: PlacementId }
  /** The node broke its word: it lied, or does not have what it gave a receipt for. */
  | { readonly kind: "blame"; readonly node: Contact };

/** Who is close to an address, as the node's DHT knows without asking. */
export interface Neighbourhood {
  /** Up to `count` known nodes, closest first, of those that are wanted. */
  closestKnown(address: Uint8Array, count: number, isWanted?: IsWanted): readonly Contact[];
  /** How many nodes the network is thought to have. */
  readonly nodesEstimated: number;
  /** Whether these are all there are: then nothing has to be looked up. */
  readonly knowsAll: boolean;
  /** Whether a node broke its word too often to be given anything new. */
  isDemoted(node: Contact): boolean;
}
