import type { Core, Instant } from "../../base/index.ts";
import { formatNodeAddress, type NodeAddress } from "../../identity/index.ts";

/** What dialling this node back at one address came to; `untried`: nobody knows. */
export type DialBackVerdict = "untried" | "missed" | "met";

/** What goes into a reachability core. */
export type ReachabilityInput =
  /** Others may be asked from now on; or something has changed, and what was found says nothing. */
  | { readonly kind: "look" }
  /** Those who were asked have answered, or never will. */
  | {
      readonly kind: "answers";
      readonly candidates: readonly NodeAddress[];
      /** Whether one of them is this machine's own, so that others should get through. */
      readonly isExpected: boolean;
      /** Of each who answered, one verdict for each candidate. */
      readonly verdicts: readonly (readonly DialBackVerdict[])[];
    };

type Answers = ReachabilityInput & { readonly kind: "answers" };

/** What comes out of it. */
export type ReachabilityEffect =
  /** Ask some nodes to dial this one at all addresses at which it might be; answer once. */
  | { readonly kind: "ask" }
  /** Others reach this node there. */
  | { readonly kind: "reached"; readonly addresses: readonly NodeAddress[] }
  /** Nobody reaches it: only relays lead here. */
  | { readonly kind: "unreached" };

/**
 * Rounds in a row in which nobody got through, until that is believed: packets are lost, and those
 * who dial may be short of time. More where others should get through.
 */
const MISSES_MAX = { expected: 5, otherwise: 2 } as const;
/** The pause before a miss is looked at again, and that while nobody answers: both double. */
const AGAIN_FIRST_MS = 5_000;
const SILENCE_FIRST_MS = 15_000;
/** Between two looks at what is known; the pauses that double do not exceed it. */
const STEADY_MS = 600_000;

/**
 * Finds out whether others reach a node directly, and where, as a synchronous state machine: has it
 * dialled back by several others, and believes what most of them say of an address.
 */
export class ReachabilityCore implements Core<ReachabilityInput, ReachabilityEffect> {
  readonly #effects: ReachabilityEffect[] = [];
  #isAsking = false;
  /** Something has changed since they were asked. */
  #isOutdated = false;
  #misses = 0;
  #againMs = AGAIN_FIRST_MS;
  #silenceMs = SILENCE_FIRST_MS;
  #dueAt: Instant = Number.POSITIVE_INFINITY;
  /** What was found last, as text; nothing yet, or nobody gets through: the empty text. */
  #found: string | undefined;

  handle(input: ReachabilityInput, now: Instant): void {
    if (input.kind === "look") this.#askAnew();
    else if (this.#isAsking) this.#judge(input, now);
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

  #askAnew(): void {
    this.#isOutdated = this.#isAsking;
    this.#found = undefined;
    this.#misses = 0;
    this.#againMs = AGAIN_FIRST_MS;
    this.#silenceMs = SILENCE_FIRST_MS;
    this.#ask();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#effects.push({ kind: "ask" });
  }

  #judge({ candidates, isExpected, verdicts }: Answers, now: Instant): void {
    this.#isAsking = false;
    if (this.#isOutdated) {
      this.#isOutdated = false;
      this.#ask();
      return;
    }
    const isTold = candidates.length === 0 || verdicts.flat().some((one) => one !== "untried");
    if (verdicts.length === 0 || !isTold) {
      this.#dueAt = now + this.#silenceMs;
      this.#silenceMs = Math.min(2 * this.#silenceMs, STEADY_MS);
      return;
    }
    this.#silenceMs = SILENCE_FIRST_MS;
    const met = candidates.filter((_, at) => isMet(verdicts.map((one) => one[at] ?? "untried")));
    if (met.length > 0) this.#met(met, now);
    else this.#missed(MISSES_MAX[isExpected ? "expected" : "otherwise"], now);
  }

  #met(addresses: readonly NodeAddress[], now: Instant): void {
    this.#misses = 0;
    this.#againMs = AGAIN_FIRST_MS;
    this.#dueAt = now + STEADY_MS;
    this.#tell(addresses);
  }

  #missed(missesMax: number, now: Instant): void {
    this.#misses += 1;
    this.#dueAt = now + this.#againMs;
    this.#againMs = Math.min(2 * this.#againMs, STEADY_MS);
    if (this.#misses >= missesMax) this.#tell([]);
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
