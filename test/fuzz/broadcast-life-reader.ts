import { type ErrorCode, isCulvertError } from "../../src/base/index.ts";
import type { WriteCapability } from "../../src/crypto/index.ts";
import { Subscription, type SubscriptionOpenOptions } from "../../src/stream/index.ts";
import { Violation } from "../../src/testing/world/index.ts";
import type { ReaderPlan } from "./broadcast-life-plan.ts";
import type { Invitation, LifeWriter, Past } from "./broadcast-life-writer.ts";
import type { BroadcastGround } from "./broadcast-lives.ts";
import { LifeStore } from "./stream-life-store.ts";
import type { Way } from "./stream-life-way.ts";

/** A subscription through all its sessions, the application that reads, and the judge of both. */
export class LifeReader {
  readonly name: string;
  readonly plan: ReaderPlan;
  readonly store: LifeStore;
  readonly #ground: BroadcastGround;
  readonly #writer: LifeWriter;
  readonly #writerCrashes: number;
  readonly #invitation: Invitation;
  readonly #repair: WriteCapability | undefined;
  #subscription: Subscription | undefined;
  #way: Way | undefined;
  #session = 0;
  #saved: Uint8Array | undefined;
  /** What it has got, and the positions there at which some are missing. */
  #got = Buffer.alloc(0);
  #gaps: number[] = [];
  #confirmed = 0;
  #isRewound = false;
  hasEnd = false;
  hasClosed = false;
  reason: ErrorCode | "closed" | undefined;

  constructor(init: {
    readonly name: string;
    readonly plan: ReaderPlan;
    readonly writer: LifeWriter;
    readonly repair: WriteCapability | undefined;
    readonly ground: BroadcastGround;
  }) {
    this.name = init.name;
    this.plan = init.plan;
    this.#ground = init.ground;
    this.#writer = init.writer;
    this.#repair = init.repair;
    this.#writerCrashes = init.writer.crashes;
    this.#invitation = init.writer.invite(init.plan.from);
    const { clock, dice } = init.ground;
    const { commitMsMax } = init.plan;
    this.store = new LifeStore({ clock, random: dice.random.fork(5), commitMsMax });
  }

  get subscription(): Subscription {
    if (this.#subscription === undefined) throw new Error("it is not open yet");
    return this.#subscription;
  }

  get isOver(): boolean {
    return this.reason !== undefined || this.subscription.destroyed;
  }

  /** It has heard of the end, and has closed. */
  get isThrough(): boolean {
    return this.hasEnd && this.hasClosed;
  }

  get taken(): number {
    return this.#got.length;
  }

  async open(past: Past): Promise<void> {
    this.#session += 1;
    this.#way = this.#newWay();
    this.hasEnd = false;
    this.hasClosed = false;
    this.#subscription = await this.#opened(this.#way);
    this.#judgeOffset(past);
    this.#listen(this.subscription);
    this.#read(this.subscription);
    this.#note(`opened after ${past}`, this.taken);
  }

  async #opened(transport: Way): Promise<Subscription> {
    const { clock } = this.#ground;
    const options: SubscriptionOpenOptions = {
      ...this.plan.options,
      clock,
      ...(this.#repair === undefined ? {} : { repair: this.#repair }),
      ...(this.plan.isExact ? { confirm: "manual" as const } : {}),
    };
    const { capability } = this.#invitation;
    if (this.plan.keeps === "store") {
      const { store } = this;
      return await clock.runPromise(
        Subscription.open({ transport, store, capability, ...options }),
      );
    }
    if (this.#saved !== undefined) return await Subscription.load(transport, this.#saved, options);
    return new Subscription(transport, capability, options);
  }

  /** A session begins at no byte that could be lost by that. */
  #judgeOffset(past: Past): void {
    const { readOffset } = this.subscription;
    const kept = this.plan.isExact ? this.#confirmed : this.taken;
    if (readOffset > kept) this.#violated("loss", `reads on at ${readOffset} behind ${kept}`);
    if (past === "halt" && readOffset !== kept) this.#violated("duplicate", `at ${readOffset}`);
    this.#confirmed = Math.min(this.#confirmed, readOffset);
    this.#got = this.#got.subarray(0, readOffset);
    this.#gaps = this.#gaps.filter((at) => at <= readOffset);
  }

  #listen(subscription: Subscription): void {
    const session = this.#session;
    const on = (event: string, heard: (value?: unknown) => void): void => {
      subscription.on(event, (value?: unknown) => {
        if (session === this.#session) heard(value);
      });
    };
    on("error", (error) => this.#fail(error));
    subscription.on("lag", (frames: number, offset: number) => {
      if (session !== this.#session) return;
      this.#note("lag", frames);
      if (!this.#ground.mayLag) this.#violated("loss", `${frames} frames are gone`);
      this.#gaps.push(offset);
    });
    on("close", () => {
      this.hasClosed = true;
    });
    on("end", () => {
      this.hasEnd = true;
      this.#judge(true);
    });
    if (subscription.errored !== null) this.#fail(subscription.errored);
    subscription.on("error", () => {});
  }

  #fail(error: unknown): void {
    if (!isCulvertError(error)) throw error;
    this.#note(`failed ${error.code}`);
    this.reason = error.code;
    const mayLag = this.#ground.mayLag && this.plan.options.onLag === "error";
    if (error.code === "CULVERT_LAGGED" && mayLag) return;
    if (!this.#ground.isTroubled) this.#violated("failure", `${error.code} ${error.message}`);
  }

  #read(subscription: Subscription): void {
    const session = this.#session;
    const take = (chunk: Buffer): void => {
      if (session !== this.#session) return;
      this.#got = Buffer.concat([this.#got, chunk]);
      this.#judge(false);
    };
    if (this.#ground.dice.chance(0.5)) subscription.on("data", take);
    else {
      subscription.on("readable", () => {
        for (let chunk = subscription.read(); chunk !== null; chunk = subscription.read()) {
          take(chunk as Buffer);
        }
      });
    }
  }

  /** Whether the runs between its gaps are found in the text, one after the other. */
  #judge(isEnd: boolean): void {
    const { source, crashes } = this.#writer;
    const { at } = this.#invitation;
    const got = this.#got;
    const isWhole = this.#gaps.length === 0;
    let from = 0;
    for (const [index, begin] of [0, ...this.#gaps].entries()) {
      const run = got.subarray(begin, this.#gaps[index]);
      const found = source.indexOf(run, from);
      if (found < 0) this.#violated("content", `run ${index} of ${run.length} bytes from ${from}`);
      from = found + run.length;
    }
    if (isWhole && at !== undefined && crashes === this.#writerCrashes) {
      const want = source.subarray(at, at + got.length);
      if (!want.equals(got)) this.#violated("order", `does not begin at ${at}`);
    }
    if (!isEnd) return;
    const last = got.subarray(this.#gaps.at(-1));
    const tail = source.subarray(source.length - last.length);
    if (!tail.equals(last)) this.#violated("end", `${last.length} bytes are not the last ones`);
  }

  confirm(all = false): void {
    if (!this.plan.isExact || this.subscription.destroyed) return;
    const unconfirmed = this.taken - this.#confirmed;
    if (unconfirmed <= 0) return;
    this.#confirmed += all ? unconfirmed : this.#ground.dice.below(unconfirmed + 1);
    this.subscription.confirm(this.#confirmed);
  }

  async restart(): Promise<void> {
    const { clock } = this.#ground;
    if (this.plan.keeps === "store") await clock.runPromise(this.subscription.halt());
    else this.#saved = await clock.runPromise(this.subscription.save());
    await this.open("halt");
  }

  /** Its process is killed; it goes on from what it had, or from an older copy of that. */
  async die(isRewound: boolean): Promise<void> {
    const gone = this.subscription;
    this.#session += 1;
    if (this.#way !== undefined) this.#way.isDead = true;
    this.store.crash();
    if (isRewound) {
      this.#isRewound = true;
      this.store.disk.restore();
    }
    await this.open("crash");
    gone.destroy();
  }

  changeWay(): void {
    this.#way = this.#newWay();
    if (!this.isOver) this.subscription.setTransport(this.#way);
  }

  /** Leaves without a word. */
  leave(): void {
    this.subscription.destroy();
    this.reason = "closed";
  }

  #newWay(): Way {
    return this.#ground.newWay(this.name, () => this.#isRewound);
  }

  #note(what: string, value = 0): void {
    this.#ground.note(this.name, what, value);
  }

  #violated(rule: Violation["rule"], why: string): void {
    this.#ground.onViolation(new Violation(rule, `${this.name}: ${why}`));
  }
}
