import { type Instant, toHex } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";

/** How much of one stream an exit may see. */
export interface ExitBudgetOptions {
  /** Frames of one stream that one exit sees in any such span; `Infinity` for no budget. */
  readonly framesPerExit: number;
  /** Milliseconds. */
  readonly spanMs: number;
}

/** The default budget of a stream whose window goes over so many paths. */
export function framesPerExit(options: {
  readonly window: number;
  readonly paths: number;
}): number {
  return Math.ceil(options.window / options.paths) + 1;
}

/**
 * Which frames of one stream each exit has seen lately. A frame that is asked for again at the same
 * exit costs nothing: the exit learns nothing new. A frame is forgotten a span after it was shown
 * last: were all forgotten at one moment, an exit would see two budgets around it. Holds at most a
 * budget of addresses for each exit that was used lately, and none without a budget.
 */
export class ExitBudget {
  readonly #options: ExitBudgetOptions;
  /** When each frame was shown last, the longest ago first; the exit shown one last is last. */
  readonly #seen = new Map<string, Map<string, Instant>>();

  constructor(options: ExitBudgetOptions) {
    this.#options = options;
  }

  /** Whether the exit may be shown the frame at this address. */
  allows(exit: NodeId, address: Uint8Array, now: Instant): boolean {
    return this.hasRoom(exit, now) || this.#seenBy(nodeIdText(exit), now).has(toHex(address));
  }

  /** Remembers that the exit was shown it. */
  spend(exit: NodeId, address: Uint8Array, now: Instant): void {
    if (this.#options.framesPerExit === Number.POSITIVE_INFINITY) return;
    const name = nodeIdText(exit);
    const seen = this.#seenBy(name, now);
    seen.delete(toHex(address));
    this.#seen.delete(name);
    this.#seen.set(name, seen.set(toHex(address), now));
    // Of exits that are never asked again nobody else would look at what is over.
    for (const other of this.#seen.keys()) if (this.#seenBy(other, now).size > 0) break;
  }

  /** Addresses that are remembered. */
  get size(): number {
    let sum = 0;
    for (const { size } of this.#seen.values()) sum += size;
    return sum;
  }

  /** Whether the exit can be shown any frame that it has not seen. */
  hasRoom(exit: NodeId, now: Instant): boolean {
    return this.#seenBy(nodeIdText(exit), now).size < this.#options.framesPerExit;
  }

  /** Whether there are exits that can be shown nothing new now. */
  isAnySpent(now: Instant): boolean {
    const { framesPerExit: most } = this.#options;
    return [...this.#seen.keys()].some((name) => this.#seenBy(name, now).size >= most);
  }

  #seenBy(exit: string, now: Instant): Map<string, Instant> {
    const seen = this.#seen.get(exit) ?? new Map<string, Instant>();
    for (const [address, at] of seen) {
      if (now - at < this.#options.spanMs) break;
      seen.delete(address);
    }
    if (seen.size === 0) this.#seen.delete(exit);
    return seen;
  }
}
