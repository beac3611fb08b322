import { CulvertError, type ErrorCode, isCulvertError } from "../../src/base/index.ts";
import { Broadcast, type BroadcastOpenOptions } from "../../src/stream/index.ts";
import { Violation } from "../../src/testing/world/index.ts";
import type { WriterPlan } from "./broadcast-life-plan.ts";
import type { BroadcastGround } from "./broadcast-lives.ts";
import { clockOff } from "./life-place.ts";
import { LifeStore } from "./stream-life-store.ts";
import type { Way } from "./stream-life-way.ts";

/** What has happened before a session: nothing, a clean stop, the end of the process, worse. */
export type Past = "new" | "halt" | "crash" | "stale";

/** The right to read, and where in the text that begins, if it is known. */
export interface Invitation {
  readonly capability: Uint8Array;
  readonly at: number | undefined;
}

/** A broadcast through all its sessions, the application that writes, and the judge of both. */
export class LifeWriter {
  readonly source: Buffer;
  readonly store: LifeStore;
  readonly #plan: WriterPlan;
  readonly #ground: BroadcastGround;
  readonly #capability: Uint8Array;
  #broadcast: Broadcast | undefined;
  #way: Way | undefined;
  #session = 0;
  #saved: Uint8Array | undefined;
  #clockOffMs = 0;
  #written = 0;
  #synced = 0;
  hasEnded = false;
  /** Sessions that ended without a word: what they had given out may begin elsewhere. */
  crashes = 0;
  /** Why it is over before its time. */
  reason: ErrorCode | "given up" | undefined;

  constructor(plan: WriterPlan, capability: Uint8Array, ground: BroadcastGround) {
    this.#plan = plan;
    this.#ground = ground;
    this.#capability = capability;
    const { clock, dice } = ground;
    // No part of it is found twice, so that what a reader has got tells where it was.
    this.source = Buffer.from(dice.random.fork(3).bytes(plan.bytes));
    const random = dice.random.fork(4);
    this.store = new LifeStore({ clock, random, commitMsMax: plan.commitMsMax });
  }

  get broadcast(): Broadcast {
    if (this.#broadcast === undefined) throw new Error("it is not open yet");
    return this.#broadcast;
  }

  get isOver(): boolean {
    return this.reason !== undefined || this.broadcast.destroyed;
  }

  /** All of it is in the Map. */
  get hasFinished(): boolean {
    return this.broadcast.writableFinished;
  }

  async open(past: Past): Promise<void> {
    this.#session += 1;
    const { dice } = this.#ground;
    if (past !== "new" && dice.chance(0.3)) {
      this.#clockOffMs += dice.one(-1, 1) * dice.one(1_000, 60_000);
    }
    this.#way = this.#ground.newWay("writer", () => this.#ground.isTroubled);
    try {
      this.#broadcast = await this.#opened(this.#way);
    } catch (error) {
      if (!this.#ground.isTroubled || !(error instanceof CulvertError)) throw error;
      this.reason = error.code;
      return;
    }
    this.#judgeOffset(past);
    this.#listen(this.broadcast);
    this.#note(`opened after ${past}`, this.#written);
  }

  async #opened(transport: Way): Promise<Broadcast> {
    const { clock } = this.#ground;
    const options = this.#options();
    const capability = this.#capability;
    if (this.#plan.keeps === "store") {
      const opening = Broadcast.open({ transport, store: this.store, capability, ...options });
      // A clock that runs takes longer than whoever only waits.
      const opened = opening.then((broadcast) => broadcast.on("error", () => {}));
      return await clock.runPromise(opened);
    }
    if (this.#saved !== undefined) return await Broadcast.load(transport, this.#saved, options);
    return new Broadcast(transport, { ...options, capability });
  }

  #options(): BroadcastOpenOptions {
    const { clock } = this.#ground;
    const own = clockOff(clock, this.#clockOffMs);
    return { ...this.#plan.options, clock: own };
  }

  #judgeOffset(past: Past): void {
    const { writeOffset, writableEnded } = this.broadcast;
    if (writeOffset > this.#written) this.#violated("loss", `wrote no ${writeOffset} bytes`);
    if (!this.#ground.isTroubled && writeOffset < this.#synced) {
      this.#violated("loss", `kept ${writeOffset} of ${this.#synced} that were stored`);
    }
    if (past === "halt") {
      if (writeOffset !== this.#written) this.#violated("loss", `kept ${writeOffset} of all`);
      if (this.hasEnded && !writableEnded) this.#violated("loss", "forgot its end");
    }
    this.#written = writeOffset;
    this.hasEnded = writableEnded;
  }

  #listen(broadcast: Broadcast): void {
    const session = this.#session;
    broadcast.on("error", (error: unknown) => {
      if (session === this.#session) this.#fail(error);
    });
    if (broadcast.errored !== null) this.#fail(broadcast.errored);
    broadcast.on("finish", () => this.#note("finished"));
  }

  #fail(error: unknown): void {
    if (!isCulvertError(error)) throw error;
    this.#note(`failed ${error.code}`);
    this.reason = error.code;
    if (!this.#ground.isTroubled) this.#violated("failure", `${error.code} ${error.message}`);
  }

  invite(from: "next" | "oldest"): Invitation {
    const { broadcast, hasEnded } = this;
    if (from === "oldest") {
      const at = this.#ground.mayLag ? undefined : 0;
      return { capability: broadcast.capabilityAtStart().toBytes(), at };
    }
    const at = hasEnded ? undefined : broadcast.progress().framedBytes;
    return { capability: broadcast.capability().toBytes(), at };
  }

  write(): void {
    const { dice } = this.#ground;
    const { source } = this;
    if (this.hasEnded) return;
    const from = this.#written;
    const bytes = source.subarray(from, from + 1 + dice.below(dice.one(10, 3_000)));
    if (dice.chance(0.2)) this.broadcast.cork();
    this.#writeLent(bytes);
    if (dice.chance(0.7)) this.broadcast.uncork();
    if (this.#written === source.length && dice.chance(0.7)) this.end();
  }

  /** A chunk is its writer's again once it is called back, and is used for something else. */
  #writeLent(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const lent = Buffer.from(bytes);
    this.broadcast.write(lent, () => lent.fill(0xee));
    this.#written += bytes.length;
  }

  /** Writes what is left, and the end. */
  end(): void {
    const { broadcast } = this;
    while (broadcast.writableCorked > 0) broadcast.uncork();
    if (this.hasEnded || broadcast.destroyed) return;
    this.#writeLent(this.source.subarray(this.#written));
    broadcast.end();
    this.hasEnded = true;
  }

  /** Waits in the background until all of it is in the Map. */
  sync(): void {
    if (this.broadcast.writableCorked > 0) return;
    const session = this.#session;
    const upTo = this.#written;
    this.broadcast.sync().then(
      () => {
        if (session !== this.#session) return;
        this.#note("synced", upTo);
        this.#synced = Math.max(this.#synced, upTo);
        const { framedBytes } = this.broadcast.progress();
        if (framedBytes < upTo)
          this.#violated("early-acknowledgement", `${framedBytes} of ${upTo}`);
      },
      (error: unknown) => {
        if (!isCulvertError(error)) this.#violated("throw", `${error}`);
      },
    );
  }

  /** Stops as it should, and goes on. */
  async restart(): Promise<void> {
    const { clock } = this.#ground;
    if (this.#plan.keeps === "store") await clock.runPromise(this.broadcast.halt());
    else this.#saved = await clock.runPromise(this.broadcast.save());
    await this.open("halt");
  }

  /** Its process is killed, `meanwhile` happens, and it is started again. */
  async die(past: Past, meanwhile?: () => void): Promise<void> {
    const gone = this.broadcast;
    this.#session += 1;
    this.crashes += 1;
    if (this.#way !== undefined) this.#way.isDead = true;
    this.store.crash();
    meanwhile?.();
    await this.open(past);
    gone.on("error", () => {});
    gone.destroy();
  }

  changeWay(): void {
    this.#way = this.#ground.newWay("writer", () => this.#ground.isTroubled);
    if (!this.isOver) this.broadcast.setTransport(this.#way);
  }

  giveUp(): void {
    const { dice } = this.#ground;
    this.broadcast.destroy(dice.one(undefined, new CulvertError("CULVERT_CLOSED")));
    this.reason = "given up";
  }

  #note(what: string, value = 0): void {
    this.#ground.note("writer", what, value);
  }

  #violated(rule: Violation["rule"], why: string): void {
    this.#ground.onViolation(new Violation(rule, `writer: ${why}`));
  }
}
