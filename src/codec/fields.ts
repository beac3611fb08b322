import { CulvertError, type ErrorCode } from "../base/index.ts";
import type { CborValue } from "./cbor.ts";

/**
 * Typed access to a decoded CBOR map: saved state, a request, a descriptor. Each accessor names its
 * field, and a missing or wrong one is an error of the code given, with `field` in its detail.
 */
export class Fields {
  readonly #map: { readonly [key: string]: CborValue };
  readonly #code: ErrorCode;
  readonly #path: string;

  private constructor(map: { readonly [key: string]: CborValue }, code: ErrorCode, path: string) {
    this.#map = map;
    this.#code = code;
    this.#path = path;
  }

  /** @throws CulvertError `code` when `value` is no map */
  static of(value: CborValue, code: ErrorCode = "CULVERT_PROTOCOL"): Fields {
    if (!isMap(value)) throw wrong(code, "document", "is not a map");
    return new Fields(value, code, "");
  }

  /** True when the field is there. */
  has(name: string): boolean {
    return Object.hasOwn(this.#map, name);
  }

  /** A safe whole number between `min` (0 if absent) and `max`. */
  integer(name: string, range: { min?: number; max?: number } = {}): number {
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
    const value = this.#value(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      throw this.wrong(name, "is not a whole number");
    }
    if (value < min || value > max) throw this.wrong(name, `is not within ${min} and ${max}`);
    return value;
  }

  /** Any finite number. */
  number(name: string): number {
    const value = this.#value(name);
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw this.wrong(name, "is not a finite number");
    }
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#value(name);
    if (typeof value !== "boolean") throw this.wrong(name, "is not true or false");
    return value;
  }

  text(name: string): string {
    const value = this.#value(name);
    if (typeof value !== "string") throw this.wrong(name, "is not text");
    return value;
  }

  /** Bytes, of exactly `length` if one is given. */
  bytes(name: string, length?: number): Uint8Array {
    const value = this.#value(name);
    if (!(value instanceof Uint8Array)) throw this.wrong(name, "is not bytes");
    if (length !== undefined && value.length !== length) {
      throw this.wrong(name, `has ${value.length} bytes, not ${length}`);
    }
    return value;
  }

  list(name: string): readonly CborValue[] {
    const value = this.#value(name);
    if (!Array.isArray(value)) throw this.wrong(name, "is not a list");
    return value;
  }

  /** A map inside; its errors name the whole path. */
  fields(name: string): Fields {
    const value = this.#value(name);
    if (!isMap(value)) throw this.wrong(name, "is not a map");
    return new Fields(value, this.#code, `${this.#path}${name}.`);
  }

  /** A list of maps; their errors name the place in the list. */
  fieldsList(name: string): readonly Fields[] {
    return this.list(name).map((value, i) => {
      if (!isMap(value)) throw this.wrong(`${name}[${i}]`, "is not a map");
      return new Fields(value, this.#code, `${this.#path}${name}[${i}].`);
    });
  }

  /** The error for a field that is of the right type and still does not fit. */
  wrong(name: string, why: string): CulvertError {
    return wrong(this.#code, `${this.#path}${name}`, why);
  }

  #value(name: string): CborValue {
    const value = this.has(name) ? this.#map[name] : undefined;
    if (value === undefined) throw this.wrong(name, "is missing");
    return value;
  }
}

function isMap(value: CborValue): value is { [key: string]: CborValue } {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

function wrong(code: ErrorCode, field: string, why: string): CulvertError {
  return new CulvertError(code, `${field} ${why}`, { detail: { field } });
}
