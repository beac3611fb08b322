import type { Contact } from "../contact.ts";
import type { NodeRequests } from "./node-requests.ts";
import type { PlacementLimits } from "./placement-limits.ts";
import type { Neighbourhood, PlacementEffect, PlacementId } from "./placement-protocol.ts";

/** What the puts and gets of one core share. */
export interface PlacementContext {
  readonly limits: PlacementLimits;
  readonly neighbourhood: Neighbourhood;
  readonly requests: NodeRequests;
  push(effect: PlacementEffect): void;
  /** Nothing of the operation is under way any more; these nodes gave receipts. */
  ended(operation: PlacementId, address: Uint8Array, keepers: readonly Contact[]): void;
}
