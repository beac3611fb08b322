import type { ErrorCode, SeededRandom } from "../../../src/base/index.ts";
import { Chain, ReadCapability, type WriteCapability } from "../../../src/crypto/index.ts";
import {
  resolveSubscriptionOptions,
  type SubscriptionOptions,
} from "../../../src/stream/multicast/options.ts";
import {
  SubscriptionCore,
  type SubscriptionInput,
} from "../../../src/stream/multicast/subscription-core.ts";
import { decodeSubscriptionState } from "../../../src/stream/multicast/subscription-state.ts";
import { FigureWatch } from "../../../src/testing/world/figures.ts";
import type { Pattern } from "../../../src/testing/world/pattern.ts";
import { Violation } from "../../../src/testing/world/violation.ts";
import type { VirtualJournal } from "../../../src/testing/world/virtual-journal.ts";
import type { FrameLog } from "./frame-log.ts";
import { type Announcement, Process, type Surroundings } from "./process.ts";

/** What the application at one reader does. */
export interface FollowerPlan {
  /** When it joins, and from which frame on. */
  readonly atMs: number;
  readonly from: "next" | "oldest";
  /** Mean time that it needs for a piece before it takes it; 0: at once. */
  readonly takeMsMean?: number;
  /** A time in which it takes nothing. */
  readonly stall?: { readonly fromMs: number; readonly toMs: number };
  /** When it closes without a word. */
  readonly closesAtMs?: number;
  /** When it is killed, and for how long it is down. */
  readonly kills?: readonly { readonly atMs: number; readonly downMs: number }[];
  /** It has a repair chain. */
  readonly repairs?: boolean;
  /** It may lose frames, or end with this error. */
  readonly mayLag?: boolean;
  readonly options?: Partial<SubscriptionOptions>;
}

/** What a reader of a multicast world is made of. */
export interface FollowerInit extends Surroundings {
  readonly name: string;
  readonly plan: FollowerPlan;
  readonly read: ReadCapability;
  /** The number of the first frame that `read` opens. */
  readonly first: number;
  readonly repair: WriteCapability | undefined;
  readonly cellBytes: number;
  readonly journal: VirtualJournal;
  readonly random: SeededRandom;
  readonly text: Pattern;
  readonly log: FrameLog;
}

/** How a reader ended: not yet, with the broadcast, by itself, or with an error. */
export type FollowerOutcome = "reading" | "ended" | "closed" | ErrorCode;

/**
 * A process that follows a broadcast, and the judge of what it gets: every piece is compared with
 * the text where it has to be. What its application has taken survives its crashes.
 */
export class Follower {
  readonly #init: FollowerInit;
  readonly #watch: FigureWatch;
  readonly counts = { puts: 0, lags: 0, skippedFrames: 0, kills: 0 };
  outcome: FollowerOutcome = "reading";
  #core: SubscriptionCore;
  #process: Process<SubscriptionInput>;
  /** Position in the text behind what was delivered; `undefined` before the first piece. */
  #position: number | undefined;
  /** What the core's offsets lack to be positions in the text. */
  #shift = 0;
  /** Pieces that the application has not taken: where they end, and the core's offset there. */
  #queue: { readonly end: number; readonly offset: number }[] = [];
  #kept = 0;
  #session = 0;
  #isEndTold = false;

  constructor(init: FollowerInit) {
    this.#init = init;
    this.#watch = new FigureWatch(init.name);
    [this.#core, this.#process] = this.#create();
  }

  /** Position in the text behind what its application has taken. */
  get kept(): number {
    return this.#kept;
  }

  /** It has taken everything there is, or joined when nothing more came. */
  hasAll(total: number): boolean {
    const { first, log } = this.#init;
    return this.#kept === total || log.frames.length <= first;
  }

  start(): void {
    const { clock, plan } = this.#init;
    this.#process.start();
    for (const { atMs, downMs } of plan.kills ?? []) {
      clock.schedule(atMs, () => this.#kill(downMs));
    }
    if (plan.closesAtMs === undefined) return;
    clock.schedule(plan.closesAtMs, () => {
      if (this.outcome === "reading") this.#leave("closed");
    });
  }

  #create(): [SubscriptionCore, Process<SubscriptionInput>] {
    const { plan, repair, cellBytes, random, journal, name } = this.#init;
    const state = journal.head && decodeSubscriptionState(journal.head);
    const read = state ? ReadCapability.of(state.root, Chain.fromBytes(state.chain)) : undefined;
    const core = new SubscriptionCore({
      read: read ?? this.#init.read,
      repair,
      cellBytes,
      random: random.fork(this.#session),
      options: resolveSubscriptionOptions({ ...plan.options, durable: true }),
      ...(state && { state }),
    });
    const running = new Process<SubscriptionInput>({
      ...this.#init,
      side: "b",
      name,
      core,
      onEvent: (event) => this.#onEvent(event),
      onPut: () => {
        this.counts.puts += 1;
      },
      figures: {
        of: () => {
          const { deliveredBytes, takenBytes, skippedFrames } = core.progress;
          return { deliveredBytes, takenBytes, skippedFrames };
        },
        watch: this.#watch,
      },
      diesNow: () => false,
    });
    return [core, running];
  }

  #onEvent(event: Announcement): void {
    switch (event.kind) {
      case "deliver":
        this.#deliver(event.offset, event.bytes);
        break;
      case "delivered-end":
        this.#judgeEnd();
        break;
      case "warning":
        if (event.code === "CULVERT_LAGGED") this.#lag(event.detail?.frames ?? 0);
        break;
      case "fail":
        this.#fail(event.code, event.message);
        break;
      case "done":
        this.#judgeDone();
        break;
      default:
        throw new Violation("failure", `${this.#init.name}: ${event.kind}`);
    }
  }

  #deliver(offset: number, bytes: Uint8Array): void {
    const { name, text } = this.#init;
    this.#position ??= this.#join();
    const at = offset + this.#shift;
    if (at < this.#position) throw new Violation("duplicate", `${name}: byte ${at} again`);
    if (at > this.#position) {
      throw new Violation("order", `${name}: byte ${at} instead of ${this.#position}`);
    }
    const wrongAt = text.mismatch(at, bytes);
    if (wrongAt !== undefined) throw new Violation("content", `${name}: byte ${wrongAt} is wrong`);
    this.#position = at + bytes.length;
    this.#queue.push({ end: this.#position, offset: offset + bytes.length });
    if (this.#queue.length === 1) this.#takeLater();
  }

  /** Where the first frame begins is known when it has been put. */
  #join(): number {
    const { name, first, log } = this.#init;
    if (log.frames.length <= first) throw new Violation("order", `${name} knows what was not put`);
    this.#shift = log.startOf(first);
    this.#kept = this.#shift;
    return this.#shift;
  }

  #takeLater(): void {
    const { clock, random, plan } = this.#init;
    const session = this.#session;
    const at = clock.now() - (plan.takeMsMean ?? 0) * Math.log(1 - random.unit());
    const { fromMs, toMs } = plan.stall ?? { fromMs: 0, toMs: 0 };
    clock.schedule(at >= fromMs && at < toMs ? toMs : at, () => {
      const taken = session === this.#session ? this.#queue.shift() : undefined;
      if (taken === undefined) return;
      this.#kept = Math.max(this.#kept, taken.end);
      this.#process.handle({ kind: "taken", offset: taken.offset });
      if (session === this.#session && this.#queue.length > 0) this.#takeLater();
    });
  }

  /** The frames that were passed over: none of them may still be there. */
  #lag(frames: number): void {
    const { name, plan, log, map } = this.#init;
    if (plan.mayLag !== true) throw new Violation("loss", `${name}: ${frames} frames skipped`);
    const position = this.#position ?? this.#join();
    const from = log.frames.findIndex(({ start, end }) => start >= position && end > start);
    const skipped = log.frames.slice(from, from + frames);
    const alive = skipped.filter(({ key }) => map.holds(key)).length;
    if (alive > 0) throw new Violation("loss", `${name}: ${alive} of ${frames} frames were there`);
    this.counts.lags += 1;
    this.counts.skippedFrames += frames;
    const goesOnAt = log.startOf(from + frames);
    this.#shift += goesOnAt - position;
    this.#position = goesOnAt;
  }

  #judgeEnd(): void {
    const last = this.#init.log.frames.at(-1);
    this.#position ??= this.#join();
    if (last?.type !== "end" || last.end !== this.#position) {
      throw new Violation("end", `${this.#init.name} ends at ${this.#position}`);
    }
    this.#isEndTold = true;
  }

  /** Who is done has been told of the end, and its application has taken what came before it. */
  #judgeDone(): void {
    if (!this.#isEndTold || this.#queue.length > 0) {
      throw new Violation("loss", `${this.#init.name} is done before its application`);
    }
    this.#leave("ended");
  }

  #fail(code: ErrorCode, message: string): void {
    const { name, plan } = this.#init;
    if (code !== "CULVERT_LAGGED" || plan.mayLag !== true) {
      throw new Violation("failure", `${name}: ${code}: ${message}`);
    }
    this.#leave(code);
  }

  #kill(downMs: number): void {
    const { clock, journal } = this.#init;
    if (this.outcome !== "reading" || !this.#process.isAlive) return;
    this.counts.kills += 1;
    this.#process.stop();
    this.#session += 1;
    this.#queue = [];
    journal.crash();
    clock.schedule(clock.now() + downMs, () => {
      [this.#core, this.#process] = this.#create();
      if (this.#position !== undefined) this.#position = this.#resumeAt();
      if (this.#core.progress.isEnded) this.#judgeDone();
      else this.#process.start();
    });
  }

  #resumeAt(): number {
    const position = this.#core.progress.takenBytes + this.#shift;
    if (position <= this.#kept) return position;
    throw new Violation("loss", `${this.#init.name} resumes at ${position}, kept ${this.#kept}`);
  }

  #leave(outcome: FollowerOutcome): void {
    this.outcome = outcome;
    this.#session += 1;
    this.#process.stop();
  }
}
