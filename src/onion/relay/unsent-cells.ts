import type { RelayChannel } from "./relay-circuit.ts";

/** Bounds of what waits for the links of a relay. */
export interface UnsentLimits {
  /** Cells of one channel. */
  readonly ofChannel: number;
  /** Cells of all of them. */
  readonly ofAll: number;
}

/** Counts the cells that links have not taken, and says whose circuit has to end for them. */
export class UnsentCells {
  readonly #limits: UnsentLimits;
  #total = 0;

  constructor(limits: UnsentLimits) {
    this.#limits = limits;
  }

  /** Counts one more; the channel that has too much of it, or most where all have too much. */
  add(channel: RelayChannel, all: Iterable<RelayChannel>): RelayChannel | undefined {
    channel.unsent += 1;
    this.#total += 1;
    const { ofChannel, ofAll } = this.#limits;
    if (channel.unsent > ofChannel) return channel;
    if (this.#total <= ofAll) return undefined;
    let most = channel;
    for (const other of all) if (other.unsent > most.unsent) most = other;
    return most;
  }

  /** So many are on their way. */
  sent(channel: RelayChannel, count: number): void {
    const taken = Math.min(channel.unsent, count);
    channel.unsent -= taken;
    this.#total -= taken;
  }
}
