import {
  type Instant,
  requireAmount,
  requireChance,
  requireOneOf,
  requirePositive,
  type SeededRandom,
} from "../../base/index.ts";

/** How the line of a host, or of a NAT, treats what passes it, in each direction alike. */
export interface LineProfile {
  /** One way, milliseconds. */
  readonly delayMs: number;
  /** Up to so much more, drawn for every packet: packets overtake each other. */
  readonly jitterMs: number;
  /** Jitter lets none overtake the one before it, as in a queue; `reorder` still does. */
  readonly isQueued: boolean;
  /** Chance that a packet is lost. */
  readonly loss: number;
  /** Chance that a packet arrives twice. */
  readonly duplicate: number;
  /** Chance that a packet is held back by up to `reorderMs`. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Chance that bits of a datagram are flipped; of a connection's packet, that it is lost. */
  readonly corrupt: number;
  /** `Infinity` for a line that is never busy. */
  readonly bytesPerSecond: number;
  /** Bytes that wait for a busy line; what comes on top is dropped. */
  readonly queueBytes: number;
}

/** A line that is not there: what a host behind a NAT has in its own network. */
export const INSTANT_LINE: LineProfile = Object.freeze({
  delayMs: 0,
  jitterMs: 0,
  isQueued: false,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 0,
  corrupt: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  queueBytes: 65_536,
});

/** A clean line of ten milliseconds: what a host has unless told otherwise. */
export const CLEAN_LINE: LineProfile = Object.freeze({ ...INSTANT_LINE, delayMs: 10 });

/**
 * The profile, if it is one.
 *
 * @throws RangeError
 */
export function checkedLine(profile: LineProfile): LineProfile {
  const { isQueued, bytesPerSecond, queueBytes, delayMs, jitterMs, reorderMs } = profile;
  const { loss, duplicate, reorder, corrupt } = profile;
  requireOneOf("isQueued", isQueued, [true, false]);
  const chances = { loss, duplicate, reorder, corrupt };
  for (const [name, value] of Object.entries(chances)) requireChance(name, value);
  const amounts = { delayMs, jitterMs, reorderMs, queueBytes };
  for (const [name, value] of Object.entries(amounts)) requireAmount(name, value);
  if (bytesPerSecond !== Number.POSITIVE_INFINITY)
    requirePositive("bytesPerSecond", bytesPerSecond);
  return profile;
}

/** The directions of a line: towards the network, and from it. */
export type LineDirection = "up" | "down";

/** What becomes of a packet: when each copy arrives, and which of them are damaged. */
export interface Passage {
  readonly copies: readonly { readonly delayMs: number; readonly isCorrupt: boolean }[];
  /** Why there is none. */
  readonly dropped: "loss" | "queue" | undefined;
}

const UNTOUCHED: Passage = Object.freeze({
  copies: [{ delayMs: 0, isCorrupt: false }],
  dropped: undefined,
});
const LOST: Passage = Object.freeze({ copies: [], dropped: "loss" });
const OVERFLOWN: Passage = Object.freeze({ copies: [], dropped: "queue" });

/** One line with its two queues. Faults that are off draw nothing, and so move nothing else. */
export class Line {
  profile: LineProfile;
  readonly #random: SeededRandom;
  readonly #freeAt: Record<LineDirection, Instant> = { up: 0, down: 0 };
  /** When the last packet that jitter held up has come through, by the line's own time. */
  readonly #throughAt: Record<LineDirection, Instant> = { up: 0, down: 0 };

  constructor(profile: LineProfile, random: SeededRandom) {
    this.profile = profile;
    this.#random = random;
  }

  /** Whether a packet may have to wait for others: then it has to be passed on when it comes. */
  get hasQueue(): boolean {
    return this.profile.bytesPerSecond !== Number.POSITIVE_INFINITY;
  }

  /** Passes a packet of `bytes` bytes on that comes to the line at `now`. */
  pass(direction: LineDirection, bytes: number, now: Instant): Passage {
    const { profile } = this;
    if (profile === INSTANT_LINE) return UNTOUCHED;
    const queuedMs = this.#queue(direction, bytes, now);
    if (queuedMs === undefined) return OVERFLOWN;
    if (this.#chance(profile.loss)) return LOST;
    const copy = (): Passage["copies"][number] => this.#copy(direction, queuedMs, now);
    const first = copy();
    const copies = this.#chance(profile.duplicate) ? [first, copy()] : [first];
    return { copies, dropped: undefined };
  }

  #copy(direction: LineDirection, queuedMs: number, now: Instant): Passage["copies"][number] {
    const { delayMs, jitterMs, reorder, reorderMs, corrupt } = this.profile;
    let ms = queuedMs + delayMs;
    if (jitterMs > 0) ms += this.#jitter(direction, now);
    if (this.#chance(reorder)) ms += this.#random.unit() * reorderMs;
    return { delayMs: ms, isCorrupt: this.#chance(corrupt) };
  }

  #jitter(direction: LineDirection, now: Instant): number {
    const { jitterMs, isQueued } = this.profile;
    const drawnMs = this.#random.unit() * jitterMs;
    if (!isQueued) return drawnMs;
    const throughAt = Math.max(this.#throughAt[direction], now + drawnMs);
    this.#throughAt[direction] = throughAt;
    return throughAt - now;
  }

  /** How long until the packet has left; `undefined` when it finds no room to wait. */
  #queue(direction: LineDirection, bytes: number, now: Instant): number | undefined {
    const { bytesPerSecond, queueBytes } = this.profile;
    if (!this.hasQueue) return 0;
    const startAt = Math.max(this.#freeAt[direction], now);
    const waitingBytes = ((startAt - now) * bytesPerSecond) / 1_000;
    if (waitingBytes + bytes > queueBytes) return undefined;
    this.#freeAt[direction] = startAt + (bytes * 1_000) / bytesPerSecond;
    return this.#freeAt[direction] - now;
  }

  #chance(chance: number): boolean {
    return chance > 0 && this.#random.unit() < chance;
  }
}
