import type { Contact } from "../wire/contact.ts";
import type { DhtValue, StoreRefusal } from "../wire/message.ts";

/** How an operation ended. `asked` counts the nodes that were asked. */
export type DhtResult =
  | {
      readonly kind: "found";
      readonly value: DhtValue;
      /** Round trips, one after the other, that led to it; 0 when it was here. */
      readonly hops: number;
      readonly asked: number;
    }
  | { readonly kind: "missing"; readonly asked: number }
  /** The closest live nodes, closest first; where ids crowd, more than were asked for. */
  | { readonly kind: "nodes"; readonly contacts: readonly Contact[]; readonly asked: number }
  | {
      readonly kind: "put";
      /** Nodes that keep the value, this one included. */
      readonly stored: number;
      /** The shortest life that one of them granted; 0 when none did. */
      readonly ttlSeconds: number;
      /** What the others said, most frequent first. */
      readonly refusals: readonly StoreRefusal[];
      readonly asked: number;
    };

/** How an operation tells its owner. */
export interface OperationHooks {
  /** It takes longer than it should; at most once. */
  readonly late: () => void;
  /** The result; once, unless it is `busy`. */
  readonly settled: (result: DhtResult) => void;
  /** Nothing has come of it, and limits, here or there, kept it from asking. */
  readonly busy: () => void;
  /** Nothing of it is left. */
  readonly ended: () => void;
}
