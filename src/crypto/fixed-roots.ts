import { toHex } from "../base/index.ts";

/** Roots that are remembered; each may hold a table of about 1 MiB. */
const ROOTS_MAX = 16;

/** Uses of a root before its table is worth building: the table costs about as much as ten products. */
const USES_BEFORE_TABLE = 8;

/**
 * Remembers the decoded points that are multiplied again and again (a stream has one root for each
 * direction), and lets those that are used often have a table. Least recently used ones leave.
 *
 * Points enter by their encoding, which is public.
 */
export class FixedRoots<Point> {
  readonly #decode: (encoded: Uint8Array) => Point | undefined;
  readonly #buildTable: (point: Point) => void;
  readonly #roots = new Map<string, { readonly point: Point; uses: number }>();

  constructor(
    decode: (encoded: Uint8Array) => Point | undefined,
    buildTable: (point: Point) => void,
  ) {
    this.#decode = decode;
    this.#buildTable = buildTable;
  }

  /** The point, or `undefined` when `encoded` is none. */
  get(encoded: Uint8Array): Point | undefined {
    const name = toHex(encoded);
    const known = this.#roots.get(name);
    if (known === undefined) return this.#add(name, encoded);
    this.#roots.delete(name);
    this.#roots.set(name, known);
    known.uses += 1;
    if (known.uses === USES_BEFORE_TABLE) this.#buildTable(known.point);
    return known.point;
  }

  #add(name: string, encoded: Uint8Array): Point | undefined {
    const point = this.#decode(encoded);
    if (point === undefined) return undefined;
    if (this.#roots.size >= ROOTS_MAX) {
      const oldest = this.#roots.keys().next();
      if (!oldest.done) this.#roots.delete(oldest.value);
    }
    this.#roots.set(name, { point, uses: 1 });
    return point;
  }
}
