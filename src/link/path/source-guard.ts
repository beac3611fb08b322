import { Counts, type Instant } from "../../base/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { LinkLimits } from "../limits.ts";

/**
 * Decides who may begin a handshake, before anything expensive is done: so many at once and each
 * second from one source, so many at once from all.
 */
export class SourceGuard {
  readonly #limits: LinkLimits;
  readonly #rates: RateTable;
  readonly #open = new Counts();
  #openCount = 0;
  #refused = 0;

  constructor(limits: LinkLimits) {
    this.#limits = limits;
    const { handshakesBurst: capacity, handshakesPerSecond: perSecond } = limits;
    this.#rates = new RateTable({ capacity, perSecond }, limits.addressesMax);
  }

  /** Handshakes under way. */
  get open(): number {
    return this.#openCount;
  }

  /** Sources that these are counted for. */
  get sources(): number {
    return this.#open.size;
  }

  /** Handshakes that were not begun. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Whether `source` may begin one more; that is then counted until {@link leave}. Where only the
   * limit of all is in the way, `makeRoom` may end another one.
   */
  enter(source: string, now: Instant, makeRoom: () => void = () => {}): boolean {
    const isAllowed = this.#isRoom(source) && this.#rates.take(source, now);
    if (isAllowed && this.#isFull) makeRoom();
    if (!isAllowed || this.#isFull) {
      this.#refused += 1;
      return false;
    }
    this.#open.add(source);
    this.#openCount += 1;
    return true;
  }

  /** A handshake that `source` began is over. */
  leave(source: string): void {
    this.#open.remove(source);
    this.#openCount -= 1;
  }

  get #isFull(): boolean {
    return this.#openCount >= this.#limits.handshakesMax;
  }

  #isRoom(source: string): boolean {
    return this.#open.of(source) < this.#limits.handshakesPerAddressMax;
  }
}
