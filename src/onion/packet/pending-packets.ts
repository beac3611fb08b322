import type { NodeId } from "../../identity/index.ts";
import { FairPlaces, type TimerHandle } from "../../retx/index.ts";

/** What a hop needs for one backward unit. */
export interface BackState {
  /** This packet on the edge to the neighbour before. */
  readonly edge: Uint8Array;
  readonly from: NodeId;
  /** Whom it counts for. */
  readonly source: string;
  readonly key: Uint8Array;
}

/** Who may still hear of a packet: the hop before this one, or this node itself. */
export type Listener =
  | ({ readonly kind: "hop" } & BackState)
  | { readonly kind: "origin"; readonly id: number; readonly layers: readonly Uint8Array[] };

/** Where a backward unit has to come from, and under which name. */
export interface AwaitedFrom {
  readonly to: NodeId;
  readonly name: string;
}

/** A packet that a backward unit may still belong to. */
export interface Pending {
  readonly ticket: number;
  readonly listener: Listener;
  /** Nothing at the last hop. */
  readonly on: AwaitedFrom | undefined;
  /** Set by whoever lets it expire. */
  timer: TimerHandle | undefined;
}

/** This node's own packets count for it, as those of a source. */
const SELF = "";

/** Packets that a backward unit may still belong to, in places that their sources share. */
export class PendingPackets {
  readonly #places: FairPlaces<Pending>;
  readonly #byTicket = new Map<number, Pending>();
  /** Of those that went on to a neighbour. */
  readonly #byName = new Map<string, Pending>();
  #tickets = 0;

  /** @param giveUp is told of one that was forgotten for want of room */
  constructor(statesMax: number, giveUp: (pending: Pending) => void) {
    this.#places = new FairPlaces<Pending>(statesMax, (pending) => {
      this.forget(pending);
      giveUp(pending);
    });
  }

  get size(): number {
    return this.#byTicket.size;
  }

  /** Keeps one; `undefined` when there is no room, or its name is taken. */
  keep(listener: Listener, on: AwaitedFrom | undefined): Pending | undefined {
    if (on !== undefined && this.#byName.has(on.name)) return undefined;
    const pending: Pending = { ticket: this.#tickets, listener, on, timer: undefined };
    if (!this.#places.take(sourceOf(listener), pending)) return undefined;
    this.#tickets += 1;
    this.#byTicket.set(pending.ticket, pending);
    if (on !== undefined) this.#byName.set(on.name, pending);
    return pending;
  }

  get(ticket: number): Pending | undefined {
    return this.#byTicket.get(ticket);
  }

  named(name: string): Pending | undefined {
    return this.#byName.get(name);
  }

  forget(pending: Pending): void {
    if (!this.#byTicket.delete(pending.ticket)) return;
    if (pending.on !== undefined) this.#byName.delete(pending.on.name);
    this.#places.leave(sourceOf(pending.listener), pending);
  }
}

function sourceOf(listener: Listener): string {
  return listener.kind === "hop" ? listener.source : SELF;
}
