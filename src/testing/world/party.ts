import {
  Driver,
  type ErrorCode,
  type JournalChanges,
  type SeededRandom,
  unreachable,
} from "../../base/index.ts";
import type { StreamEffect, StreamInput } from "../../stream/exchange/protocol.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { CrashPlan } from "./crashes.ts";
import type { Side } from "./faults.ts";
import { FigureWatch } from "./figures.ts";
import type { Reader } from "./reader.ts";
import type { Referee } from "./referee.ts";
import type { CreateSubject, Subject } from "./subject.ts";
import type { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";
import { VirtualClient } from "./virtual-client.ts";
import type { VirtualJournal } from "./virtual-journal.ts";
import type { VirtualMap } from "./virtual-map.ts";
import type { Writer } from "./writer.ts";

type Announcement = Exclude<
  StreamEffect,
  { kind: "put" | "get" | "cancel" | "journal" | "recall" | "turn" | "deliver" }
>;

/** What a party is made of. */
export interface PartyInit {
  readonly side: Side;
  readonly clock: VirtualClock;
  readonly map: VirtualMap;
  readonly journal: VirtualJournal;
  readonly writer: Writer;
  readonly reader: Reader;
  /** The other side's applications, by whom this side's claims are judged. */
  readonly peerWriter: Writer;
  readonly peerReader: Reader;
  readonly referee: Referee;
  readonly trace: Trace;
  readonly crashes: CrashPlan;
  readonly random: SeededRandom;
  readonly create: CreateSubject;
  /** Errors with which the stream may end; any other one breaks the rules. */
  readonly mayFailWith: readonly ErrorCode[];
  /** When the client gives up on a request, in ms. */
  readonly hardTimeoutMs: number;
  /** Most sealed and opened frames that a core may hold. */
  readonly framesInMemoryMax: number;
  /** Told of each delivered piece. */
  readonly onDelivered?: ((side: Side, end: number, atMs: number) => void) | undefined;
}

/** How the stream of one side ended: not yet, well, or with an error. */
export type Outcome = "running" | "done" | ErrorCode;

/** What one party did, for reports. */
export interface PartyCounts {
  puts: number;
  gets: number;
  crashes: number;
  /** Points at which it could have crashed. */
  points: number;
  warnings: number;
  framesInMemoryMost: number;
  lastDeliveredAtMs: number;
}

/**
 * One side of a stream: a core on the generic driver, the applications that write and read, a
 * journal, and a process that may die between any two steps and come back with what the journal
 * kept.
 */
export class Party {
  readonly counts: PartyCounts = {
    puts: 0,
    gets: 0,
    crashes: 0,
    points: 0,
    warnings: 0,
    framesInMemoryMost: 0,
    lastDeliveredAtMs: 0,
  };
  readonly #init: PartyInit;
  readonly #figures: FigureWatch;
  #subject: Subject | undefined;
  #driver: Driver<StreamInput, StreamEffect> | undefined;
  #client: VirtualClient | undefined;
  #session = 0;
  #isAcknowledged = false;
  #outcome: Outcome = "running";

  constructor(init: PartyInit) {
    this.#init = init;
    this.#figures = new FigureWatch(init.side);
  }

  /** How the stream of this side ended, if it has. */
  get outcome(): Outcome {
    return this.#outcome;
  }

  /** Whether this side has nothing more to say and knows that the peer has all of it. */
  get isAcknowledged(): boolean {
    const { writer } = this.#init;
    const hasSpoken = writer.total > 0 || writer.hasEnded;
    return writer.isThrough && (this.#isAcknowledged || !hasSpoken);
  }

  /** Starts the process, for the first time or again. */
  start(): void {
    const { side, clock, journal, random, writer, reader } = this.#init;
    this.#session += 1;
    const session = this.#session;
    this.#note("start", session);
    const subject = this.#init.create({
      side,
      random: random.fork(session),
      head: journal.head,
    });
    this.#subject = subject;
    this.#figures.begin();
    this.#isAcknowledged = false;
    reader.start(subject.readOffset);
    const answer = (input: StreamInput): void => this.#input(session, input);
    this.#client = new VirtualClient({ ...this.#init, answer });
    this.#driver = new Driver(subject, clock, (effect) => this.#perform(effect));
    if (subject.isOver) {
      this.#leaveDone();
      return;
    }
    this.#input(session, { kind: "start", unixMs: clock.unixMs() });
    if (session === this.#session) writer.start(subject, (input) => this.#input(session, input));
  }

  /** Hands an input of the session that it belongs to over to the core, unless that is gone. */
  #input(session: number, input: StreamInput): void {
    if (session !== this.#session || this.#outcome !== "running") return;
    if (this.#crashes()) return;
    this.#look();
    if (input.kind === "write") this.#isAcknowledged = false;
    this.#driver?.handle(input);
    if (input.kind === "got") this.#inspect();
  }

  #perform(effect: StreamEffect): void {
    const { side } = this.#init;
    if (this.#outcome !== "running") {
      throw new Violation("after-the-end", `${side}: ${effect.kind} after ${this.#outcome}`);
    }
    if (!this.#crashes()) this.#act(effect);
  }

  #act(effect: StreamEffect): void {
    switch (effect.kind) {
      case "put":
        this.counts.puts += 1;
        this.#client?.put(effect);
        break;
      case "get":
        this.counts.gets += 1;
        this.#client?.get(effect);
        break;
      case "cancel":
        this.#client?.cancel(effect.request);
        break;
      case "journal":
        this.#commit(effect.commit, effect.changes);
        break;
      case "recall":
        this.#recall(effect.name);
        break;
      case "turn":
        this.#turnSoon();
        break;
      case "deliver":
        this.#deliver(effect.offset, effect.bytes);
        break;
      default:
        this.#hear(effect);
    }
  }

  /** What a core has to say about the state of its stream. */
  #hear(effect: Announcement): void {
    const value = effect.kind === "delivered-end" ? effect.length : 0;
    this.#note(
      "code" in effect ? `${effect.kind} ${effect.code} ${effect.message}` : effect.kind,
      value,
    );
    this.#look();
    switch (effect.kind) {
      case "delivered-end":
        this.#init.reader.deliverEnd(effect.length);
        break;
      case "drain":
        this.#drained();
        break;
      case "all-stored":
        break;
      case "all-acknowledged":
        this.#acknowledged();
        break;
      case "warning":
        this.counts.warnings += 1;
        break;
      case "fail":
        this.#fail(effect.code, effect.message);
        break;
      case "done":
        this.#requireDurableEnd();
        this.#leaveDone();
        break;
      default:
        unreachable(effect);
    }
  }

  #commit(commit: number, changes: JournalChanges): void {
    const session = this.#session;
    this.#look();
    this.#note("journal", commit);
    this.#init.journal.commit(changes, () => {
      this.#note("journaled", commit);
      this.#input(session, { kind: "journaled", commit });
    });
  }

  #recall(name: string): void {
    const session = this.#session;
    this.#note(`recall ${name}`);
    this.#init.journal.read(name, (bytes) => {
      this.#input(session, { kind: "recalled", name, bytes });
    });
  }

  #turnSoon(): void {
    const { clock } = this.#init;
    const session = this.#session;
    clock.schedule(clock.now(), () => this.#input(session, { kind: "turn" }));
  }

  #deliver(offset: number, bytes: Uint8Array): void {
    const { side, clock, reader, onDelivered } = this.#init;
    const session = this.#session;
    this.#note("deliver", offset);
    this.counts.lastDeliveredAtMs = clock.now();
    reader.deliver(offset, bytes, (taken) => {
      this.#input(session, { kind: "taken", offset: taken });
    });
    onDelivered?.(side, offset + bytes.length, clock.now());
  }

  /** An application notices on its next turn, not inside the core's. */
  #drained(): void {
    const { clock, writer } = this.#init;
    const session = this.#session;
    clock.schedule(clock.now(), () => {
      if (session !== this.#session || this.#subject === undefined) return;
      writer.drained(this.#subject, (input) => this.#input(session, input));
    });
  }

  /** What is said to be acknowledged must be in the hands of the application at the other side. */
  #acknowledged(): void {
    const { side, writer, peerReader } = this.#init;
    const session = this.#session;
    const lacksEnd = writer.hasEnded && peerReader.end === undefined;
    if (peerReader.kept < writer.position || lacksEnd) {
      const has = `${peerReader.kept} of ${writer.position}${lacksEnd ? ", and not the end" : ""}`;
      throw new Violation("early-acknowledgement", `${side}: the peer's application has ${has}`);
    }
    this.#isAcknowledged = true;
    writer.acknowledged((input) => this.#input(session, input));
  }

  #fail(code: ErrorCode, message: string): void {
    if (!this.#init.mayFailWith.includes(code)) {
      throw new Violation("failure", `${this.#init.side}: ${code}: ${message}`);
    }
    this.#outcome = code;
    this.#leave();
  }

  /** Whoever finds this journal must not go on with a stream that is over. */
  #requireDurableEnd(): void {
    const { side, journal, random } = this.#init;
    const { head } = journal;
    if (head === undefined || this.#init.create({ side, random, head }).isOver) return;
    throw new Violation("unfinished", `${side} is done, and its journal does not say so`);
  }

  #leaveDone(): void {
    const { side, reader, peerWriter } = this.#init;
    const isWhole = reader.end === peerWriter.total && reader.kept === peerWriter.total;
    if (!isWhole && !this.#init.writer.hasAborted) {
      const has = `${reader.kept} of ${peerWriter.total}, end ${reader.end}`;
      throw new Violation("loss", `${side} is done with ${has}`);
    }
    this.#outcome = "done";
    this.#isAcknowledged = true;
    this.#leave();
  }

  /** The applications and the client go; the driver stays, to see that nothing follows. */
  #leave(): void {
    this.#init.writer.stop();
    this.#init.reader.stop();
    this.#client?.close();
  }

  /** Asks whether the process dies here, and lets it. */
  #crashes(): boolean {
    const { side, clock, crashes, journal } = this.#init;
    const point = this.counts.points;
    this.counts.points += 1;
    if (crashes.backsUpAt?.(side, point) === true) journal.backUp();
    const crash = crashes.at(side, point);
    if (crash === undefined) return false;
    this.#note("crash", point);
    this.counts.crashes += 1;
    this.#driver?.stop();
    this.#leave();
    this.#session += 1;
    this.#subject = undefined;
    journal.crash();
    if (crash.restoresBackup && journal.restore()) this.#note("restore");
    clock.schedule(clock.now() + crash.downMs, () => this.start());
    return true;
  }

  /** Looks at what an application may look at: when it may, and at what will survive. */
  #look(): void {
    if (this.#subject === undefined) return;
    const {
      writtenBytes,
      framedBytes,
      storedBytes,
      acknowledgedBytes,
      deliveredBytes,
      takenBytes,
    } = this.#subject.progress;
    const sent = { writtenBytes, framedBytes, storedBytes, acknowledgedBytes };
    this.#figures.see({ ...sent, deliveredBytes, takenBytes });
  }

  /** Looks at what a core only tells when it is asked; it learns of both with what it gets. */
  #inspect(): void {
    const { side, framesInMemoryMax, peerReader } = this.#init;
    if (this.#subject === undefined) return;
    const { framesInMemory, acknowledgedBytes } = this.#subject.progress;
    this.counts.framesInMemoryMost = Math.max(this.counts.framesInMemoryMost, framesInMemory);
    if (framesInMemory > framesInMemoryMax) {
      throw new Violation("memory", `${side} holds ${framesInMemory} frames`);
    }
    if (acknowledgedBytes > peerReader.kept) {
      const claim = `${side} takes ${acknowledgedBytes} bytes for acknowledged`;
      throw new Violation("early-acknowledgement", `${claim}, the peer has ${peerReader.kept}`);
    }
  }

  #note(what: string, value = 0): void {
    this.#init.trace.event(this.#init.clock.now(), this.#init.side, what, value);
  }
}
