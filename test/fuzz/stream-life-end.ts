import { CulvertError, type ErrorCode, isCulvertError } from "../../src/base/index.ts";
import { Stream, type StreamOpenOptions } from "../../src/stream/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import { FigureWatch } from "../../src/testing/world/figures.ts";
import { type Trace, Violation } from "../../src/testing/world/index.ts";
import { clockOff } from "./life-place.ts";
import type { Dice, EndPlan } from "./stream-life-plan.ts";
import { LifeStore } from "./stream-life-store.ts";
import type { Way } from "./stream-life-way.ts";

/** Characters of one to four bytes. */
const TEXT = "x€𐍈yé𐍈𐍈z€€wabcdefghijkl";

/** What has happened before a session: nothing, a clean stop, the end of the process, worse. */
export type Past = "new" | "halt" | "crash" | "stale";

/** What both ends share. */
export interface LifeGround {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly secret: Uint8Array;
  /** From now on errors with a code are right: a state is stale, or somebody gave up. */
  isTroubled: boolean;
  newWay(role: string): Way;
  /** Ends the life by what is wrong; the first word counts. */
  onViolation(violation: Violation): void;
}

/** What `plan` has its end write: text for a reader of text. */
function sourceOf({ bytes, role }: EndPlan, peer: EndPlan): Buffer {
  const salt = role.length;
  if (peer.reads !== "text") {
    return Buffer.from(Uint8Array.from({ length: bytes }, (_, k) => k * 31 + (k >> 8) * 7 + salt));
  }
  const characters = [...TEXT];
  const length = Math.ceil(bytes / 2);
  return Buffer.from(
    Array.from({ length }, (_, k) => characters[(k * 7 + (k >> 5)) % characters.length]).join(""),
  );
}

/** One end of a stream through all its sessions, the application there, and the judge of both. */
export class LifeEnd {
  readonly plan: EndPlan;
  readonly source: Buffer;
  readonly store: LifeStore;
  readonly #ground: LifeGround;
  #peer: LifeEnd | undefined;
  #stream: Stream | undefined;
  #way: Way | undefined;
  #figures: FigureWatch;
  /** Rises whenever what a stream of this end says does not count any more. */
  #session = 0;
  /** Of the last `save`; what an end without a store goes on from. */
  saved: Uint8Array | undefined;
  #clockOffMs = 0;
  /** Positions in what it writes, and in what its peer writes. */
  written = 0;
  synced = 0;
  taken = 0;
  confirmed = 0;
  hasEnded = false;
  hasEnd = false;
  hasClosed = false;
  /** Why it is over before its time. */
  reason: ErrorCode | "given up" | undefined;
  warned: ErrorCode | undefined;

  constructor(plan: EndPlan, peer: EndPlan, ground: LifeGround) {
    this.plan = plan;
    this.#figures = new FigureWatch(plan.role);
    this.source = sourceOf(plan, peer);
    this.#ground = ground;
    const { clock, dice } = ground;
    const random = dice.random.fork(plan.role.length);
    this.store = new LifeStore({ clock, random, commitMsMax: plan.commitMsMax });
  }

  get peer(): LifeEnd {
    if (this.#peer === undefined) throw new Error("it has no peer yet");
    return this.#peer;
  }

  set peer(peer: LifeEnd) {
    this.#peer = peer;
  }

  get stream(): Stream {
    if (this.#stream === undefined) throw new Error("it is not open yet");
    return this.#stream;
  }

  /** Nothing more is to be expected of it. */
  get isOver(): boolean {
    return this.reason !== undefined || this.stream.destroyed;
  }

  /** It has all bytes of its peer, and has closed. */
  get isThrough(): boolean {
    return this.taken === this.peer.source.length && this.hasClosed;
  }

  /** Begins its next session; `past` says what the last one was ended by. */
  async open(past: Past): Promise<void> {
    this.#session += 1;
    const { dice } = this.#ground;
    if (past !== "new" && dice.chance(0.4)) {
      this.#clockOffMs += dice.one(-1, 1) * dice.one(60_000, 3_600_000, 86_400_000, 3e10);
    }
    this.#way = this.#ground.newWay(this.plan.role);
    this.hasEnd = false;
    this.hasClosed = false;
    this.#figures = new FigureWatch(this.plan.role);
    try {
      this.#stream = await this.#opened(this.#way);
    } catch (error) {
      if (!this.#ground.isTroubled || !(error instanceof CulvertError)) throw error;
      this.#note(`refused ${error.code}`);
      this.reason = error.code;
      return;
    }
    this.#judgeOffsets(past);
    this.#listen(this.stream);
    this.#read(this.stream);
    this.#note(`opened after ${past}`, this.written);
  }

  async #opened(transport: Way): Promise<Stream> {
    const { clock, secret } = this.#ground;
    const { keeps, role } = this.plan;
    const { saved, store } = this;
    const options = this.#options();
    if (keeps === "store") {
      const opening = Stream.open({ transport, store, secret, role, ...options });
      return await clock.runPromise(opening);
    }
    if (saved !== undefined) return await Stream.load(transport, saved, options);
    if (role === "listener") return Stream.listen(transport, secret, options);
    return Stream.dial(transport, secret, options);
  }

  /** Its wall clock may have been set since its last session. */
  #options(): StreamOpenOptions {
    const { clock } = this.#ground;
    const own = clockOff(clock, this.#clockOffMs);
    const isManual = this.plan.reads === "confirmed";
    return { ...this.plan.options, clock: own, ...(isManual && { confirm: "manual" }) };
  }

  /** A session begins at no byte that could be lost by that, nor forgets what was confirmed. */
  #judgeOffsets(past: Past): void {
    const { readOffset, writeOffset, writableEnded } = this.stream;
    const { isTroubled } = this.#ground;
    const { reads } = this.plan;
    const kept = reads === "confirmed" ? this.confirmed : this.taken;
    if (readOffset > kept) this.#violated("loss", `reads on at ${readOffset} behind ${kept}`);
    if (writeOffset > this.written) this.#violated("loss", `wrote no ${writeOffset} bytes`);
    if (!isTroubled) {
      if (writeOffset < this.synced) this.#violated("loss", `${this.synced} bytes were synced`);
      if (readOffset < this.peer.synced) this.#violated("duplicate", `reads on at ${readOffset}`);
    }
    if (past === "halt") {
      if (writeOffset !== this.written) this.#violated("loss", `kept ${writeOffset} of all bytes`);
      if (this.hasEnded && !writableEnded) this.#violated("loss", "forgot its end");
      if (reads !== "text" && readOffset !== kept) this.#violated("duplicate", `at ${readOffset}`);
    }
    this.taken = readOffset;
    this.confirmed = Math.min(this.confirmed, readOffset);
    this.written = writeOffset;
    this.hasEnded = writableEnded;
  }

  #listen(stream: Stream): void {
    const session = this.#session;
    const on = (event: string, heard: (error?: unknown) => void): void => {
      stream.on(event, (error?: unknown) => {
        if (session === this.#session) heard(error);
      });
    };
    on("error", (error) => this.#fail(error));
    on("warning", (warning) => {
      if (isCulvertError(warning)) this.warned = warning.code;
    });
    on("close", () => {
      this.#note("closed");
      this.look();
      this.hasClosed = true;
    });
    on("end", () => {
      this.#note("ended", this.taken);
      this.hasEnd = true;
      const { length } = this.peer.source;
      if (this.taken !== length) this.#violated("end", `at ${this.taken} of ${length} bytes`);
    });
    if (stream.errored !== null) this.#fail(stream.errored);
    // One of a session that counts no more, a process that is gone, may end as it likes.
    stream.on("error", () => {});
  }

  #fail(error: unknown): void {
    if (!isCulvertError(error)) throw error;
    this.#note(`failed ${error.code}`);
    this.reason = error.code;
    // Probes may be further apart than it was told to wait; its peer learns that it has left.
    if (error.code === "CULVERT_PEER_TIMEOUT") this.#ground.isTroubled = true;
    if (!this.#ground.isTroubled) this.#violated("failure", `${error.code} ${error.message}`);
  }

  /** Takes what comes in one of the ways of a Readable. */
  #read(stream: Stream): void {
    const { dice } = this.#ground;
    const session = this.#session;
    const take = (chunk: Buffer | string): void => {
      if (session === this.#session) this.#take(Buffer.from(chunk));
    };
    const takeAll = (size?: number): void => {
      const next = (): Buffer | null => stream.read(size) as Buffer | null;
      for (let chunk = next(); chunk !== null; chunk = next()) take(chunk);
    };
    const isText = this.plan.reads === "text";
    if (isText) stream.setEncoding("utf8");
    const manner = dice.below(isText ? 2 : 4);
    if (manner === 0) stream.on("data", take);
    else if (manner === 1) stream.on("readable", () => takeAll());
    else if (manner === 2) {
      const size = 1 + dice.below(40);
      stream.on("readable", () => {
        takeAll(size);
        takeAll();
      });
    } else void iterate(stream, take);
  }

  #take(chunk: Buffer): void {
    const want = this.peer.source.subarray(this.taken, this.taken + chunk.length);
    if (!want.equals(chunk)) this.#violated("content", `${chunk.length} bytes at ${this.taken}`);
    this.taken += chunk.length;
    this.look();
  }

  /** Looks at what the stream tells of its bytes: none of that falls while it lives. */
  look(): void {
    const { stream } = this;
    const { bytesRead, bytesWritten } = stream;
    const {
      writtenBytes,
      framedBytes,
      storedBytes,
      acknowledgedBytes,
      deliveredBytes,
      takenBytes,
    } = stream.progress();
    const sent = { bytesWritten, writtenBytes, framedBytes, storedBytes, acknowledgedBytes };
    try {
      this.#figures.see({ ...sent, bytesRead, deliveredBytes, takenBytes });
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#ground.onViolation(error);
    }
  }

  /** Writes some bytes, in one go or in corked pieces, and perhaps its end. */
  write(): void {
    const { dice } = this.#ground;
    const { stream, source } = this;
    if (this.hasEnded) return;
    const bytes = source.subarray(this.written, this.written + 1 + dice.below(dice.one(10, 3_000)));
    const pieces = dice.one(1, 1, 3);
    if (pieces > 1) stream.cork();
    for (let piece = 0; piece < pieces; piece++) {
      const at = (part: number): number => Math.floor((bytes.length * part) / pieces);
      this.#writeLent(bytes.subarray(at(piece), at(piece + 1)));
    }
    if (pieces > 1 && dice.chance(0.7)) stream.uncork();
    this.look();
    this.written += bytes.length;
    if (this.written === source.length && dice.chance(0.7)) this.end();
  }

  /** A chunk is its writer's again once it is called back, and is used for something else. */
  #writeLent(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const lent = Buffer.from(bytes);
    this.stream.write(lent, () => lent.fill(0xee));
  }

  /** Writes what is left, and the end. */
  end(): void {
    const { stream } = this;
    while (stream.writableCorked > 0) stream.uncork();
    if (this.hasEnded || stream.destroyed) return;
    this.#writeLent(this.source.subarray(this.written));
    this.written = this.source.length;
    stream.end();
    this.hasEnded = true;
  }

  /** Confirms what it has read, up to a byte somewhere in it, or all. */
  confirm(all = false): void {
    if (this.plan.reads !== "confirmed" || this.stream.destroyed) return;
    const unconfirmed = this.taken - this.confirmed;
    if (unconfirmed <= 0) return;
    this.confirmed += all ? unconfirmed : this.#ground.dice.below(unconfirmed + 1);
    this.stream.confirm(this.confirmed);
  }

  /** Waits in the background until its peer's application is said to have all of it. */
  sync(): void {
    if (this.stream.writableCorked > 0) return;
    const session = this.#session;
    const upTo = this.written;
    this.stream.sync().then(
      () => {
        if (session === this.#session) this.#judgeSync(upTo);
      },
      (error: unknown) => {
        if (!isCulvertError(error)) this.#violated("throw", `${error}`);
      },
    );
  }

  #judgeSync(upTo: number): void {
    this.#note("synced", upTo);
    this.synced = Math.max(this.synced, upTo);
    if (this.#ground.isTroubled || this.peer.taken >= upTo) return;
    this.#violated("early-acknowledgement", `${upTo} bytes, of which ${this.peer.taken} are read`);
  }

  /** Stops as it should, and goes on. */
  async restart(): Promise<void> {
    const { clock } = this.#ground;
    this.look();
    if (this.plan.keeps === "store") await clock.runPromise(this.stream.halt());
    else this.saved = await clock.runPromise(this.stream.save());
    this.look();
    await this.open("halt");
  }

  /** Its process is killed, `meanwhile` happens, and it is started again. */
  async die(past: Past, meanwhile?: () => void): Promise<void> {
    const gone = this.stream;
    this.#session += 1;
    if (this.#way !== undefined) this.#way.isDead = true;
    this.store.crash();
    meanwhile?.();
    await this.open(past);
    gone.destroy();
  }

  /** A second process goes on from a state that another one has used. */
  async double(): Promise<Stream | undefined> {
    if (this.saved === undefined) return undefined;
    const { clock } = this.#ground;
    const double = await Stream.load(this.#ground.newWay(this.plan.role), this.saved, { clock });
    double.on("error", (error: unknown) => {
      if (!isCulvertError(error)) this.#violated("throw", `${error}`);
    });
    double.resume();
    const at = double.writeOffset;
    if (!double.writableEnded) double.write(Buffer.from(this.source.subarray(at, at + 300)));
    return double;
  }

  /** Goes on over another way, to another Map perhaps. */
  changeWay(): void {
    this.#way = this.#ground.newWay(this.plan.role);
    if (this.reason === undefined) this.stream.setTransport(this.#way);
  }

  giveUp(): void {
    const { dice } = this.#ground;
    const { stream } = this;
    const how = dice.below(3);
    if (how === 0) stream.reset(dice.below(100));
    else stream.destroy(how === 1 ? undefined : new CulvertError("CULVERT_CLOSED"));
    this.reason = "given up";
  }

  #note(what: string, value = 0): void {
    const { clock, trace } = this.#ground;
    trace.event(clock.now(), this.plan.role, what, value);
  }

  #violated(rule: Violation["rule"], why: string): void {
    this.#ground.onViolation(new Violation(rule, `${this.plan.role}: ${why}`));
  }
}

async function iterate(stream: Stream, take: (chunk: Buffer) => void): Promise<void> {
  try {
    for await (const chunk of stream) take(chunk);
  } catch (error) {
    // The listener of errors has it, too.
    if (!(error instanceof Error)) throw error;
  }
}
