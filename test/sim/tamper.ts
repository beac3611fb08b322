import type { Instant } from "../../src/base/index.ts";
import type { StreamEffect, StreamInput } from "../../src/stream/exchange/protocol.ts";
import type {
  CreateSubject,
  Subject,
  SubjectInit,
  SubjectProgress,
} from "../../src/testing/world/index.ts";
import { effectsOf } from "../effects-of.ts";

/** What a planted bug changes of what goes into a core and what comes out of it. */
export interface Tamper {
  /** What the core hears instead of `input`. */
  readonly input?: (input: StreamInput) => readonly StreamInput[];
  /** What the world sees instead of `effect`; `tell` speaks to the core behind the world's back. */
  readonly effect?: (
    effect: StreamEffect,
    tell: (input: StreamInput) => void,
  ) => readonly StreamEffect[];
  /** What the core tells of itself instead of `progress`. */
  readonly progress?: (progress: SubjectProgress) => SubjectProgress;
}

/** Cores with a bug in them. `plant` is called for each session: a crash makes it forget. */
export function tampered(
  create: CreateSubject,
  plant: (init: SubjectInit) => Tamper,
): CreateSubject {
  return (init) => new TamperedSubject(create(init), plant(init));
}

class TamperedSubject implements Subject {
  readonly readOffset: number;
  readonly isOver: boolean;
  readonly #inner: Subject;
  readonly #tamper: Tamper;
  readonly #effects: StreamEffect[] = [];
  #now: Instant = 0;

  constructor(inner: Subject, tamper: Tamper) {
    this.#inner = inner;
    this.#tamper = tamper;
    this.readOffset = inner.readOffset;
    this.isOver = inner.isOver;
  }

  get isFull(): boolean {
    return this.#inner.isFull;
  }

  get progress(): SubjectProgress {
    const { progress } = this.#inner;
    return this.#tamper.progress?.(progress) ?? progress;
  }

  handle(input: StreamInput, now: Instant): void {
    this.#now = now;
    const inputs = this.#tamper.input?.(input) ?? [input];
    for (const changed of inputs) this.#tell(changed);
  }

  timeout(now: Instant): void {
    this.#now = now;
    this.#inner.timeout(now);
    this.#drain();
  }

  poll(): StreamEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#inner.deadline();
  }

  #tell(input: StreamInput): void {
    this.#inner.handle(input, this.#now);
    this.#drain();
  }

  #drain(): void {
    const whispers: StreamInput[] = [];
    for (const effect of effectsOf(this.#inner)) {
      const seen = this.#tamper.effect?.(effect, (input) => whispers.push(input));
      this.#effects.push(...(seen ?? [effect]));
    }
    for (const input of whispers) this.#tell(input);
  }
}
