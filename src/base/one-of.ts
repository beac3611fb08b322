/**
 * Refuses a choice that is none: taken for another one, it would be found out late or never.
 *
 * @throws RangeError
 */
export function requireOneOf(
  name: string,
  value: unknown,
  choices: readonly (string | boolean)[],
): void {
  if (choices.some((choice) => choice === value)) return;
  const named = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  throw new RangeError(`${name} must be ${named}`);
}
