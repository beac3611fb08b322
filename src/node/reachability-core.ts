import type { Core, Instant } from "../base/index.ts";
import { formatNodeAddress, type NodeAddress } from "../identity/index.ts";

/** What dialling this node back at one address came to; `untried`: nobody knows. */
export type DialBackVerdict = "untried" | "missed" | "met";

/** What goes into a reachability core. */
export type ReachabilityInput =
  /** Others may be asked from now on; or something has changed. */
  | { readonly kind: "look" }
  /** Those who were asked have answered, or never will. */
  | {
      readonly kind: "answers";
      readonly candidates: readonly NodeAddress[];
      /** Of each who answered, one verdict for each candidate. */
      readonly verdicts: readonly (readonly DialBackVerdict[])[];
    };

/** What comes out of it. */
export type ReachabilityEffect =
  /** Ask some nodes to dial this one at all addresses at which it might be; answer once. */
  | { readonly kind: "ask" }
  /** Others reach this node there. */
  | { readonly kind: "reached"; readonly addresses: readonly NodeAddress[] }
  /** Nobody reaches it: only relays lead here. */
  | { readonly kind: "unreached" };

/** Rounds in a row in which nobody got through, until that is believed: packets are lost. */
const MISSES_MAX = 2;
/** The pause before a miss is looked at again. */
const AGAIN_MS = 5_000;
/** The pause while nobody answers doubles up to that between two looks at what is known. */
const SILENCE_FIRST_MS = 15_000;
const STEADY_MS = 600_000;

/**
 * Finds out whether others reach a node directly, and where, as a synchronous state machine: has it
 * dialled back by several others, and believes what most of them say of an address.
 */
export class ReachabilityCore implements Core<ReachabilityInput, ReachabilityEffect> {
  readonly #effects: ReachabilityEffect[] = [];
  #isAsking = false;
  #misses = 0;
  #silenceMs = SILENCE_FIRST_MS;
  #dueAt: Instant = Number.POSITIVE_INFINITY;
  /** What was found last, as text; nothing yet, or nobody gets through: the empty text. */
  #found: string | undefined;

  handle(input: ReachabilityInput, now: Instant): void {
    if (input.kind === "look") this.#ask();
    else if (this.#isAsking) this.#judge(input.candidates, input.verdicts, now);
  }

  timeout(now: Instant): void {
    if (now >= this.#dueAt) this.#ask();
  }

  poll(): ReachabilityEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#dueAt;
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#effects.push({ kind: "ask" });
  }

  #judge(
    candidates: readonly NodeAddress[],
    verdicts: readonly (readonly DialBackVerdict[])[],
    now: Instant,
  ): void {
    this.#isAsking = false;
    const isTold = candidates.length === 0 || verdicts.flat().some((one) => one !== "untried");
    if (verdicts.length === 0 || !isTold) {
      this.#dueAt = now + this.#silenceMs;
      this.#silenceMs = Math.min(2 * this.#silenceMs, STEADY_MS);
      return;
    }
    this.#silenceMs = SILENCE_FIRST_MS;
    const met = candidates.filter((_, at) => isMet(verdicts.map((one) => one[at] ?? "untried")));
    this.#misses = met.length > 0 ? 0 : this.#misses + 1;
    const isOpen = this.#misses > 0 && this.#misses < MISSES_MAX;
    this.#dueAt = now + (isOpen ? AGAIN_MS : STEADY_MS);
    if (!isOpen) this.#tell(met);
  }

  #tell(addresses: readonly NodeAddress[]): void {
    const found = addresses.map(formatNodeAddress).join();
    if (found === this.#found) return;
    this.#found = found;
    const isReached = addresses.length > 0;
    this.#effects.push(isReached ? { kind: "reached", addresses } : { kind: "unreached" });
  }
}

/** More have met this node there than have missed it. */
function isMet(verdicts: readonly DialBackVerdict[]): boolean {
  const count = (which: DialBackVerdict): number =>
    verdicts.filter((verdict) => verdict === which).length;
  return count("met") > count("missed");
}
