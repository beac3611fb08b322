import type { Verdict } from "./harness.ts";

/** What one seed of a row gave. */
export interface Sample {
  readonly seed: number;
  /** The rule that was broken, and how; the figures of such a run do not count. */
  readonly violation?: string;
  readonly figures: Figures;
}

/** What was measured in one run. */
export interface Figures {
  readonly goodputBps?: number;
  readonly limitBps?: number;
  readonly putsPerFrame?: number;
  readonly getsPerFrame?: number;
  readonly latencyMs?: number;
  readonly frames?: number;
  readonly crashes?: number;
  readonly events?: number;
  readonly completed?: number;
  readonly messages?: number;
  readonly deliveredShare?: number;
  readonly foundAtOnce?: number;
  readonly foundAfterRepair?: number;
}

/** How large a world of many nodes is. */
export interface RowSize {
  readonly nodes: number;
  readonly streams: number;
}

/** One kind of run, how often it is made, and what is asked of all of them together. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly seeds: number;
  /** Plain data: what the runs follow from besides their seeds. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What besides the parameters the run of one seed follows from, for rows that draw it. */
  plan?(seed: number, size?: Partial<RowSize>): object;
  /** @param size what the command line asks for; rows of two parties do not look at it */
  run(seed: number, size?: Partial<RowSize>): Sample | Promise<Sample>;
  judge(samples: readonly Sample[]): Verdict[];
}

/** Every seed has to keep every rule. */
export function everySeed(samples: readonly Sample[]): Verdict[] {
  const good = samples.filter((sample) => sample.violation === undefined).length;
  return [
    {
      what: "seeds that keep every rule",
      asked: `${samples.length}`,
      measured: `${good}`,
      isMet: good === samples.length,
    },
  ];
}

/** A run whose error is a broken rule, not the end of the sweep. */
export function guarded(seed: number, run: () => Figures): Sample {
  try {
    return { seed, figures: run() };
  } catch (error) {
    const violation = error instanceof Error ? error.message : String(error);
    return { seed, violation, figures: {} };
  }
}

/** The mean of one figure. */
export function mean(samples: readonly Sample[], name: keyof Figures): number {
  const sum = samples.reduce((total, { figures }) => total + (figures[name] ?? 0), 0);
  return sum / Math.max(1, samples.length);
}
