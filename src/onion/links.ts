import type { NodeId } from "../identity/index.ts";

/** What happens on a channel, told to whoever opened or accepted it. Must not throw. */
export interface ChannelEvents {
  /** One unit, in order; handed over. */
  unit(unit: Uint8Array): void;
  /** So many units that were sent have left this node. */
  sent(count: number): void;
  /** The other side, or the link, is gone. Called once, and not after an own `close`. */
  closed(): void;
}

/** An ordered, reliable way of units of fixed sizes to one neighbour: one circuit each. */
export interface OnionChannel {
  /** Sends a unit, which is handed over; after `close` it does nothing. */
  send(unit: Uint8Array): void;
  /**
   * Ends the channel once what was sent is on its way, or, with `isAtOnce`, without that; the other
   * side is told `closed`.
   */
  close(isAtOnce?: boolean): void;
}

/**
 * What onions need of whatever connects this node with its neighbours. `from` is the neighbour that
 * has brought what names `to`, where this node has not chosen it itself.
 */
export interface OnionLinks {
  /**
   * Sends a one-time unit, which is handed over. It may be lost or come late; it rejects when the
   * neighbour cannot be reached, and with `CULVERT_BUSY` when too much waits for it here.
   */
  send(to: NodeId, unit: Uint8Array, from?: NodeId): Promise<void>;
  /**
   * Opens a channel. It is usable at once: what is sent before the neighbour is reached waits, and
   * `closed` tells when it cannot be. The first unit is as long as a packet, all others as a cell.
   */
  open(to: NodeId, events: ChannelEvents, from?: NodeId): OnionChannel;
}
