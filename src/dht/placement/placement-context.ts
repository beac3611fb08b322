import type { Instant } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";
import type { NodeRequests } from "./node-requests.ts";
import type { PlacementLimits } from "./placement-limits.ts";
import type { Neighbourhood, PlacementEffect, PlacementId } from "./placement-protocol.ts";

/** A record that was put: the nodes that gave receipts, and until when all of them keep it. */
export interface Kept {
  readonly address: Uint8Array;
  readonly keepers: readonly Contact[];
  readonly until: Instant;
}

/** What the puts and gets of one core share. */
export interface PlacementContext {
  readonly limits: PlacementLimits;
  readonly neighbourhood: Neighbourhood;
  readonly requests: NodeRequests;
  push(effect: PlacementEffect): void;
  /** A put has its quorum; the other replicas are finished behind it. */
  confirmed(operation: PlacementId): void;
  /** Nothing of the operation is under way any more. */
  ended(operation: PlacementId, kept?: Kept): void;
}
