import { CulvertError } from "../../base/index.ts";
import { parseBytes, parseDuration } from "../humanize.ts";

/** The smallest cells that a network, or a Map, may have. */
const CELL_BYTES_MIN = 256;

/**
 * The options of one command line, by their long names in camel case. Every accessor gives
 * `undefined` for an option that was not there.
 *
 * @throws CulvertError `CULVERT_USAGE` for a value that cannot be what is asked for
 */
export class CommandOptions {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    if (typeof value !== "string") return undefined;
    // Of a variable that is not set; as a path it would be the current folder.
    if (value === "") throw new CulvertError("CULVERT_USAGE", `${flagOf(name)} has an empty value`);
    return value;
  }

  /** A whole number, zero or more. */
  count(name: string): number | undefined {
    return this.#parse(name, "a whole number", (text) => {
      const value = Number(text);
      return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
    });
  }

  /** A number from 0 to 1. */
  share(name: string): number | undefined {
    return this.#parse(name, "a number from 0 to 1", (text) => {
      const value = Number(text);
      return /^[\d.]+$/.test(text) && value >= 0 && value <= 1 ? value : undefined;
    });
  }

  durationMs(name: string): number | undefined {
    return this.#parse(name, "a duration as 90s, 10min or 2h", parseDuration);
  }

  bytes(name: string): number | undefined {
    return this.#parse(name, "a size as 300000, 400kB or 2MB", parseBytes);
  }

  /** The size of a cell of the Map, of which whoever asks has room for so much. */
  cellBytes(name: string, most: number): number | undefined {
    const min = CELL_BYTES_MIN;
    return this.#parse(name, `a size from ${min} to ${most}`, (text) => {
      const bytes = parseBytes(text);
      return bytes !== undefined && bytes >= min && bytes <= most ? bytes : undefined;
    });
  }

  #parse(
    name: string,
    what: string,
    parse: (text: string) => number | undefined,
  ): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    // Beyond that numbers have gaps, and nothing that counts them takes one.
    if (value !== undefined && value <= Number.MAX_SAFE_INTEGER) return value;
    throw new CulvertError("CULVERT_USAGE", `${flagOf(name)} takes ${what}, not "${text}"`);
  }
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
