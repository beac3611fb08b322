import { type Instant, toHex } from "../base/index.ts";
import { type NodeId, nodeIdText } from "../identity/index.ts";

/** How much of one stream an exit may see. */
export interface ExitBudgetOptions {
  /** Frames of one stream that one exit sees in an epoch; `Infinity` for no budget. */
  readonly framesPerExit: number;
  /** Milliseconds. */
  readonly epochMs: number;
}

/** The default budget of a stream whose window goes over so many paths. */
export function framesPerExit(options: {
  readonly window: number;
  readonly paths: number;
}): number {
  return Math.ceil(options.window / options.paths) + 1;
}

/**
 * Which frames of one stream each exit has seen in this epoch. A frame that is asked for again at
 * the same exit costs nothing: the exit learns nothing new. Holds at most a budget of addresses
 * for each exit that was used in the epoch, and none without a budget.
 */
export class ExitBudget {
  readonly #options: ExitBudgetOptions;
  readonly #seen = new Map<string, Set<string>>();
  #epochEndsAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: ExitBudgetOptions) {
    this.#options = options;
  }

  /** Whether the exit may be shown the frame at this address. */
  allows(exit: NodeId, address: Uint8Array, now: Instant): boolean {
    this.#turn(now);
    const seen = this.#seen.get(nodeIdText(exit));
    if (seen === undefined || seen.size < this.#options.framesPerExit) return true;
    return seen.has(toHex(address));
  }

  /** Remembers that the exit was shown it. */
  spend(exit: NodeId, address: Uint8Array, now: Instant): void {
    if (this.#options.framesPerExit === Number.POSITIVE_INFINITY) return;
    this.#turn(now);
    const name = nodeIdText(exit);
    const seen = this.#seen.get(name) ?? new Set();
    seen.add(toHex(address));
    this.#seen.set(name, seen);
  }

  /** Addresses that are remembered. */
  get size(): number {
    let sum = 0;
    for (const { size } of this.#seen.values()) sum += size;
    return sum;
  }

  /** Whether the exit can be shown any frame that it has not seen. */
  hasRoom(exit: NodeId, now: Instant): boolean {
    this.#turn(now);
    return (this.#seen.get(nodeIdText(exit))?.size ?? 0) < this.#options.framesPerExit;
  }

  /** Whether there are exits that can be shown nothing new before the epoch ends. */
  isAnySpent(now: Instant): boolean {
    this.#turn(now);
    const { framesPerExit: most } = this.#options;
    return [...this.#seen.values()].some(({ size }) => size >= most);
  }

  /** When all budgets are whole again. */
  get epochEndsAt(): Instant {
    return this.#epochEndsAt;
  }

  #turn(now: Instant): void {
    if (now < this.#epochEndsAt) return;
    this.#seen.clear();
    this.#epochEndsAt = now + this.#options.epochMs;
  }
}
