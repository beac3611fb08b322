import type { Instant } from "../../base/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { RendezvousLimits } from "./limits.ts";
import type { SignalFailure } from "./signal.ts";

/** What becomes of a signal. */
export type Passage = "pass" | "drop" | SignalFailure;

/**
 * Decides what a node passes on between two of its peers: only between nodes that it has links to,
 * little, and not for those who ask too often. It never learns what the signals are about.
 */
export class RendezvousCore {
  readonly #limits: RendezvousLimits;
  readonly #isLinked: (node: NodeId) => boolean;
  readonly #senders: RateTable;
  readonly #receivers: RateTable;
  readonly #pairs: RateTable;

  constructor(options: {
    readonly limits: RendezvousLimits;
    readonly isLinked: (node: NodeId) => boolean;
  }) {
    const { limits } = options;
    this.#limits = limits;
    this.#isLinked = options.isLinked;
    this.#senders = new RateTable(
      { capacity: limits.signalsBurst, perSecond: limits.signalsPerSecond },
      limits.ratesMax,
    );
    this.#receivers = new RateTable(
      { capacity: limits.signalsToOneBurst, perSecond: limits.signalsToOnePerSecond },
      limits.ratesMax,
    );
    const { signalsOfOneToOneBurst: capacity, signalsOfOneToOnePerSecond: perSecond } = limits;
    this.#pairs = new RateTable({ capacity, perSecond }, limits.ratesMax);
  }

  /** What to do with a signal of `from`, which the link has proved, for `to`. */
  judge(
    signal: { readonly from: NodeId; readonly to: NodeId; readonly bytes: number },
    now: Instant,
  ): Passage {
    const { from, to, bytes } = signal;
    if (bytes > this.#limits.signalBytesMax || isSameNode(from, to)) return "drop";
    // Not even told: whoever sends too much must not make us send as much.
    const isHeard = (): boolean => this.#senders.take(nodeIdText(from), now);
    if (!this.#isLinked(to)) return isHeard() ? "not-linked" : "drop";
    // Nor does one use up what all others may send to a node, or what that may answer to others.
    if (!this.#pairs.take(nodeIdText(from) + nodeIdText(to), now) || !isHeard()) return "drop";
    return this.#receivers.take(nodeIdText(to), now) ? "pass" : "busy";
  }
}
