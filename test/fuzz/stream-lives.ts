import type { Stream } from "../../src/stream/index.ts";
import { Violation } from "../../src/testing/world/index.ts";
import { type LifeLog, LifePlace } from "./life-place.ts";
import { LifeEnd, type LifeGround } from "./stream-life-end.ts";
import { type LifePlan, lifePlan, mapPlan } from "./stream-life-plan.ts";
import { DAMAGES } from "./stream-life-store.ts";
import type { Way } from "./stream-life-way.ts";

const HOUR_MS = 3_600_000;
/** After its troubles a life comes to its end within this time. */
const LIMIT_MS = 72 * HOUR_MS;
/** A life in the Map that may end before anybody asks. */
const BRIEF_SECONDS = 300;

/** How a life went. */
export interface LifeReport {
  readonly violation: Violation | undefined;
  /** How long it took from the last trouble on. */
  readonly calmMs: number;
  readonly traceHash: string;
}

/**
 * Both ends of one stream, as applications have them, through everything that may befall them: the
 * shells, stores and Maps are the real ones, but for the disk. Then all is well again, and they
 * must come to their end.
 */
export class StreamLife extends LifePlace implements LifeGround {
  readonly plan: LifePlan;
  readonly secret: Uint8Array;
  readonly ends: readonly [LifeEnd, LifeEnd];
  isTroubled = false;
  readonly #isBlind: boolean;
  readonly #doubles: Stream[] = [];
  /** Of the Map at hand. */
  #ttlSecondsMax = 0;

  /** @param init.isBlind the canary: its judge takes a stale state for a sound one */
  constructor(seed: number, init: { readonly isBlind?: boolean; readonly log?: LifeLog } = {}) {
    super(seed, init.log);
    this.plan = lifePlan(this.dice);
    this.#isBlind = init.isBlind ?? false;
    this.secret = this.dice.random.bytes(32);
    this.#renewMap();
    const [a, b] = this.plan.ends;
    this.ends = [new LifeEnd(a, b, this), new LifeEnd(b, a, this)];
    [this.ends[0].peer, this.ends[1].peer] = [this.ends[1], this.ends[0]];
  }

  async run(): Promise<LifeReport> {
    const { clock, dice, plan } = this;
    for (const end of this.ends) await end.open("new");
    for (let step = 0; step < plan.steps && this.violation === undefined; step++) {
      const end = dice.one(...this.ends);
      if (end.isOver) await this.pass(1_000);
      else await this.#happen(end);
    }
    const calmAt = clock.now();
    await this.#calm();
    const calmMs = clock.now() - calmAt;
    await this.#stopDoubles();
    await this.stop(this.ends.map(({ stream }) => stream));
    return { violation: this.violation, calmMs, traceHash: this.trace.hash() };
  }

  newWay(role: string): Way {
    return this.wayTo(role, this.plan.refusing, () => this.isTroubled);
  }

  #renewMap(): void {
    const { payloadSize } = this.plan;
    const { ttlSecondsMax, weather } = mapPlan(this.dice, this.plan);
    this.#ttlSecondsMax = ttlSecondsMax;
    this.newMap({ payloadSize, ttlSecondsMax, weather });
  }

  /** One thing that befalls this end. */
  async #happen(end: LifeEnd): Promise<void> {
    const { dice, plan } = this;
    end.look();
    const what = dice.below(24);
    if (what < 6) end.write();
    else if (what < 7) end.confirm();
    else if (what < 10) await this.pass(dice.below(dice.one(10, 500, 5_000)));
    else if (what < 11) end.sync();
    else if (what < 13) await end.restart();
    else if (what < 15 && end.plan.keeps === "store") await end.die("crash");
    else if (what < 16) this.#loseMap(end);
    else if (what < 17) end.changeWay();
    else if (what < 18 && dice.chance(0.1)) await this.pass(HOUR_MS);
    else if (plan.kind === "stale") await this.#spoil(end);
    else if (plan.kind === "given-up" && dice.chance(0.1)) {
      this.#trouble();
      end.giveUp();
    }
  }

  /** Another Map, with nothing in it, for this end and perhaps for both. */
  #loseMap(end: LifeEnd): void {
    this.#renewMap();
    end.changeWay();
    if (this.dice.chance(0.5) && !end.peer.isOver) end.peer.changeWay();
  }

  /** What is kept of this end becomes an old backup, is damaged, or is used twice. */
  async #spoil(end: LifeEnd): Promise<void> {
    const { dice } = this;
    const { disk } = end.store;
    if (end.plan.keeps === "saves") {
      if (end.saved === undefined || !dice.chance(0.3)) return;
      this.#trouble();
      const double = await end.double();
      if (double !== undefined) this.#doubles.push(double);
      return;
    }
    const what = dice.below(6);
    if (what < 4) disk.backUp();
    else if (what === 4) {
      this.#trouble();
      await end.die("stale", () => void disk.restore());
    } else {
      this.#trouble();
      await end.die("stale", () => end.store.damage(dice.one(...DAMAGES)));
    }
  }

  #trouble(): void {
    if (!this.#isBlind) this.isTroubled = true;
  }

  /** No more faults; both ends write all that is left, and read and confirm all that comes. */
  async #calm(): Promise<void> {
    const { clock, ends } = this;
    this.isCalm = true;
    for (const end of ends) end.changeWay();
    const calmAt = clock.now();
    const limit = calmAt + LIMIT_MS;
    while (this.violation === undefined && !ends.every((end) => this.#isSettled(end))) {
      for (const end of ends) {
        end.look();
        if (end.isOver) continue;
        end.end();
        end.confirm(true);
      }
      await this.pass(1_000);
      if (clock.now() > calmAt + HOUR_MS) await this.#stopDoubles();
      if (clock.now() <= limit) continue;
      if (ends.every((end) => this.#isSettled(end) || this.#isLeft(end))) return;
      this.onViolation(new Violation("hang", this.#state()));
    }
  }

  /** It has what it waits for; or a reason why not, if there may be one. */
  #isSettled(end: LifeEnd): boolean {
    return end.isThrough || (this.isTroubled && end.isOver);
  }

  /**
   * It has all bytes, and its peer has left behind the last word that it should have heard: a Map
   * of short lives has forgotten that. It waits, by design, until `peerTimeoutMs` ends it.
   */
  #isLeft(end: LifeEnd): boolean {
    const { ttlSeconds = BRIEF_SECONDS } = end.peer.plan.options;
    const isForgotten = Math.min(this.#ttlSecondsMax, ttlSeconds) <= BRIEF_SECONDS;
    return isForgotten && end.peer.isThrough && end.taken === end.peer.source.length;
  }

  #state(): string {
    return this.ends
      .map(({ plan, taken, peer, hasEnd, stream, warned }) =>
        JSON.stringify({
          ...plan,
          of: peer.source.length,
          taken,
          hasEnd,
          warned,
          ...stream.progress(),
        }),
      )
      .join("\n");
  }

  /** They write no end: their peer, who hears of them for as long, would wait for one. */
  async #stopDoubles(): Promise<void> {
    await this.halt(this.#doubles.splice(0));
  }
}
