/**
 * Bounds with their defaults for what is left out. What is no positive number bounds nothing: with
 * `undefined` or a text every comparison is false.
 *
 * @param mayBeZero the bound that says by 0 that there is to be nothing of its kind
 * @throws RangeError
 */
export function resolveLimits<Limits extends object>(
  defaults: Limits,
  given: Partial<Limits> = {},
  mayBeZero?: keyof Limits & string,
): Limits {
  const limits = { ...defaults, ...given };
  for (const [name, value] of Object.entries(limits)) {
    const isEnough =
      typeof value === "number" && (value > 0 || (value === 0 && name === mayBeZero));
    if (!(isEnough && Number.isFinite(value))) {
      throw new RangeError(`${name} must be a positive number, not ${value}`);
    }
  }
  return limits;
}
