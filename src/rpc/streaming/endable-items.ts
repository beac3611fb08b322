import type { ItemSource } from "../call/handlers.ts";

/** @throws TypeError for what gives no items */
export function requireItems(items: unknown): void {
  const given: Partial<AsyncIterable<unknown> & Iterable<unknown>> = Object(items);
  const source = given[Symbol.asyncIterator] ?? given[Symbol.iterator];
  if (typeof source === "function") return;
  throw new TypeError("items must be iterable: there is nothing to send");
}

/**
 * Items that somebody gives, and that can be ended while the next one is awaited: `for await` alone
 * would wait for it to come first. A generator hears of it at its next `yield` all the same.
 */
export class EndableItems<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #source: AsyncIterator<Item> | Iterator<Item>;
  #isOver = false;

  constructor(items: ItemSource<Item>) {
    requireItems(items);
    const given = items as Partial<AsyncIterable<Item> & Iterable<Item>>;
    const source = given[Symbol.asyncIterator]?.() ?? given[Symbol.iterator]?.();
    if (source === undefined) throw new TypeError("items are to be sent that are none");
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Item, undefined>> {
    const { done, value } = await this.#source.next();
    if (done !== true) return { done: false, value: await value };
    this.#isOver = true;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    const isFirst = !this.#isOver;
    this.#isOver = true;
    if (isFirst) await this.#source.return?.();
    return { done: true, value: undefined };
  }
}
