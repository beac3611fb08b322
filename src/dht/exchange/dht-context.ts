import type { Random } from "../../base/index.ts";
import type { DhtLimits } from "../limits.ts";
import type { NetworkSize } from "../table/network-size.ts";
import type { RoutingTable } from "../table/routing-table.ts";
import type { ValueStore } from "../values/value-store.ts";
import type { Contact } from "../wire/contact.ts";
import type { KeyText } from "../wire/key.ts";
import type { ExchangeDesk } from "./exchange-desk.ts";
import type { Peers } from "./peers.ts";

/** The parts of one node, which its operations and its upkeep work with. */
export interface DhtContext {
  readonly self: KeyText;
  readonly limits: DhtLimits;
  readonly random: Random;
  readonly table: RoutingTable;
  readonly peers: Peers;
  readonly networkSize: NetworkSize;
  readonly store: ValueStore;
  readonly exchanges: ExchangeDesk;
  /** Whether, as far as anybody can tell, every node of the network is in the table. */
  readonly knowsAll: () => boolean;
  /** The host at which the carrier hears a node in the open now, if it does. */
  readonly hostOf: (id: Uint8Array) => string | undefined;
  /** A node that was heard just now, counted for where it is, whatever it says. */
  readonly placed: (contact: Contact) => Contact;
  /** Somebody told of these nodes; who fits the table is asked whether it lives. */
  readonly meet: (hearsay: readonly Contact[]) => void;
}

/** What the estimate of the network's size is made from. */
type Estimated = Pick<DhtContext, "networkSize" | "table" | "self" | "limits">;

/** The estimate scatters: so much more than is known may be nobody. */
const KNOWS_ALL = 1.25;

/** Whether the network is thought to have nodes that are not in the table. */
export function seemsLarger(context: Estimated): boolean {
  return estimatedNodes(context) > KNOWS_ALL * (context.table.size + 1);
}

/**
 * Nodes that the network is thought to have, this one included. Before the first lookup has ended,
 * the own neighbourhood says it; a table that was cut down says nothing by its size.
 */
export function estimatedNodes({ networkSize, table, self, limits }: Estimated): number {
  if (!networkSize.isObserved && !table.isWhole) {
    networkSize.observe(self, table.closest(self, limits.bucketSize));
  }
  return networkSize.nodes(table.size + 1);
}
