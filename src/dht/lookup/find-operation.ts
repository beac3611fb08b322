import type { Instant } from "../../base/index.ts";
import type { DhtContext } from "../exchange/dht-context.ts";
import type { Contact } from "../wire/contact.ts";
import type { KeyText } from "../wire/key.ts";
import type { OperationHooks } from "./operation.ts";
import { Search } from "./search.ts";

/**
 * Finds the closest live nodes to a key; the table and the size estimate learn on the way. Where
 * ids crowd around the key, those of the region that honest density spans are found, too.
 */
export class FindOperation {
  readonly #count: number;
  readonly #known: readonly Contact[];
  readonly #hooks: OperationHooks;
  readonly #search: Search;

  constructor(
    context: DhtContext,
    asked: {
      readonly target: KeyText;
      readonly count: number;
      /** Nodes to begin with besides those of the table. */
      readonly known?: readonly Contact[];
    },
    hooks: OperationHooks,
  ) {
    this.#count = asked.count;
    this.#known = asked.known ?? [];
    this.#hooks = hooks;
    this.#search = new Search(context, asked.target, {
      requestNear: (near) => ({ kind: "find-node", target: near }),
      took: () => false,
      late: hooks.late,
      ended: () => this.#conclude(),
      isRepeatable: true,
    });
  }

  start(now: Instant): void {
    this.#search.start(now, this.#known);
  }

  expire(): void {
    this.#conclude();
  }

  stop(): void {
    this.#search.stop();
  }

  #conclude(): void {
    const { isHampered, answerers, asked } = this.#search;
    // What comes later must not bring it back to life.
    this.#search.stop();
    this.#search.learnSize();
    const contacts = this.#found();
    if (isHampered && answerers.size === 0) this.#hooks.busy();
    else this.#hooks.settled({ kind: "nodes", contacts, asked });
    this.#hooks.ended();
  }

  #found(): Contact[] {
    if (!this.#search.isWidened) return this.#search.closest(this.#count);
    const all = this.#search.closest(Number.POSITIVE_INFINITY);
    return all.filter((contact, at) => at < this.#count || this.#search.isInRegion(contact));
  }
}
