import type { Cancel, Clock, Log } from "../../base/index.ts";
import type { PeerAddress, VoidphonePeerNetwork } from "../../voidphone/index.ts";

/** What a place in a foreign network is kept with. */
export interface ForeignJoinsComponents {
  readonly network: Pick<VoidphonePeerNetwork, "join" | "closest">;
  readonly clock: Clock;
  readonly log: Log;
}

/** The pause before a peer is tried again doubles from the first to the last of these. */
const JOIN_AGAIN_MS = { first: 2_000, last: 300_000 } as const;
const ANYWHERE = new Uint8Array(32);

/**
 * Joins a foreign network through each of the peers that it is told of, and again when nobody is
 * known there any more: whoever does not answer is forgotten, so that an outage leaves nobody.
 */
export class ForeignJoins {
  readonly #components: ForeignJoinsComponents;
  readonly #cancels = new Set<Cancel>();
  #isClosed = false;

  constructor(components: ForeignJoinsComponents, entrances: readonly PeerAddress[]) {
    this.#components = components;
    for (const entrance of entrances) this.#join(entrance, JOIN_AGAIN_MS.first);
  }

  /** Tries no more. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #join(entrance: PeerAddress, pauseMs: number): void {
    const { network, log } = this.#components;
    network.join(entrance).then(
      () => this.#later(JOIN_AGAIN_MS.last, () => this.#look(entrance)),
      () => {
        if (this.#isClosed) return;
        log("info", "foreign-peer-unreachable", { pauseMs });
        const next = Math.min(2 * pauseMs, JOIN_AGAIN_MS.last);
        this.#later(pauseMs, () => this.#join(entrance, next));
      },
    );
  }

  #look(entrance: PeerAddress): void {
    const isAlone = this.#components.network.closest(ANYWHERE, 1).length === 0;
    if (isAlone) this.#join(entrance, JOIN_AGAIN_MS.first);
    else this.#later(JOIN_AGAIN_MS.last, () => this.#look(entrance));
  }

  #later(ms: number, run: () => void): void {
    if (this.#isClosed) return;
    const { clock } = this.#components;
    const cancel = clock.schedule(
      clock.now() + ms,
      () => {
        this.#cancels.delete(cancel);
        run();
      },
      { background: true },
    );
    this.#cancels.add(cancel);
  }
}
