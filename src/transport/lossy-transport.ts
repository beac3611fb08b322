import {
  type Clock,
  concatBytes,
  onAbort,
  type Random,
  requireAmount,
  requireChance,
  SeededRandom,
  throwIfAborted,
} from "../base/index.ts";
import { systemClock } from "../io/clock.ts";
import type { GetOptions, PutOptions, Receipt, Transport, TransportKeys } from "./transport.ts";

/** The weather between a peer and the Map. Probabilities are in [0, 1], and all are independent. */
export interface LossyTransportOptions {
  /** Of each request, and of each reply, to be lost. */
  readonly loss: number;
  /** The round trip; each leg takes half of it. */
  readonly rttMs: number;
  /** Each leg takes up to this much longer. */
  readonly jitterMs: number;
  /** Of each leg to take up to a whole round trip longer, so that later ones overtake it. */
  readonly reorder: number;
  /** Of each request to arrive twice, the second time on its own way. */
  readonly duplicate: number;
  /** Of each cell that a get returns to come with one bit changed. */
  readonly corrupt: number;
}

const FAIR_WEATHER: LossyTransportOptions = Object.freeze({
  loss: 0,
  rttMs: 0,
  jitterMs: 0,
  reorder: 0,
  duplicate: 0,
  corrupt: 0,
});

/**
 * Puts a bad network before another transport: profile R1 with `loss` and `rttMs`.
 *
 * A lost request has no effect. A lost reply has its effect and is never answered: its promise
 * stays open until its signal is aborted. With one seed and one order of calls the weather repeats.
 */
export class LossyTransport implements Transport {
  readonly payloadSize: number;
  readonly handsOver: boolean;
  readonly #inner: Transport;
  readonly #weather: LossyTransportOptions;
  readonly #clock: Clock;
  readonly #random: Random;

  /**
   * @throws RangeError for a probability outside [0, 1], a time that is negative or infinite, or a
   *   seed that is no whole number
   */
  constructor(
    inner: Transport,
    options: Partial<LossyTransportOptions> & {
      readonly clock?: Clock;
      /** Of the weather; 1 unless given. */
      readonly seed?: number;
      /** In place of `seed`: a generator that is shared with others. */
      readonly random?: Random;
    } = {},
  ) {
    const { clock, seed, random, ...given } = options;
    this.payloadSize = inner.payloadSize;
    this.handsOver = inner.handsOver === true;
    this.#inner = inner;
    this.#weather = { ...FAIR_WEATHER, ...given };
    this.#clock = clock ?? systemClock;
    if (seed !== undefined && !Number.isSafeInteger(seed)) {
      throw new RangeError("seed must be a whole number");
    }
    this.#random = random ?? new SeededRandom(seed ?? 1);
    const { rttMs, jitterMs, ...probabilities } = this.#weather;
    for (const [name, value] of Object.entries(probabilities)) requireChance(name, value);
    for (const [name, value] of Object.entries({ rttMs, jitterMs })) requireAmount(name, value);
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options: PutOptions = {}): Promise<Receipt> {
    const { signal, ...wishes } = options;
    throwIfAborted(signal);
    // The request may arrive after its caller gave up and took the bytes back. It is not called
    // back either: what has left has left.
    const [id, bytes] = [concatBytes(frameId), concatBytes(cell)];
    return this.#request(signal, async () => this.#inner.put(id, bytes, wishes));
  }

  async get(frameId: Uint8Array, options: GetOptions = {}): Promise<Uint8Array> {
    throwIfAborted(options.signal);
    const id = concatBytes(frameId);
    // What is under way for a while, and may be damaged, is not borrowed.
    const wishes = { ...options, isBorrowed: false };
    return this.#request(options.signal, async () => {
      const cell = await this.#inner.get(id, wishes);
      if (this.#chance(this.#weather.corrupt)) this.#changeBit(cell);
      return cell;
    });
  }

  bind(keys: TransportKeys): Transport {
    const bound = this.#inner.bind?.(keys);
    if (bound === undefined) return this;
    return new LossyTransport(bound, {
      ...this.#weather,
      clock: this.#clock,
      random: this.#random,
    });
  }

  #request<T>(signal: AbortSignal | undefined, perform: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const forgetSignal = onAbort(signal, reject);
      const reply = (settle: () => void): void => {
        this.#leg(() => {
          forgetSignal();
          settle();
        });
      };
      const arrive = (): void => {
        perform().then(
          (value) => reply(() => resolve(value)),
          (error) => reply(() => reject(error)),
        );
      };
      this.#leg(arrive);
      if (this.#chance(this.#weather.duplicate)) this.#leg(arrive);
    });
  }

  #leg(arrive: () => void): void {
    const { loss, rttMs, jitterMs, reorder } = this.#weather;
    if (this.#chance(loss)) return;
    let delayMs = rttMs / 2 + jitterMs * this.#random.unit();
    if (this.#chance(reorder)) delayMs += rttMs * this.#random.unit();
    if (delayMs === 0) arrive();
    else this.#clock.schedule(this.#clock.now() + delayMs, arrive);
  }

  #chance(probability: number): boolean {
    return probability > 0 && this.#random.unit() < probability;
  }

  #changeBit(cell: Uint8Array): void {
    const at = Math.floor(this.#random.unit() * cell.length);
    cell[at] = (cell[at] ?? 0) ^ (1 << Math.floor(this.#random.unit() * 8));
  }
}
