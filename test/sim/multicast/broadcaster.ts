import type { SeededRandom } from "../../../src/base/index.ts";
import type { ReadCapability, WriteCapability } from "../../../src/crypto/index.ts";
import type { IoInput } from "../../../src/stream/exchange/protocol.ts";
import {
  BroadcastCore,
  type BroadcastInput,
  type BroadcastProgress,
} from "../../../src/stream/multicast/broadcast-core.ts";
import {
  decodeBroadcastState,
  type RepairPosition,
} from "../../../src/stream/multicast/broadcast-state.ts";
import {
  type BroadcastOptions,
  resolveBroadcastOptions,
} from "../../../src/stream/multicast/options.ts";
import { RepairCore } from "../../../src/stream/multicast/repair-core.ts";
import { streamIdOf } from "../../../src/stream/secret.ts";
import { type Figures, FigureWatch } from "../../../src/testing/world/figures.ts";
import type { Pattern } from "../../../src/testing/world/pattern.ts";
import { Violation } from "../../../src/testing/world/violation.ts";
import type { VirtualJournal } from "../../../src/testing/world/virtual-journal.ts";
import type { PlannedWrite } from "../../../src/testing/world/writer.ts";
import type { FrameLog } from "./frame-log.ts";
import { type Announcement, Process, type Surroundings } from "./process.ts";

/** What the writing side of a multicast world is made of. */
export interface BroadcasterInit extends Surroundings {
  readonly write: WriteCapability;
  readonly cellBytes: number;
  readonly options: Partial<BroadcastOptions>;
  readonly journal: VirtualJournal;
  readonly random: SeededRandom;
  readonly text: Pattern;
  /** In order of time; the end follows the last one, if it comes at all. */
  readonly writes: readonly PlannedWrite[];
  readonly ends: boolean;
  readonly log: FrameLog;
  /** For how long the process is down if it dies at this point. */
  readonly crashes: (point: number) => number | undefined;
}

/** The process that broadcasts: its core, its repair desk, the application that writes. */
export class Broadcaster {
  readonly #init: BroadcasterInit;
  readonly #options: BroadcastOptions;
  readonly #repairs = new Map<string, Process<IoInput>>();
  readonly #readers = new Map<string, RepairPosition>();
  readonly #watch = new FigureWatch("the writer");
  readonly total: number;
  readonly counts = { crashes: 0, points: 0, puts: 0, repairs: 0 };
  #core: BroadcastCore;
  #process: Process<BroadcastInput>;
  #position = 0;
  #hasEnded = false;
  #isDone = false;
  #session = 0;

  constructor(init: BroadcasterInit) {
    this.#init = init;
    this.#options = resolveBroadcastOptions({ ...init.options, durable: true });
    this.total = init.writes.reduce((sum, { bytes }) => sum + bytes, 0);
    [this.#core, this.#process] = this.#create();
  }

  get progress(): BroadcastProgress {
    return this.#core.progress;
  }

  /** Everything that will ever be written is in the Map. */
  get isThrough(): boolean {
    if (this.#isDone) return true;
    const isSaid = this.#position === this.total && (this.#hasEnded || !this.#init.ends);
    return isSaid && this.#process.isAlive && this.progress.isAllStored;
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** The right to read, and the number of its first frame. */
  capability(from: "next" | "oldest"): { read: ReadCapability; first: number } {
    const read = this.#core.capability(from);
    return { read, first: Number(read.index - this.#init.write.index) };
  }

  start(): void {
    this.#process.start();
    this.#addMissing();
    this.#write();
  }

  /** Follows a repair chain, after each restart too. */
  addReader(read: ReadCapability): void {
    const id = streamIdOf(read.root);
    this.#readers.set(id, { root: read.root, next: 0, chain: read.chain.toBytes() });
    if (this.#process.isAlive) this.#addMissing();
  }

  #addMissing(): void {
    for (const [id, position] of this.#readers) {
      if (this.#repairs.has(id)) continue;
      this.#process.handle({ kind: "reader", id, position });
      this.#follow(id, position);
    }
  }

  #create(): [BroadcastCore, Process<BroadcastInput>] {
    const { write, cellBytes, journal, random, log } = this.#init;
    const { head } = journal;
    const state = head && decodeBroadcastState(head);
    const readers = new Map(state?.readers.map((reader) => [streamIdOf(reader.root), reader]));
    const core = new BroadcastCore({
      write,
      cellBytes,
      random: random.fork(this.#session),
      options: this.#options,
      ...(state && { state, readers }),
    });
    const running = new Process<BroadcastInput>({
      ...this.#init,
      side: "a",
      name: "writer",
      core,
      onEvent: (event) => this.#onEvent(event),
      onPut: (put) => {
        this.counts.puts += 1;
        log.put(put);
      },
      figures: { of: () => figuresOf(core.progress), watch: this.#watch },
      diesNow: () => this.#diesNow(),
    });
    this.#position = core.progress.writtenBytes;
    this.#hasEnded = state?.framer.endAsked ?? false;
    for (const [id, position] of readers) this.#follow(id, position);
    return [core, running];
  }

  #follow(id: string, position: RepairPosition): void {
    const { cellBytes, random } = this.#init;
    const options = this.#options;
    const core = new RepairCore({ position, cellBytes, random: random.fork(7), options });
    const running = new Process<IoInput>({
      ...this.#init,
      journal: undefined,
      side: "a",
      name: `desk ${id.slice(0, 4)}`,
      core,
      onEvent: (event) => {
        if (event.kind !== "asked") return;
        this.#process.handle({ kind: "reader", id, position: event.position });
        this.#process.handle({ kind: "repair", wanted: event.wanted });
      },
      diesNow: () => this.#diesNow(),
    });
    this.#repairs.get(id)?.stop();
    this.#repairs.set(id, running);
    // Not within the turn of another core.
    this.#init.clock.schedule(this.#init.clock.now(), () => running.start());
  }

  #onEvent(event: Announcement): void {
    const { clock } = this.#init;
    const session = this.#session;
    switch (event.kind) {
      case "drain":
        clock.schedule(clock.now(), () => {
          if (session === this.#session) this.#write();
        });
        break;
      case "all-stored":
        this.#judgeStored();
        break;
      case "warning":
        break;
      case "done":
        this.#isDone = true;
        this.#stop();
        break;
      default:
        throw new Violation("failure", `the writer: ${JSON.stringify(event)}`);
    }
  }

  /** What is said to be stored was put, all of it. */
  #judgeStored(): void {
    const { framedBytes } = this.progress;
    const put = this.#init.log.frames.at(-1)?.end ?? 0;
    if (put < framedBytes) {
      throw new Violation("early-acknowledgement", `stored ${framedBytes}, but put ${put}`);
    }
  }

  /** Writes what is due and comes back for the rest. */
  #write(): void {
    const { clock, writes, text, ends } = this.#init;
    const session = this.#session;
    let covered = 0;
    for (const { bytes, atMs } of writes) {
      covered += bytes;
      if (covered <= this.#position) continue;
      if (atMs > clock.now()) {
        clock.schedule(atMs, () => {
          if (session === this.#session) this.#write();
        });
        return;
      }
      const chunk = text.bytes(this.#position, covered - this.#position);
      this.#position = covered;
      this.#process.handle({ kind: "write", bytes: chunk });
      if (session !== this.#session || this.#core.isFull) return;
    }
    if (!ends || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#process.handle({ kind: "end" });
  }

  #diesNow(): boolean {
    const { clock, crashes, journal } = this.#init;
    const downMs = crashes(this.counts.points);
    this.counts.points += 1;
    if (downMs === undefined) return false;
    this.counts.crashes += 1;
    this.#stop();
    journal.crash();
    clock.schedule(clock.now() + downMs, () => {
      [this.#core, this.#process] = this.#create();
      this.start();
    });
    return true;
  }

  #stop(): void {
    this.#session += 1;
    this.counts.repairs += this.progress.repairs;
    this.#process.stop();
    for (const running of this.#repairs.values()) running.stop();
    this.#repairs.clear();
  }
}

function figuresOf({ writtenBytes, framedBytes, storedBytes }: BroadcastProgress): Figures {
  return { writtenBytes, framedBytes, storedBytes };
}
