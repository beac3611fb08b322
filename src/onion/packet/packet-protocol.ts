import type { NodeId } from "../../identity/index.ts";
import type { BackwardContent } from "./backward.ts";
import type { Failure } from "./failure.ts";
import type { SurbOpener } from "./surb.ts";

/** What comes back from a packet that asked for it, once. */
export type PacketOutcome =
  | { readonly kind: "reply"; readonly content: Uint8Array }
  | { readonly kind: "failure"; readonly failure: Failure };

/** What the one-time side of a node is told. Bytes are handed over. */
export type PacketInput =
  | {
      readonly kind: "unit";
      readonly from: NodeId;
      readonly unit: Uint8Array;
      /** Whom it counts for; the neighbour itself, if absent. */
      readonly source?: string | undefined;
    }
  /**
   * A unit that was to be sent under this ticket did not reach the neighbour; for a want of room at
   * this node, if it says so.
   */
  | { readonly kind: "unsent"; readonly ticket: number; readonly isBusy: boolean }
  /** A packet of this node's own. With layers, a backward unit is waited for. */
  | {
      readonly kind: "send";
      readonly first: NodeId;
      readonly unit: Uint8Array;
      /** The neighbour whose packet names `first`, if one does. */
      readonly from?: NodeId | undefined;
      readonly expects?: { readonly id: number; readonly layers: readonly Uint8Array[] };
    }
  /** A reply block was given away. */
  | { readonly kind: "await"; readonly name: Uint8Array; readonly opener: SurbOpener }
  /** Nobody waits any more for what one would bring home. */
  | { readonly kind: "forget"; readonly name: Uint8Array }
  /** The one answer to a packet that was delivered with a token. */
  | { readonly kind: "answer"; readonly token: number; readonly answer: BackwardContent };

/** What the one-time side of a node asks its shell to do, in this order. */
export type PacketEffect =
  /** Tell `unsent` with the ticket if that fails. */
  | {
      readonly kind: "send";
      readonly to: NodeId;
      readonly unit: Uint8Array;
      readonly ticket?: number;
      /** The neighbour whose packet names `to`, if one does. */
      readonly from?: NodeId;
    }
  /** A payload for this node; with a token it may be answered, once, within the time of a state. */
  | {
      readonly kind: "deliver";
      readonly content: Uint8Array;
      /** The neighbour that has brought it, and whom it counts for. */
      readonly from: NodeId;
      readonly source: string;
      readonly token?: number;
    }
  /** A reply block of this node's own came home. */
  | { readonly kind: "home"; readonly name: Uint8Array; readonly content: Uint8Array }
  | { readonly kind: "outcome"; readonly id: number; readonly outcome: PacketOutcome };

/** Bounds of the one-time side of a node. */
export interface PacketLimits {
  /** Packets of all neighbours that are opened, in the long run and at once. */
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  /**
   * Packets that are held because their origin asked for a delay; then the source that has most
   * gives one up to one that has fewer.
   */
  readonly delayedMax: number;
  /** States for backward units, this node's own expectations included; then the same. */
  readonly statesMax: number;
  readonly stateMs: number;
  /** Reply blocks of this node's own that have not come home. */
  readonly surbsMax: number;
  readonly surbMs: number;
}

/**
 * Tuned for a relay that also does other things: a packet costs it 46 µs with libsodium, 75 with
 * OpenSSL alone, and its links some. 3 MB of delayed packets and 4 MB of states at the worst. There
 * is a state for every packet that can be opened while one lives, and a replay tag for every packet
 * and build while a key does.
 */
export const PACKET_LIMITS: PacketLimits = Object.freeze({
  packetsPerSecond: 400,
  packetsBurst: 4_000,
  delayedMax: 1_024,
  statesMax: 16_384,
  stateMs: 30_000,
  surbsMax: 4_096,
  surbMs: 3_600_000,
});
