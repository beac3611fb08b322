import type { RelayChannel } from "./relay-circuit.ts";

/** All channels of a relay. */
type Channels = ReadonlyMap<unknown, RelayChannel>;

/** Bounds of what waits for the links of a relay. */
export interface UnsentLimits {
  /** Cells of one channel that its link has not taken. */
  readonly ofChannel: number;
  /** Cells of all of them, with those that the ends here keep. */
  readonly ofAll: number;
}

/**
 * Counts the cells that links have not taken, and those that ends of circuits keep here for want of
 * credit, or of the rest of a message; and says whose circuit has to end for them.
 */
export class UnsentCells {
  readonly #limits: UnsentLimits;
  #total = 0;

  constructor(limits: UnsentLimits) {
    this.#limits = limits;
  }

  /** Counts one more; the channel that has too much of it, or most where all have too much. */
  add(channel: RelayChannel, all: Channels): RelayChannel | undefined {
    channel.unsent += 1;
    this.#total += 1;
    return channel.unsent > this.#limits.ofChannel ? channel : this.#excess(channel, all);
  }

  /** So many are on their way. */
  sent(channel: RelayChannel, count: number): void {
    const taken = Math.min(channel.unsent, count);
    channel.unsent -= taken;
    this.#total -= taken;
  }

  /** Its end keeps so many now; the channel that has most where all have too much. */
  keep(channel: RelayChannel, count: number, all: Channels): RelayChannel | undefined {
    const more = count - channel.kept;
    channel.kept = count;
    this.#total += more;
    return more > 0 ? this.#excess(channel, all) : undefined;
  }

  /** The channel is gone with all that waits. */
  forget(channel: RelayChannel): void {
    this.#total -= channel.unsent + channel.kept;
    channel.unsent = 0;
    channel.kept = 0;
  }

  #excess(channel: RelayChannel, all: Channels): RelayChannel | undefined {
    if (this.#total <= this.#limits.ofAll) return undefined;
    let most = channel;
    for (const other of all.values()) if (sizeOf(other) > sizeOf(most)) most = other;
    return most;
  }
}

function sizeOf({ unsent, kept }: RelayChannel): number {
  return unsent + kept;
}
