/**
 * Bounds with their defaults for what is left out. What is no positive number bounds nothing: with
 * `undefined` or a text every comparison is false.
 *
 * @throws RangeError
 */
export function resolveLimits<Limits extends object>(
  defaults: Limits,
  given: Partial<Limits> = {},
): Limits {
  const limits = { ...defaults, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(typeof value === "number" && Number.isFinite(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive number, not ${value}`);
    }
  }
  return limits;
}
