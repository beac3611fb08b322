import type { Contact } from "../wire/contact.ts";
import { distanceFraction, type KeyText } from "../wire/key.ts";

/** Closest sets that the estimate is the median of. */
const SAMPLES_MAX = 32;
/** Fewer nodes than this around a key say little about density. */
const NODES_MIN = 8;
/**
 * A set is too dense when honest chance would fill so small a region less than once in a thousand
 * times: two and a half times as many nodes as expected, and some for small numbers.
 */
const DENSITY_MAX = 2.5;
const DENSITY_SLACK = 4;

/**
 * How many nodes the network has, estimated from how close the closest nodes to random keys lie,
 * and with that which neighbourhoods are denser than honest ids make them.
 *
 * The median of many keys: who grinds ids for one key moves one sample.
 */
export class NetworkSize {
  readonly #samples: number[] = [];
  /** The keys that they are of: whatever is looked up again and again is one sample. */
  readonly #targets: KeyText[] = [];
  #at = 0;
  #median: number | undefined;

  /** Learns from the closest set, closest first, that a lookup of `target` ended with. */
  observe(target: KeyText, closest: readonly Contact[]): void {
    const last = closest.at(-1);
    if (last === undefined || closest.length < NODES_MIN) return;
    const reach = distanceFraction(target, last.key);
    if (reach === 0) return;
    // The reach of the k-th of n is k / (n + 1) in the mean.
    const known = this.#targets.indexOf(target);
    const at = known < 0 ? this.#at : known;
    this.#samples[at] = closest.length / reach - 1;
    this.#targets[at] = target;
    if (known < 0) this.#at = (at + 1) % SAMPLES_MAX;
    this.#median = undefined;
  }

  /** Whether any neighbourhood was seen yet. */
  get isObserved(): boolean {
    return this.#samples.length > 0;
  }

  /** The estimate, at least `known`; `known` alone while nothing was observed. */
  nodes(known: number): number {
    if (this.#samples.length === 0) return known;
    const middle = (this.#samples.length - 1) >> 1; // of two the one that no crowd has made
    this.#median ??= this.#samples.toSorted((a, b) => a - b)[middle] ?? 0;
    return Math.max(Math.round(this.#median), known);
  }

  /**
   * Whether these nodes, closest to `target` of all that somebody knows, crowd more than honest ids
   * do in a network of `nodes`.
   */
  isTooDense(target: KeyText, closest: readonly Contact[], nodes: number): boolean {
    const last = closest.at(-1);
    if (last === undefined || closest.length < NODES_MIN) return false;
    const expected = nodes * distanceFraction(target, last.key);
    return closest.length > DENSITY_MAX * expected + DENSITY_SLACK;
  }
}
