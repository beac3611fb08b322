import { requireAmount, requireChance } from "../../base/index.ts";

/** One of the two parties of a world; which role each plays is up to its core. */
export type Side = "a" | "b";

/** A time in which nothing that is sent by, or to, some of the parties gets through. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Who is cut off. */
  readonly side: Side | "both";
}

/** What a Map and the way to it do to a stream. Chances are 0..1, times virtual milliseconds. */
export interface MapFaults {
  /** A request takes half of it on its way, and so does its reply. */
  readonly rttMs: number;
  /** Each leg takes up to this much longer, evenly spread. */
  readonly jitterMs: number;
  /** Chance that a request is lost (no effect) and that a reply is lost (its effect stays). */
  readonly loss: number;
  /** Chance that a leg is held back by up to `reorderMs` more, and so is overtaken. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Chance that a leg arrives twice. */
  readonly duplicate: number;
  /** Chance that the cell in a get's answer arrives with some of its bits flipped. */
  readonly corrupt: number;
  /** Chance that a put is refused: by a full, a busy or an unwilling Map. */
  readonly refuse: number;
  /** Chance that a cell whose put was answered vanishes at some time of its life. */
  readonly forget: number;
  /** Chance that a get is answered with something else than the truth; see `Lie`. */
  readonly lie: number;
  /** The longest time for which the Map keeps a cell. */
  readonly ttlSecondsMax: number;
  /** The longest time for which the Map holds a get for an empty place. */
  readonly waitMsMax: number;
  /** When the client gives up on a request and says so; `Infinity` for a client that never does. */
  readonly hardTimeoutMs: number;
  readonly outages: readonly Outage[];
}

/** A Map that does what it is asked, at once. */
export const NO_FAULTS: MapFaults = Object.freeze({
  rttMs: 0,
  jitterMs: 0,
  loss: 0,
  reorder: 0,
  reorderMs: 0,
  duplicate: 0,
  corrupt: 0,
  refuse: 0,
  forget: 0,
  lie: 0,
  ttlSecondsMax: 30 * 24 * 3600,
  waitMsMax: 3_600_000,
  hardTimeoutMs: Number.POSITIVE_INFINITY,
  outages: [],
});

/**
 * How a lying Map answers a get: with the cell of another place, with the first cell that it was
 * ever given, with noise, with a cell cut short, with "not found", or with the truth but so late
 * that nobody waits for it any more.
 */
export type Lie = "other" | "old" | "garbage" | "short" | "not-found" | "late";

/** All kinds of lies, equally likely. */
export const LIES: readonly Lie[] = ["other", "old", "garbage", "short", "not-found", "late"];

/** Fills in what `given` leaves out from {@link NO_FAULTS}. */
export function resolveFaults(given: Partial<MapFaults>): MapFaults {
  const faults: MapFaults = { ...NO_FAULTS, ...given };
  for (const name of CHANCES) requireChance(name, faults[name]);
  for (const name of AMOUNTS) requireAmount(name, faults[name]);
  return faults;
}

const CHANCES = ["loss", "reorder", "duplicate", "corrupt", "refuse", "forget", "lie"] as const;
const AMOUNTS = ["rttMs", "jitterMs", "reorderMs", "ttlSecondsMax", "waitMsMax"] as const;
