import type { SeededRandom } from "../../src/base/index.ts";
import { type NodeId, nodeIdOf, nodeIdText } from "../../src/identity/index.ts";
import type { CarrierEvents, RequestCarrier } from "../../src/rpc/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";

/** Joins nodes in memory, on a virtual clock; loses what `isLost` says. */
export class MemoryExchange {
  readonly clock: VirtualClock;
  delayMs = 10;
  isLost: () => boolean = () => false;
  readonly #nodes = new Map<string, CarrierEvents>();
  #names = 0;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  /** Loses this share of the messages. */
  lose(share: number, random: SeededRandom): void {
    this.isLost = () => random.unit() < share;
  }

  /** A carrier of a node that did not exist before. */
  join(): { id: NodeId; carrier: RequestCarrier } {
    this.#names += 1;
    const id = nodeIdOf(Uint8Array.of(this.#names));
    const carrier: RequestCarrier = {
      isReliable: false,
      start: (events) => void this.#nodes.set(nodeIdText(id), events),
      send: (peer, bytes, unsent) => {
        const to = this.#nodes.get(nodeIdText(peer));
        if (to === undefined) unsent();
        else this.#carry(() => to.received(id, bytes.slice()));
      },
      close: async () => void this.#nodes.delete(nodeIdText(id)),
    };
    return { id, carrier };
  }

  #carry(deliver: () => void): void {
    if (this.isLost()) return;
    this.clock.schedule(this.clock.now() + this.delayMs, deliver);
  }
}
