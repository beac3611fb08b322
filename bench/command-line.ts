import { type ParseArgsConfig, parseArgs } from "node:util";

/** Says what is wrong with how a tool was called, and ends the process with status 2. */
export function misused(problem: string, usage: string): never {
  process.stderr.write(`${problem}\n\n${usage}\n`);
  process.exit(2);
}

/** The options that the tool was called with; others end the process. */
export function optionsOf<Options extends NonNullable<ParseArgsConfig["options"]>>(
  options: Options,
  usage: string,
): ReturnType<typeof parseArgs<{ options: Options }>>["values"] {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error), usage);
  }
}

/** A whole number that somebody has written; anything else ends the process. */
export function wholeNumber(
  text: string,
  is: { readonly name: string; readonly min: number; readonly max: number; readonly usage: string },
): number {
  const value = Number(text);
  const { name, min, max, usage } = is;
  if (!/^\d+(e\d+)?$/.test(text)) misused(`${name} must be a whole number`, usage);
  if (value < min || value > max) misused(`${name} must be ${min} to ${max}`, usage);
  return value;
}
