import { WriteCapability } from "../../src/crypto/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import { Violation } from "../../src/testing/world/index.ts";
import { type BroadcastLifePlan, broadcastLifePlan, keepsAll } from "./broadcast-life-plan.ts";
import { LifeReader } from "./broadcast-life-reader.ts";
import { LifeWriter } from "./broadcast-life-writer.ts";
import { type LifeLog, LifePlace } from "./life-place.ts";
import type { Dice } from "./stream-life-plan.ts";
import { DAMAGES } from "./stream-life-store.ts";
import type { Way } from "./stream-life-way.ts";

const HOUR_MS = 3_600_000;
/** After its troubles a life comes to its end within this time: a refresh a day, a look a day. */
const LIMIT_MS = 100 * HOUR_MS;
/** Where the writer does not keep all, readers may wait for what is gone; it comes to its end. */
const WRITER_LIMIT_MS = 3 * HOUR_MS;

/** What writer and readers share. */
export interface BroadcastGround {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  /** From now on errors with a code are right: a state is stale, or the writer gave up. */
  readonly isTroubled: boolean;
  /** A reader may lose frames, if it is told. */
  readonly mayLag: boolean;
  newWay(role: string, mayTakePlaces: () => boolean): Way;
  note(role: string, what: string, value?: number): void;
  /** Ends the life by what is wrong; the first word counts. */
  onViolation(violation: Violation): void;
}

/** How a life went. */
export interface BroadcastLifeReport {
  readonly violation: Violation | undefined;
  /** How long it took from the last trouble on. */
  readonly calmMs: number;
  readonly traceHash: string;
}

/**
 * A broadcast and its readers, as applications have them, through everything that may befall them.
 * Then all is well again, and they must come to their end.
 */
export class BroadcastLife extends LifePlace implements BroadcastGround {
  readonly plan: BroadcastLifePlan;
  readonly #writer: LifeWriter;
  readonly #readers: LifeReader[] = [];
  #isTroubled = false;

  constructor(seed: number, init: { readonly log?: LifeLog } = {}) {
    super(seed, init.log);
    this.plan = broadcastLifePlan(this.dice);
    this.newMap(this.plan);
    const capability = WriteCapability.generate(this.dice.random.fork(2)).toBytes();
    this.#writer = new LifeWriter(this.plan.writer, capability, this);
  }

  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  get mayLag(): boolean {
    return this.plan.kind !== "strict";
  }

  async run(): Promise<BroadcastLifeReport> {
    const { clock, dice, plan } = this;
    await this.#writer.open("new");
    for (let step = 0; step < plan.steps && this.violation === undefined; step++) {
      for (const reader of plan.readers.keys()) {
        if (plan.readers[reader]?.joinsAt === step) await this.#join(reader);
      }
      const others = this.#readers.filter((reader) => !reader.isOver);
      const isWriters = others.length === 0 || dice.chance(0.5);
      if (!isWriters) await this.#befallReader(dice.one(...others));
      else if (this.#writer.isOver) await this.pass(1_000);
      else await this.#befallWriter();
    }
    const calmAt = clock.now();
    await this.#calm();
    const calmMs = clock.now() - calmAt;
    await this.stop([
      this.#writer.broadcast,
      ...this.#readers.map((reader) => reader.subscription),
    ]);
    return { violation: this.violation, calmMs, traceHash: this.trace.hash() };
  }

  newWay(role: string, mayTakePlaces: () => boolean): Way {
    return this.wayTo(role, this.plan.refusing, mayTakePlaces);
  }

  async #join(index: number): Promise<void> {
    const plan = this.plan.readers[index];
    if (plan === undefined || this.#writer.isOver) return;
    const random = this.dice.random.fork(100 + index);
    const repair = plan.asksForRepairs ? WriteCapability.generate(random) : undefined;
    const name = `reader ${index}`;
    const reader = new LifeReader({ name, plan, writer: this.#writer, repair, ground: this });
    this.#readers.push(reader);
    await reader.open("new");
    if (repair !== undefined) this.#writer.broadcast.addReader(repair.readCapability());
  }

  /** One thing that befalls the writer. */
  async #befallWriter(): Promise<void> {
    const { dice, plan } = this;
    const writer = this.#writer;
    const isStored = plan.writer.keeps === "store";
    const what = dice.below(24);
    if (what < 7) writer.write();
    else if (what < 10) await this.pass(dice.below(dice.one(10, 500, 5_000)));
    else if (what < 12) writer.sync();
    else if (what < 14) await writer.restart();
    else if (what < 16 && isStored) await writer.die("crash");
    else if (what < 17) this.#loseMap();
    else if (what < 18 && dice.chance(0.1)) await this.pass(HOUR_MS);
    else if (what < 19) writer.changeWay();
    else if (plan.kind === "stale" && isStored) await this.#spoil();
    else if (plan.kind === "given-up" && dice.chance(0.1)) {
      this.#isTroubled = true;
      writer.giveUp();
    }
  }

  /** One thing that befalls a reader. */
  async #befallReader(reader: LifeReader): Promise<void> {
    const { dice } = this;
    const isStored = reader.plan.keeps === "store";
    const what = dice.below(16);
    if (what < 3) reader.confirm();
    else if (what < 7) await this.pass(dice.below(dice.one(10, 500, 5_000)));
    else if (what < 9) await reader.restart();
    else if (what < 11 && isStored) await reader.die(false);
    else if (what < 12 && isStored) reader.store.disk.backUp();
    else if (what < 13 && isStored && dice.chance(0.3)) await reader.die(true);
    else if (what < 14) reader.changeWay();
    else if (dice.chance(0.02)) reader.leave();
  }

  /** Another Map, with nothing in it, for all. */
  #loseMap(): void {
    if (this.plan.kind === "strict") return;
    this.newMap(this.plan);
    this.#writer.changeWay();
    for (const reader of this.#readers) reader.changeWay();
  }

  /** What is kept of the writer becomes an old backup, or is damaged. */
  async #spoil(): Promise<void> {
    const { dice } = this;
    const { disk } = this.#writer.store;
    const what = dice.below(6);
    if (what < 4) {
      disk.backUp();
      return;
    }
    this.#isTroubled = true;
    const spoil = (): void => {
      if (what === 4) disk.restore();
      else this.#writer.store.damage(dice.one(...DAMAGES));
    };
    await this.#writer.die("stale", spoil);
  }

  /** No more faults; the writer writes all that is left, and the readers take all that comes. */
  async #calm(): Promise<void> {
    const { clock } = this;
    this.isCalm = true;
    this.#writer.changeWay();
    for (const reader of this.#readers) reader.changeWay();
    const calmAt = clock.now();
    const areAwaited = keepsAll(this.plan);
    while (this.violation === undefined && !this.#isSettled()) {
      if (!this.#writer.isOver) this.#writer.end();
      for (const reader of this.#readers) if (!reader.isOver) reader.confirm(true);
      const tookMs = clock.now() - calmAt;
      await this.pass(tookMs < HOUR_MS ? 1_000 : 60_000);
      if (tookMs <= (areAwaited ? LIMIT_MS : WRITER_LIMIT_MS)) continue;
      if (this.#writer.hasFinished && !areAwaited) return;
      this.onViolation(new Violation("hang", this.#state()));
    }
  }

  #isSettled(): boolean {
    if (this.#isTroubled && this.#writer.reason !== undefined) return true;
    return (
      this.#writer.hasFinished &&
      this.#readers.every((reader) => reader.isThrough || reader.reason !== undefined)
    );
  }

  #state(): string {
    const { source, broadcast, hasFinished } = this.#writer;
    const writer = { bytes: source.length, hasFinished, ...broadcast.progress() };
    const readers = this.#readers.map(({ name, plan, taken, hasEnd, subscription }) => {
      return { name, ...plan, taken, hasEnd, ...subscription.progress() };
    });
    return [writer, ...readers].map((party) => JSON.stringify(party)).join("\n");
  }
}
