import type { NodeId } from "../../identity/index.ts";
import type { LegEffect, LegId } from "./circuit.ts";

/**
 * What goes into a relay core. A leg is one stream between the relay and a peer; those that peers
 * open have positive numbers, those that the relay opens negative ones.
 */
export type RelayInput =
  /** A peer opened a stream to the relay. */
  | {
      readonly kind: "opened";
      readonly leg: LegId;
      readonly peer: NodeId;
      /** Whether the link that the stream is on goes through a relay itself. */
      readonly isRelayed: boolean;
      /** The network that the peer is in, as `addressPrefix` tells it. */
      readonly network: string;
    }
  /** The stream that was asked for is there; or it will not be. */
  | { readonly kind: "dialled"; readonly leg: LegId; readonly isOpen: boolean }
  /** Bytes came; they are handed over. */
  | {
      readonly kind: "bytes";
      readonly leg: LegId;
      readonly bytes: Uint8Array;
      readonly unixMs: number;
    }
  /** So many bytes that were given to the leg have left. */
  | { readonly kind: "sent"; readonly leg: LegId; readonly bytes: number }
  /** The peer will send nothing more. */
  | { readonly kind: "ended"; readonly leg: LegId }
  /** The stream is over, in good order or not. */
  | { readonly kind: "closed"; readonly leg: LegId };

/** What comes out of it. */
export type RelayEffect =
  | LegEffect
  /** Open a stream to a peer, over a direct link that is there. */
  | { readonly kind: "open"; readonly leg: LegId; readonly peer: NodeId }
  /** End a stream whose peer is not listened to any more: nothing that it sends is kept. */
  | { readonly kind: "leave"; readonly leg: LegId }
  /** Cut a stream. */
  | { readonly kind: "reset"; readonly leg: LegId };

/** What a relay does, and has done. */
export interface RelayStatistics {
  readonly reservations: number;
  readonly circuits: number;
  readonly circuitsOpened: number;
  readonly refused: number;
  readonly passedBytes: number;
}
