import type { Cancel, SeededRandom } from "../../base/index.ts";
import type { StreamInput } from "../../stream/exchange/protocol.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { Pattern } from "./pattern.ts";
import type { Subject } from "./subject.ts";

/** Some bytes that an application writes in one call. */
export interface PlannedWrite {
  readonly atMs: number;
  readonly bytes: number;
}

/** What the application at one side writes. */
export interface WriterPlan {
  /** In order of time. */
  readonly writes: readonly PlannedWrite[];
  /** When it ends its side: behind the last write, once the peer has everything, or never. */
  readonly end: "written" | "acknowledged" | "never";
  /** When it gives the stream up, whatever has been said until then. */
  readonly abortAtMs?: number;
}

/** A writer that has nothing to say and says so. */
export const SILENT_WRITER: WriterPlan = Object.freeze({ writes: [], end: "written" });

/** Everything at once, at the start. */
export function writeAtOnce(bytes: number, end: WriterPlan["end"] = "written"): WriterPlan {
  return { writes: bytes > 0 ? [{ atMs: 0, bytes }] : [], end };
}

/** `bytes` in writes of random sizes up to `chunkBytesMax`, at random gaps. */
export function writeInChunks(
  random: SeededRandom,
  plan: { bytes: number; chunkBytesMax: number; gapMsMean: number; end: WriterPlan["end"] },
): WriterPlan {
  const writes: PlannedWrite[] = [];
  let atMs = 0;
  for (let left = plan.bytes; left > 0; ) {
    const bytes = Math.min(left, 1 + random.below(plan.chunkBytesMax));
    writes.push({ atMs, bytes });
    atMs -= plan.gapMsMean * Math.log(1 - random.unit());
    left -= bytes;
  }
  return { writes, end: plan.end };
}

/**
 * The application that writes. It knows its text by heart, so after a crash it goes on where the
 * core says that the journal ends; it waits when it is asked to.
 */
export class Writer {
  readonly #clock: VirtualClock;
  readonly #plan: WriterPlan;
  readonly #text: Pattern;
  readonly total: number;
  #position = 0;
  #session = 0;
  #hasEnded = false;
  #hasAborted = false;
  #cancelAbort: Cancel = () => {};

  constructor(init: { clock: VirtualClock; plan: WriterPlan; seed: number }) {
    this.#clock = init.clock;
    this.#plan = init.plan;
    this.#text = new Pattern(init.seed);
    this.total = init.plan.writes.reduce((sum, write) => sum + write.bytes, 0);
  }

  /** Bytes handed to the core so far, over all sessions. */
  get position(): number {
    return this.#position;
  }

  /** Whether this session's core was told that there is no more to come. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether the stream was given up from this side. */
  get hasAborted(): boolean {
    return this.#hasAborted;
  }

  /** Whether everything has been said that this application will ever say. */
  get isThrough(): boolean {
    return this.#position === this.total && (this.#hasEnded || this.#plan.end === "never");
  }

  /** Begins, or begins again, to talk to a core. */
  start(subject: Subject, input: (input: StreamInput) => void): void {
    this.#session += 1;
    this.#position = subject.progress.writtenBytes;
    this.#hasEnded = false;
    this.#proceed(subject, input);
    this.#abortInTime(input);
  }

  /** The process is gone. */
  stop(): void {
    this.#session += 1;
    this.#cancelAbort();
  }

  /** There is room again. */
  drained(subject: Subject, input: (input: StreamInput) => void): void {
    this.#session += 1;
    this.#proceed(subject, input);
  }

  /** The peer has everything that was written. */
  acknowledged(input: (input: StreamInput) => void): void {
    if (this.#plan.end !== "acknowledged" || this.#position < this.total) return;
    this.#end(input);
  }

  /** Writes what is due and comes back for the rest. */
  #proceed(subject: Subject, input: (input: StreamInput) => void): void {
    const session = this.#session;
    const now = this.#clock.now();
    let covered = 0;
    for (const write of this.#plan.writes) {
      covered += write.bytes;
      if (covered <= this.#position) continue;
      if (write.atMs > now) {
        this.#clock.schedule(write.atMs, () => {
          if (session === this.#session) this.#proceed(subject, input);
        });
        return;
      }
      const bytes = this.#text.bytes(this.#position, covered - this.#position);
      this.#position = covered;
      input({ kind: "write", bytes });
      if (session !== this.#session || subject.isFull) return;
    }
    if (this.#plan.end === "written" || this.#isSynced(subject)) this.#end(input);
  }

  /** Whether there is nothing to wait for, as a `sync` of an application would find. */
  #isSynced(subject: Subject): boolean {
    return this.#plan.end === "acknowledged" && subject.progress.isAllAcknowledged;
  }

  #abortInTime(input: (input: StreamInput) => void): void {
    const { abortAtMs } = this.#plan;
    if (abortAtMs === undefined) return;
    this.#cancelAbort = this.#clock.schedule(Math.max(abortAtMs, this.#clock.now()), () => {
      this.stop();
      this.#hasAborted = true;
      input({ kind: "abort" });
    });
  }

  #end(input: (input: StreamInput) => void): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    input({ kind: "end" });
  }
}
