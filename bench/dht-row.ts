import type { Verdict } from "./harness.ts";

/** What one row measured. */
export interface DhtOutcome {
  readonly verdicts: readonly Verdict[];
  /** Plain figures, for the file and the picture. */
  readonly figures: Readonly<Record<string, number>>;
}

/** One kind of network, and what is asked of it. */
export interface DhtRow {
  readonly name: string;
  readonly title: string;
  run(seed: number): DhtOutcome;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** Whether a share is as large as was asked. */
export function atLeastShare(what: string, share: number, asked: number): Verdict {
  const measured = percent(share);
  return { what, asked: `>= ${percent(asked)}`, measured, isMet: share >= asked };
}
