/** An option of a command, in commander's notation. */
export interface OptionSpec {
  readonly flags: string;
  readonly summary: string;
}

/** What is said of one command: help and completion are made from this. */
export interface CommandText {
  readonly name: string;
  /** In commander's notation: `<required>`, `[optional]`, `<many...>`. */
  readonly operands: string;
  readonly summary: string;
  /** What a user would type, and what it does, as `[command, meaning]`. */
  readonly examples: readonly (readonly [string, string])[];
  readonly options: readonly OptionSpec[];
  /** What the shell offers for operands: files, or these words. */
  readonly completes?: "files" | readonly string[];
}
