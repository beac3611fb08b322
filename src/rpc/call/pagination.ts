import {
  CulvertError,
  equalBytes,
  requireBytes,
  requireCallback,
  requireFunction,
  requireObject,
  requireWhole,
} from "../../base/index.ts";
import { type CborValue, decodeCbor, encodeCbor } from "../../codec/index.ts";
import { requireCodec, type UnaryMethod, unary } from "../message/manifest.ts";
import type { MessageCodec } from "../message/message-codec.ts";
import type { CallOptions } from "./handlers.ts";

/** A place in a list, made by whoever keeps the list and meaningless to everybody else. */
export type Cursor = Uint8Array;

/** Asks for one page. */
export interface PageRequest<Query> {
  readonly query: Query;
  /** Behind which item the page begins; the first one if absent. */
  readonly after?: Cursor;
  /** The most items that are wanted; the handler may give fewer. */
  readonly limit: number;
}

/** One page. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: Cursor;
}

/** Longest cursor. */
const CURSOR_BYTES_MAX = 256;
/** Most items of one page. */
const PAGE_ITEMS_MAX = 1_024;
/** Pages in a row without an item: a peer that gives no end of them holds up whoever walks. */
const EMPTY_PAGES_MAX = 1_000;
/** Items of a page if the caller does not say. */
const PAGE_ITEMS = 100;

/**
 * Declares a method that gives a list page by page. A page is one unary call that may be repeated,
 * so a walk goes on after any failure from its last cursor.
 */
export function paged<Query, Item>(codecs: {
  readonly query: MessageCodec<Query>;
  readonly item: MessageCodec<Item>;
}): UnaryMethod<PageRequest<Query>, Page<Item>> {
  requireObject("codecs", codecs);
  const { query, item } = codecs;
  requireCodec("query", query);
  requireCodec("item", item);
  return unary({ request: requestCodec(query), reply: pageCodec(item), isIdempotent: true });
}

/** How a list is walked. */
export interface WalkOptions extends CallOptions {
  /** Items of one page, at most 1,024. */
  readonly pageItems?: number;
  /** Goes on where another walk has stopped. */
  readonly after?: Cursor;
  /** Called when a page has been taken whole: from here a walk can be resumed. */
  readonly onCursor?: (next: Cursor) => void;
}

/**
 * All items of a paged method, one page at a time, each asked for when the one before was taken.
 *
 * @throws CulvertError what a page fails with; `CULVERT_PROTOCOL` when a cursor leads to itself, or
 *   through a thousand empty pages
 */
export async function* walkPages<Query, Item>(
  call: (request: PageRequest<Query>, options?: CallOptions) => Promise<Page<Item>>,
  query: Query,
  options: WalkOptions = {},
): AsyncGenerator<Item, void, undefined> {
  requireFunction("call", call);
  requireObject("options", options);
  const { pageItems: limit = PAGE_ITEMS, onCursor, after, ...callOptions } = options;
  requireWhole("pageItems", limit, 1, PAGE_ITEMS_MAX);
  if (after !== undefined) requireBytes("after", after);
  requireCallback("onCursor", onCursor);
  let place = after;
  let emptyPages = 0;
  for (;;) {
    const from = place === undefined ? {} : { after: place };
    const page = await call({ query, limit, ...from }, callOptions);
    yield* page.items;
    if (page.next === undefined) return;
    const isStuck = page.items.length === 0 && place !== undefined && equalBytes(page.next, place);
    if (isStuck) throw new CulvertError("CULVERT_PROTOCOL", "a page leads to itself");
    emptyPages = page.items.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages > EMPTY_PAGES_MAX) throw new CulvertError("CULVERT_PROTOCOL", "no end of pages");
    place = page.next;
    onCursor?.(place);
  }
}

/** A CBOR array: query, cursor or null, limit. */
function requestCodec<Query>(query: MessageCodec<Query>): MessageCodec<PageRequest<Query>> {
  return {
    encode({ query: given, after, limit }) {
      if (!isLimit(limit)) throw new RangeError(`a page has 1 to ${PAGE_ITEMS_MAX} items`);
      return encodeCbor([query.encode(given), after ?? null, limit]);
    },
    decode(bytes) {
      const [given, after, limit] = listOf(decodeCbor(bytes, { maxDepth: 1 }), 3);
      if (!(given instanceof Uint8Array)) throw broken("a query that is not bytes");
      if (!isLimit(limit)) throw broken("a limit that is none");
      return { query: query.decode(given), limit, ...cursorOf("after", after) };
    },
  };
}

/** A CBOR array: items, cursor of the next page or null. */
function pageCodec<Item>(item: MessageCodec<Item>): MessageCodec<Page<Item>> {
  return {
    encode({ items, next }) {
      if (items.length > PAGE_ITEMS_MAX) throw new RangeError("a page with too many items");
      return encodeCbor([items.map((one) => item.encode(one)), next ?? null]);
    },
    decode(bytes) {
      const maxBytes = Number.MAX_SAFE_INTEGER; // the carrier has bounded it
      const [items, next] = listOf(decodeCbor(bytes, { maxDepth: 2, maxBytes }), 2);
      if (!Array.isArray(items) || items.length > PAGE_ITEMS_MAX) throw broken("no list of items");
      const read = items.map((one) => {
        if (!(one instanceof Uint8Array)) throw broken("an item that is not bytes");
        return item.decode(one);
      });
      return { items: read, ...cursorOf("next", next) };
    },
  };
}

function isLimit(limit: unknown): limit is number {
  return Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= PAGE_ITEMS_MAX;
}

function cursorOf<Name extends string>(
  name: Name,
  value: CborValue | undefined,
): { [K in Name]?: Cursor } {
  const fields: { [K in Name]?: Cursor } = {};
  if (value === null) return fields;
  const isCursor = value instanceof Uint8Array && value.length <= CURSOR_BYTES_MAX;
  if (!isCursor) throw broken("a cursor that is none, or too long");
  fields[name] = value;
  return fields;
}

function listOf(value: CborValue, length: number): readonly CborValue[] {
  if (Array.isArray(value) && value.length === length) return value;
  throw broken(`no array of ${length}`);
}

function broken(what: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", `a page: ${what}`);
}
