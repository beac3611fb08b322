import { type Instant, LruMap } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";

/**
 * Copies of all that a node keeps which one source is given. A newcomer needs one, and one for each
 * time that it is believed to have lost it; in the long run it has one as often as it could be
 * missed and come back.
 */
const COPIES = { capacity: 4, perSecond: 1 / 900 } as const;
/** Of a node that keeps fewer records, a copy counts as so many. */
const COPY_RECORDS_MIN = 1_024;
/** Sources whose copies are counted. */
const SOURCES_MAX = 1_024;

interface Account {
  readonly copies: TokenBucket;
  /** Nothing more until it may have a whole copy, or it would be given the same part each time. */
  isSpent: boolean;
}

/**
 * How much of what a node keeps others are given: who comes and goes all the time, or under ever
 * new names, or takes nothing of what it is sent, would have it read and sent without end.
 */
export class CopyBudget {
  readonly #accounts = new LruMap<string, Account>(SOURCES_MAX);

  /** Takes one record of `records` that are kept; false when the source has to wait. */
  take(source: string, records: number, now: Instant): boolean {
    const account = this.#accountOf(source, now);
    if (account.isSpent && account.copies.waitMs(1, now) > 0) return false;
    account.isSpent = !account.copies.take(part(records), now);
    return !account.isSpent;
  }

  /** Gives back what was taken and not read. */
  refund(source: string, records: number, now: Instant): void {
    this.#accountOf(source, now).copies.refund(part(records));
  }

  #accountOf(source: string, now: Instant): Account {
    const known = this.#accounts.get(source);
    if (known !== undefined) return known;
    const account = { copies: new TokenBucket(COPIES, now), isSpent: false };
    this.#accounts.set(source, account);
    return account;
  }
}

function part(records: number): number {
  return 1 / Math.max(records, COPY_RECORDS_MIN);
}
