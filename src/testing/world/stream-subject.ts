import { StreamCore } from "../../stream/core/stream-core.ts";
import { capabilitiesOf, type StreamCapabilities } from "../../stream/duplex/assemble.ts";
import type { StreamEffect, StreamInput } from "../../stream/exchange/protocol.ts";
import { resolveOptions, type StreamOptions } from "../../stream/options.ts";
import { decodeState } from "../../stream/saved/state-codec.ts";
import type { Side } from "./faults.ts";
import type { CreateSubject, Subject, SubjectInit, SubjectProgress } from "./subject.ts";

/** How the stream cores of a world are made. */
export interface StreamSubjectOptions {
  /** Exact length of every cell. */
  readonly cellBytes: number;
  readonly options?: Partial<StreamOptions>;
}

/**
 * The stream cores of Culvert as subjects of a world: side `a` listens, side `b` dials.
 *
 * All worlds share one secret. What differs between two runs of one seed is nothing; between two
 * seeds it is the randomness of the nonces and of everything that happens.
 */
export function streamSubjects(given: StreamSubjectOptions): CreateSubject {
  const options = resolveOptions(given.options);
  return (init) => new StreamSubject(init, given.cellBytes, options);
}

class StreamSubject implements Subject {
  readonly readOffset: number;
  readonly isOver: boolean;
  readonly #core: StreamCore;

  constructor(init: SubjectInit, cellBytes: number, options: StreamOptions) {
    const { side, random, head } = init;
    const state = head === undefined ? undefined : decodeState(head);
    this.#core = new StreamCore({
      ...capabilities(side),
      random,
      cellBytes,
      options,
      ...(state === undefined ? {} : { state }),
    });
    this.readOffset = this.#core.progress.takenBytes;
    this.isOver = state?.isDone ?? false;
  }

  get isFull(): boolean {
    return this.#core.isFull;
  }

  get progress(): SubjectProgress {
    return this.#core.progress;
  }

  handle(input: StreamInput, now: number): void {
    this.#core.handle(input, now);
  }

  timeout(now: number): void {
    this.#core.timeout(now);
  }

  poll(): StreamEffect | undefined {
    return this.#core.poll();
  }

  deadline(): number {
    return this.#core.deadline();
  }
}

/** A secret like any other: worlds protect nothing. */
const SECRET = new Uint8Array(32).fill(0x57);

/** Curve arithmetic is dear, and every world may use the same keys. */
const CAPABILITIES = new Map<Side, StreamCapabilities>();

function capabilities(side: Side): StreamCapabilities {
  let known = CAPABILITIES.get(side);
  if (known === undefined) {
    known = capabilitiesOf(SECRET, side === "a" ? "listener" : "dialer");
    CAPABILITIES.set(side, known);
  }
  return known;
}
