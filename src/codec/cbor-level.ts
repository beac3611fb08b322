import type { CborValue } from "./cbor.ts";

/** The `undefined` of CBOR: no value of ours, but cbor-x writes it. */
export const ABSENT: unique symbol = Symbol("absent");

/** A value, or the absence of one. */
export type Part = CborValue | typeof ABSENT;

/** An array or map that is being read. */
export interface Level {
  /** Parts that are still to come. */
  readonly left: number;
  /** Takes the next part; says why it does not fit, if it does not. */
  add(part: Part): string | undefined;
  result(): CborValue;
}

export class ListLevel implements Level {
  readonly #items: CborValue[] = [];
  left: number;

  constructor(count: number) {
    this.left = count;
  }

  add(part: Part): undefined {
    this.left -= 1;
    this.#items.push(part === ABSENT ? null : part);
  }

  result(): CborValue {
    return this.#items;
  }
}

export class MapLevel implements Level {
  readonly #map = new ObjectBuilder();
  #key: string | undefined;
  left: number;

  constructor(count: number) {
    this.left = 2 * count;
  }

  add(part: Part): string | undefined {
    this.left -= 1;
    if (this.#key === undefined) {
      if (typeof part !== "string") return "a key that is not text";
      this.#key = part;
      return undefined;
    }
    const problem = this.#map.set(this.#key, part);
    this.#key = undefined;
    return problem;
  }

  result(): CborValue {
    return this.#map.object;
  }
}

/** Makes an object of keys and values that somebody else has chosen. */
export class ObjectBuilder {
  readonly object: { [key: string]: CborValue } = {};
  #absent: Set<string> | undefined;

  /** Says why a key cannot be, if it cannot. */
  set(key: string, part: Part): string | undefined {
    if (key === "__proto__") return "__proto__ as a key";
    const isKnown = Object.hasOwn(this.object, key) || this.#absent?.has(key) === true;
    if (isKnown) return "a key that comes twice";
    if (part !== ABSENT) this.object[key] = part;
    else this.#absent = (this.#absent ?? new Set()).add(key);
    return undefined;
  }
}
