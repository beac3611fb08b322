import { type Instant, LruMap } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { LinkLimits } from "../limits.ts";

/**
 * Decides who may begin a handshake, before anything expensive is done: so many at once and each
 * second from one source, so many at once from all.
 */
export class SourceGuard {
  readonly #limits: LinkLimits;
  readonly #rates: LruMap<string, TokenBucket>;
  readonly #open = new Map<string, number>();
  #openCount = 0;
  #refused = 0;

  constructor(limits: LinkLimits) {
    this.#limits = limits;
    this.#rates = new LruMap(limits.addressesMax);
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
    const isAllowed = this.#isRoom(source) && this.#rate(source, now).take(1, now);
    if (isAllowed && this.#isFull) makeRoom();
    if (!isAllowed || this.#isFull) {
      this.#refused += 1;
      return false;
    }
    this.#open.set(source, (this.#open.get(source) ?? 0) + 1);
    this.#openCount += 1;
    return true;
  }

  /** A handshake that `source` began is over. */
  leave(source: string): void {
    const left = (this.#open.get(source) ?? 0) - 1;
    if (left > 0) this.#open.set(source, left);
    else this.#open.delete(source);
    this.#openCount -= 1;
  }

  get #isFull(): boolean {
    return this.#openCount >= this.#limits.handshakesMax;
  }

  #isRoom(source: string): boolean {
    return (this.#open.get(source) ?? 0) < this.#limits.handshakesPerAddressMax;
  }

  #rate(source: string, now: Instant): TokenBucket {
    const known = this.#rates.get(source);
    if (known !== undefined) return known;
    const { handshakesBurst, handshakesPerSecond } = this.#limits;
    const options = { capacity: handshakesBurst, perSecond: handshakesPerSecond };
    const bucket = new TokenBucket(options, now);
    this.#rates.set(source, bucket);
    return bucket;
  }
}
