import type { CborValue } from "./cbor.ts";
import { type Level, ObjectBuilder, type Part } from "./cbor-level.ts";

/** Tags from here on stand for records; cbor-x uses so many of them. */
const ID_FIRST = 0xe000;
const ID_COUNT = 256;

/** Objects with the same keys: cbor-x sends the keys once and then a number in their place. */
export class RecordTable {
  readonly #bytesMax: number;
  readonly #keys = new Map<number, readonly string[]>();
  #bytes = 0;

  /** At most `bytesMax` characters of keys are remembered. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  keys(id: number): readonly string[] | undefined {
    return this.#keys.get(id);
  }

  /** Remembers keys, or says why not. */
  define(id: Part, keys: Part): string | undefined {
    if (typeof id !== "number" || !(id >= ID_FIRST && id < ID_FIRST + ID_COUNT)) {
      return "a record without a number";
    }
    if (!isListOfText(keys)) return "a record without keys";
    this.#bytes += sizeOf(keys) - sizeOf(this.#keys.get(id) ?? []);
    if (this.#bytes > this.#bytesMax) return "too many keys of records";
    this.#keys.set(id, keys);
    return undefined;
  }
}

/** A record: the values of keys that are known. */
export class RecordLevel implements Level {
  readonly #map = new ObjectBuilder();
  readonly #keys: readonly string[];
  #next = 0;

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  get left(): number {
    return this.#keys.length - this.#next;
  }

  add(part: Part): string | undefined {
    const key = this.#keys[this.#next] ?? "";
    this.#next += 1;
    return this.#map.set(key, part);
  }

  result(): CborValue {
    return this.#map.object;
  }
}

/** The first record of its kind: a number, the keys, and the values. */
export class DefinitionLevel implements Level {
  readonly #table: RecordTable;
  #id: Part | undefined;
  #record: RecordLevel | undefined;
  left: number;

  constructor(count: number, table: RecordTable) {
    this.left = count;
    this.#table = table;
  }

  add(part: Part): string | undefined {
    this.left -= 1;
    if (this.#record !== undefined) return this.#record.add(part);
    if (this.#id === undefined) {
      this.#id = part;
      return this.left > 0 ? undefined : "a record without keys";
    }
    const problem = this.#table.define(this.#id, part);
    if (problem !== undefined || !isListOfText(part)) return problem;
    this.#record = new RecordLevel(part);
    return part.length === this.left ? undefined : "a record with other values than keys";
  }

  result(): CborValue {
    return this.#record?.result() ?? {};
  }
}

function isListOfText(part: Part): part is string[] {
  return Array.isArray(part) && part.every((key) => typeof key === "string");
}

function sizeOf(keys: readonly string[]): number {
  return keys.reduce((size, key) => size + key.length + 1, 0);
}
