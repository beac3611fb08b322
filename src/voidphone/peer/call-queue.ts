import type { Instant } from "../../base/index.ts";
import type { PeerAddress } from "./peer-messages.ts";
import { addressOf } from "./peer-table.ts";

/** One call to one peer, under way or waiting for its turn. */
export interface QueuedCall extends PeerAddress {
  readonly rpc: number;
}

/**
 * Lets calls go out: one at a time to each peer, which is all that VoidPhone's peers can take, and
 * so many in all. Others wait: whoever makes them is bounded itself.
 */
export class CallQueue<Call extends QueuedCall> {
  readonly #parallelMax: number;
  readonly #callMs: number;
  readonly #waiting: Call[] = [];
  /** In the order of their deadlines. */
  readonly #active = new Map<number, { readonly call: Call; readonly until: Instant }>();
  readonly #busy = new Set<string>();

  constructor(options: { readonly parallelMax: number; readonly callMs: number }) {
    this.#parallelMax = options.parallelMax;
    this.#callMs = options.callMs;
  }

  push(call: Call): void {
    this.#waiting.push(call);
  }

  /** The next call that may go out now. */
  next(now: Instant): Call | undefined {
    if (this.#active.size >= this.#parallelMax) return undefined;
    const at = this.#waiting.findIndex((call) => !this.#busy.has(addressOf(call)));
    const [call] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (call === undefined) return undefined;
    this.#active.set(call.rpc, { call, until: now + this.#callMs });
    this.#busy.add(addressOf(call));
    return call;
  }

  /** The call that is over now; `undefined` when it was over before. */
  settle(rpc: number): Call | undefined {
    const active = this.#active.get(rpc);
    if (active === undefined) return undefined;
    this.#active.delete(rpc);
    this.#busy.delete(addressOf(active.call));
    return active.call;
  }

  /** Forgets calls that have not gone out, and names those that have. */
  drop(isUnwanted: (call: Call) => boolean): Call[] {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const call = this.#waiting[at];
      if (call !== undefined && isUnwanted(call)) this.#waiting.splice(at, 1);
    }
    return [...this.#active.values()].map(({ call }) => call).filter(isUnwanted);
  }

  /** A call whose time is up. */
  due(now: Instant): Call | undefined {
    const [oldest] = this.#active.values();
    return oldest !== undefined && oldest.until <= now ? oldest.call : undefined;
  }

  deadline(): Instant {
    const [oldest] = this.#active.values();
    return oldest?.until ?? Number.POSITIVE_INFINITY;
  }
}
