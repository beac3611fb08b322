import { type Cancel, type Clock, type Log, LruMap } from "../../base/index.ts";
import {
  type Discovery,
  type NodeDescriptor,
  type NodeId,
  nodeIdText,
} from "../../identity/index.ts";
import type { Reach } from "../../link/index.ts";

/** Places that a node wants, and keeps while it has them: what others remember of it. */
const PLACES_WANTED = 2;
/** Nodes that are looked through for relays at a time. */
const SAMPLE_NODES = 16;
/** A relay that has given no place at so many looks after it was asked is left at the next one. */
const LOOKS_MAX = 2;
/** Those that were left last, for others as long as there are some. */
const LEFT_MAX = 64;
/** The pause between two looks doubles from the first to the last of these. */
const LOOK_MS = { first: 1_000, last: 60_000 } as const;

/** What a node that only relays reach needs to find some. */
export interface RelayPlacesComponents {
  readonly reach: Pick<Reach, "keepPlace" | "leave" | "vouchers">;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps places at relays for a node that others cannot reach directly: asks nodes with the role for
 * one, and leaves those that do not give it for others.
 */
export class RelayPlaces {
  readonly #components: RelayPlacesComponents;
  /** Relays that were asked, and how often was looked since then without a place. */
  readonly #asked = new Map<string, { readonly id: NodeId; looks: number }>();
  readonly #left = new LruMap<string, true>(LEFT_MAX);
  #pauseMs: number = LOOK_MS.first;
  #cancel: Cancel = () => {};
  /** What stands for the looking that goes on: what an earlier one began is over. */
  #run: object | undefined;

  constructor(components: RelayPlacesComponents) {
    this.#components = components;
  }

  /** Looks for relays, now and from time to time, until it is stopped. Idempotent. */
  start(): void {
    if (this.#run !== undefined) return;
    this.#run = {};
    this.#pauseMs = LOOK_MS.first;
    this.#lookNow(this.#run);
  }

  /** Gives all places up: they are not needed any more. */
  stop(): void {
    this.close();
    for (const { id } of this.#asked.values()) this.#components.reach.leave(id);
    this.#asked.clear();
  }

  /** Asks nobody any more; places end with the reach. */
  close(): void {
    this.#run = undefined;
    this.#cancel();
  }

  #lookNow(run: object): void {
    void this.#look(run).finally(() => this.#lookAgain(run));
  }

  #lookAgain(run: object): void {
    if (run !== this.#run) return;
    const { clock, reach } = this.#components;
    const isWell = reach.vouchers.length >= PLACES_WANTED;
    this.#pauseMs = isWell ? LOOK_MS.last : Math.min(2 * this.#pauseMs, LOOK_MS.last);
    const at = clock.now() + this.#pauseMs;
    this.#cancel = clock.schedule(at, () => this.#lookNow(run), { background: true });
  }

  async #look(run: object): Promise<void> {
    const { reach, discovery, log } = this.#components;
    this.#leaveIdle();
    if (this.#asked.size >= PLACES_WANTED) return;
    try {
      const found = await discovery.discover(SAMPLE_NODES);
      for (const { id, publicKey, claims } of this.#candidates(found)) {
        if (run !== this.#run || this.#asked.size >= PLACES_WANTED) return;
        const { addresses } = claims;
        const isAsked = reach.keepPlace({ id, publicKey, addresses });
        if (isAsked) this.#asked.set(nodeIdText(id), { id, looks: 0 });
      }
    } catch (error) {
      log("debug", "no-relay-found", { message: String(error) });
    }
  }

  /** Relays that can be asked; those that were left before, after all others. */
  #candidates(found: readonly NodeDescriptor[]): readonly NodeDescriptor[] {
    const wasLeft = ({ id }: NodeDescriptor): boolean => this.#left.get(nodeIdText(id)) === true;
    return found
      .filter((one) => one.has("link-relay") && one.claims.addresses.length > 0)
      .filter(({ id }) => !this.#asked.has(nodeIdText(id)))
      .sort((a, b) => Number(wasLeft(a)) - Number(wasLeft(b)));
  }

  #leaveIdle(): void {
    const { reach } = this.#components;
    const held = new Set(reach.vouchers.map(({ relay }) => nodeIdText(relay)));
    for (const [key, asked] of this.#asked) {
      asked.looks = held.has(key) ? 0 : asked.looks + 1;
      if (asked.looks <= LOOKS_MAX) continue;
      reach.leave(asked.id);
      this.#asked.delete(key);
      this.#left.set(key, true);
    }
  }
}
