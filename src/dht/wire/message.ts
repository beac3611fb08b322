import type { Contact } from "./contact.ts";

/** The kinds of values, by their numbers on the wire, from 1 on. */
export const VALUE_KINDS = ["record", "descriptor", "plain"] as const;

/**
 * What a value is, and by that who may write it:
 *
 * - `record`: of the Map. Proves itself by its address; written once.
 * - `descriptor`: of a node, under its id. Signed by it; the newest sequence wins.
 * - `plain`: anybody's, of VoidPhone. The last write wins.
 */
export type ValueKind = (typeof VALUE_KINDS)[number];

/** A value on its way. */
export interface DhtValue {
  readonly kind: ValueKind;
  /** Seconds asked for in a store, left in an answer. */
  readonly ttlSeconds: number;
  readonly bytes: Uint8Array;
}

/** What one node asks of another. Bytes are borrowed until the answer. */
export type DhtRequest =
  | { readonly kind: "ping" }
  /** The closest nodes to `target` that are known. */
  | { readonly kind: "find-node"; readonly target: Uint8Array }
  /** The value of `key`, or the closest nodes to `near`, which is `key` in all but a few cases. */
  | {
      readonly kind: "find-value";
      readonly key: Uint8Array;
      readonly near: Uint8Array;
      /** Any kind, if absent. */
      readonly valueKind?: ValueKind;
    }
  | {
      readonly kind: "store";
      readonly key: Uint8Array;
      readonly value: DhtValue;
      /** From one keeper to another: it takes the place of nothing, not even of a plain value. */
      readonly isCopy: boolean;
      /** From an earlier answer; without it a node whose address is unproven is refused. */
      readonly token?: Uint8Array;
    };

/** Why a store was refused, by the numbers on the wire, from 1 on. */
export const STORE_REFUSALS = [
  /** There is a descriptor of a higher sequence, or of the same and with other bytes. */
  "stale",
  /** The address of the Map holds other bytes, or a copy found something there. */
  "conflict",
  /** Not what its kind demands: a bad signature, another key, an empty value. */
  "invalid",
  /** More bytes than a value of its kind may have. */
  "too-large",
  /** No room, or the source has had its share. */
  "full",
  /** The asker's address has to be proven first, by a token. */
  "token",
] as const;

/** Why a store was refused. */
export type StoreRefusal = (typeof STORE_REFUSALS)[number];

/** What a node answers. */
export type DhtResponse =
  | { readonly kind: "pong" }
  | {
      readonly kind: "nodes";
      readonly contacts: readonly Contact[];
      /** Lets an asker whose address is unproven store here for some minutes. */
      readonly token?: Uint8Array;
    }
  | { readonly kind: "value"; readonly value: DhtValue }
  | { readonly kind: "stored"; readonly ttlSeconds: number }
  | { readonly kind: "refused"; readonly reason: StoreRefusal };

/** Who asks, as far as the carrier knows. */
export interface DhtAsker {
  /**
   * Proven by the carrier, or claimed over a VoidPhone dialect; absent for a client without one.
   */
  readonly id?: Uint8Array;
  /** The network that the quotas go by: `addressPrefix` of where the request came from. */
  readonly source: string;
  /** True when the carrier has made a round trip to that address (a link, TCP). */
  readonly isAddressProven: boolean;
  /** Where the asker can be asked itself; absent when it does not serve, or did not say. */
  readonly contact?: Contact;
}
