import { isBytes } from "./bytes.ts";

/**
 * Refuses what is no object where one is wanted: read on, it would be told of as what is missing in
 * it, by names that its giver does not know.
 *
 * @throws TypeError
 */
export function requireObject(name: string, value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw new TypeError(`${name} must be an object`);
}

/** @throws TypeError for what is no array where one is wanted */
export function requireArray(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array`);
}

/** @throws TypeError for what is no text where one is wanted */
export function requireText(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a text`);
}

/**
 * What a shell may be given in place of the machine's own.
 *
 * @throws TypeError for what is no clock, or no source of randomness
 */
export function requireMachine(given: {
  readonly clock?: unknown;
  readonly random?: unknown;
}): void {
  const { clock, random } = given;
  if (clock !== undefined) requireMethods("clock", clock, "now", "unixMs", "schedule");
  if (random !== undefined) requireMethods("random", random, "bytes", "unit");
}

/**
 * The same of something that does these things: a promise of one does not, nor does its class.
 *
 * @throws TypeError
 */
export function requireMethods(name: string, value: unknown, ...methods: readonly string[]): void {
  const given: Readonly<Record<string, unknown>> = Object(value);
  if (methods.every((method) => typeof given[method] === "function")) return;
  throw new TypeError(`${name} must be an object with ${methods.join(" and ")}`);
}

/**
 * Refuses what are no bytes, or not so many: whatever else has a length would be read as some, most
 * of it as zeros, and what stands behind too few of them would move.
 *
 * @throws TypeError for what is no `Uint8Array`
 * @throws RangeError for one of another length
 */
export function requireBytes(name: string, value: unknown, length?: number): void {
  if (!isBytes(value)) throw new TypeError(`${name} must be a Uint8Array`);
  if (length === undefined || value.length === length) return;
  throw new RangeError(`${name} has ${length} bytes, not ${value.length}`);
}

/** @throws TypeError for what cannot be called where it is to be */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${name} must be a function`);
}

/** @throws TypeError for what is neither a function nor left out */
export function requireCallback(name: string, value: unknown): void {
  if (value !== undefined) requireFunction(name, value);
}

/** Whether it is a number between these, both included: text would be joined where it is summed. */
export function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

/** @throws RangeError for what is no probability */
export function requireChance(name: string, value: unknown): void {
  if (!isBetween(value, 0, 1)) throw new RangeError(`${name} must be in [0, 1]`);
}

/** @throws RangeError for what is no time, or another finite amount, of zero or more */
export function requireAmount(name: string, value: unknown): void {
  if (isBetween(value, 0, Number.MAX_VALUE)) return;
  throw new RangeError(`${name} must be a number, zero or more`);
}

/** @throws RangeError for what is no whole number between these, both included */
export function requireWhole(name: string, value: unknown, min: number, max: number): void {
  if (isBetween(value, min, max) && Number.isInteger(value)) return;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${shown(value)}`);
}

/** @throws RangeError for what is no time; one without an end may be given, and is cut */
export function requireTime(name: string, ms: number | undefined): void {
  if (ms === undefined || (typeof ms === "number" && ms > 0)) return;
  throw new RangeError(`${name} is a positive time`);
}

/** A value in the words of an error: that of a symbol, or an object, is not made a text of. */
export function shown(value: unknown): string {
  const isPlain = value === null || !["object", "symbol", "function"].includes(typeof value);
  return isPlain ? `${value}` : `of type ${typeof value}`;
}
