import type { NodeId } from "../../identity/index.ts";
import type { FailureReason } from "../packet/backward.ts";

/** One ordered, reliable way of fixed-size units to or from a neighbour; numbered by this node. */
export type ChannelId = number;

/** One circuit at one node. */
export type CircuitId = number;

/** What a relay is told. Bytes are handed over. */
export type RelayInput =
  /** A neighbour has opened a channel. */
  | {
      readonly kind: "opened";
      readonly channel: ChannelId;
      readonly from: NodeId;
      /** Whom it counts for; the neighbour itself, if absent. */
      readonly source?: string | undefined;
    }
  | { readonly kind: "unit"; readonly channel: ChannelId; readonly unit: Uint8Array }
  /** So many units have left for the neighbour. */
  | { readonly kind: "sent"; readonly channel: ChannelId; readonly count: number }
  | { readonly kind: "closed"; readonly channel: ChannelId }
  /** The response to a request of a circuit that ends here. */
  | {
      readonly kind: "respond";
      readonly circuit: CircuitId;
      readonly request: number;
      readonly content: Uint8Array;
    }
  /** A message for the origin of a circuit that ends here. */
  | { readonly kind: "data"; readonly circuit: CircuitId; readonly content: Uint8Array }
  /** Ends a circuit that ends here, and tells its origin why. */
  | { readonly kind: "refuse"; readonly circuit: CircuitId; readonly reason: FailureReason };

/** What a relay asks its shell to do, in this order. */
export type RelayEffect =
  /** For the circuit of a neighbour, which names `to`. */
  | {
      readonly kind: "open";
      readonly channel: ChannelId;
      readonly to: NodeId;
      readonly from: NodeId;
    }
  | { readonly kind: "write"; readonly channel: ChannelId; readonly unit: Uint8Array }
  /** Once what was written is on its way; at once when that does not leave. */
  | { readonly kind: "close"; readonly channel: ChannelId; readonly isStuck: boolean }
  /** A circuit ends at this node; with whom it counts for. */
  | { readonly kind: "incoming"; readonly circuit: CircuitId; readonly source: string }
  | {
      readonly kind: "request";
      readonly circuit: CircuitId;
      readonly request: number;
      readonly content: Uint8Array;
    }
  | { readonly kind: "data"; readonly circuit: CircuitId; readonly content: Uint8Array }
  /** It is gone: nobody is left to answer. */
  | { readonly kind: "gone"; readonly circuit: CircuitId };

/** Bounds of a relay, beside those of each circuit. */
export interface RelayLimits {
  /** Circuits; then the source that has most gives one up to one that has fewer. */
  readonly circuitsMax: number;
  /** Circuits that go on to one neighbour; a sixth more may come from one. */
  readonly circuitsPerLinkMax: number;
  /** Builds of all neighbours, in the long run and at once. */
  readonly buildsPerSecond: number;
  readonly buildsBurst: number;
  /**
   * Cells of all circuits that links have not taken, or that the ends here keep for want of credit
   * or of the rest of a message; then the circuit with most of them ends.
   */
  readonly waitingCellsMax: number;
  /**
   * Cells of cover that the ends here send each second; then those of a source that has more than
   * its share pause longer than they were asked to.
   */
  readonly coverCellsPerSecond: number;
}

/**
 * Tuned for a core that also does other things: a build costs it some 100 µs with libsodium, 190
 * with OpenSSL alone, a cell of cover 4 or 7. A link has 256 streams each way, and not only
 * circuits need them.
 */
export const ONION_RELAY_LIMITS: RelayLimits = Object.freeze({
  circuitsMax: 8_192,
  circuitsPerLinkMax: 192,
  buildsPerSecond: 200,
  buildsBurst: 1_000,
  waitingCellsMax: 131_072,
  coverCellsPerSecond: 4_096,
});
