import { isBetween, requireObject, shown } from "./given.ts";
import { requireOneOf } from "./one-of.ts";

/**
 * Bounds, and what else an object of options has, with their defaults for what is left out. What is
 * no positive number bounds nothing: with `undefined` or a text every comparison is false. What is
 * yes or no by default is that.
 *
 * @param mayBeZero those that say by 0 that there is to be nothing of their kind
 * @throws RangeError, TypeError for what is no object
 */
export function resolveLimits<Limits extends object>(
  defaults: Limits,
  given: Partial<Limits> = {},
  ...mayBeZero: readonly (keyof Limits & string)[]
): Limits {
  requireObject("limits", given);
  const limits = { ...defaults, ...given };
  const usual = new Map<string, unknown>(Object.entries(defaults));
  const zeros = new Set<string>(mayBeZero);
  for (const [name, value] of Object.entries(limits)) {
    if (typeof usual.get(name) === "boolean") {
      requireOneOf(name, value, [true, false]);
      continue;
    }
    if (value !== 0 || !zeros.has(name)) requirePositive(name, value);
  }
  return limits;
}

/** @throws RangeError for what bounds nothing: no finite number above 0 */
export function requirePositive(name: string, value: unknown): void {
  if (isBetween(value, Number.MIN_VALUE, Number.MAX_VALUE)) return;
  throw new RangeError(`${name} must be a positive number, not ${shown(value)}`);
}
