import { CulvertError, toHex } from "../../src/base/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import { Violation } from "../../src/testing/world/index.ts";
import type { GetOptions, PutOptions, Receipt, Transport } from "../../src/transport/index.ts";
import type { Dice, RefusalPlan } from "./stream-life-plan.ts";

const NONCE_BYTES = 24;

/** Everything that was ever put, whichever Map it was for; places have numbers in its words. */
export class PutLog {
  readonly #cells = new Map<string, string>();
  readonly #nonces = new Map<string, string>();
  readonly #numbers = new Map<string, number>();

  /** The number of a place: they count from 1 as they are first heard of. */
  numberOf(frameId: Uint8Array): number {
    const place = toHex(frameId);
    const number = this.#numbers.get(place) ?? this.#numbers.size + 1;
    this.#numbers.set(place, number);
    return number;
  }

  /** @throws Violation for a second cell of one place, or of one nonce */
  add(frameId: Uint8Array, cell: Uint8Array, mayTakePlaces: boolean): void {
    const place = toHex(frameId);
    const bytes = toHex(cell);
    const nonce = bytes.slice(0, 2 * NONCE_BYTES);
    const before = this.#cells.get(place) ?? bytes;
    if (before !== bytes && !mayTakePlaces) throw new Violation("frame-reused", place);
    this.#cells.set(place, bytes);
    const sealed = this.#nonces.get(nonce) ?? bytes;
    if (sealed !== bytes) throw new Violation("nonce-reused", place);
    this.#nonces.set(nonce, bytes);
  }
}

/** What is heard of a way. */
export interface WayEvents {
  put(frameId: Uint8Array, cell: Uint8Array): void;
  note(what: string, frameId: Uint8Array): void;
}

/** The way of one session to a Map: it refuses what it is told to, and dies with its process. */
export class Way implements Transport {
  isDead = false;
  readonly #inner: Transport;
  readonly #clock: VirtualClock;
  readonly #dice: Dice;
  readonly #refusal: RefusalPlan | undefined;
  readonly #on: WayEvents;
  readonly #untilMs: number;
  #underWay = 0;

  constructor(
    inner: Transport,
    init: {
      readonly clock: VirtualClock;
      readonly dice: Dice;
      readonly refusal: RefusalPlan | undefined;
      readonly on: WayEvents;
    },
  ) {
    this.#inner = inner;
    this.#clock = init.clock;
    this.#dice = init.dice;
    this.#refusal = init.refusal;
    this.#on = init.on;
    this.#untilMs = this.#clock.now() + (init.refusal?.forMs ?? 0);
  }

  get payloadSize(): number {
    return this.#inner.payloadSize;
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    if (!this.isDead) this.#on.put(frameId, cell);
    const asking = this.#ask("puts", () => this.#inner.put(frameId, cell, options));
    return await this.#noted("put", frameId, asking);
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    const asking = this.#ask("gets", () => this.#inner.get(frameId, options));
    return await this.#noted("get", frameId, asking);
  }

  async #noted<T>(what: string, frameId: Uint8Array, asking: Promise<T>): Promise<T> {
    if (!this.isDead) this.#on.note(what, frameId);
    const outcome = await asking;
    this.#on.note(`${what} answered`, frameId);
    return outcome;
  }

  /** Performs it or not; nobody hears of either when the process is gone by then. */
  #ask<T>(kind: "puts" | "gets", perform: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const tell = (say: () => void): void => {
        if (!this.isDead) say();
      };
      if (this.isDead) return;
      const refusal = this.#refuses(kind);
      if (refusal !== undefined) {
        const { code, lateMs } = refusal;
        const refuse = (): void => tell(() => reject(new CulvertError(code)));
        if (lateMs === 0) refuse();
        else this.#clock.schedule(this.#clock.now() + lateMs, refuse);
        return;
      }
      if (kind === "puts") this.#underWay += 1;
      const over = (say: () => void): void => {
        if (kind === "puts") this.#underWay -= 1;
        tell(say);
      };
      perform().then(
        (value) => over(() => resolve(value)),
        (error) => over(() => reject(error)),
      );
    });
  }

  #refuses(kind: "puts" | "gets"): RefusalPlan | undefined {
    const refusal = this.#refusal;
    if (refusal === undefined || !refusal[kind] || this.#clock.now() >= this.#untilMs) {
      return undefined;
    }
    const { chance, room } = refusal;
    const isRefused = chance === undefined ? this.#underWay >= room : this.#dice.chance(chance);
    return isRefused ? refusal : undefined;
  }
}
