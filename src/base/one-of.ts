/**
 * Refuses a choice that is none: taken for another one, it would be found out late or never.
 *
 * @throws RangeError
 */
export function requireOneOf<T extends string>(
  name: string,
  value: T,
  choices: readonly T[],
): void {
  if (choices.includes(value)) return;
  const named = choices.map((choice) => `"${choice}"`).join(" or ");
  throw new RangeError(`${name} must be ${named}`);
}
