/** What a run can break. docs/SIMULATION.md says what each rule stands for. */
export const RULES = [
  "order",
  "content",
  "duplicate",
  "loss",
  "end",
  "unfinished",
  "early-acknowledgement",
  "figures",
  "frame-reused",
  "nonce-reused",
  "cell-length",
  "memory",
  "pace",
  "idle",
  "hang",
  "failure",
  "after-the-end",
  "throw",
] as const;

/** The name of a rule that an oracle watches over. */
export type Rule = (typeof RULES)[number];

/** Thrown by an oracle the moment a rule is broken; a world ends with it. */
export class Violation extends Error {
  readonly rule: Rule;

  constructor(rule: Rule, why: string) {
    super(`${rule}: ${why}`);
    this.name = "Violation";
    this.rule = rule;
  }
}
