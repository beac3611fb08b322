import type { Writable } from "node:stream";
import { errorCode } from "../../io/error-code.ts";
import type { Failure } from "../failure.ts";
import { printable, withoutTickets } from "../humanize.ts";

/** Plain facts of an event. Times are milliseconds, sizes bytes. */
export type EventFields = Readonly<Record<string, string | number | boolean | null | string[]>>;

/** Version of the `--json` events; it grows when a field is renamed or removed. */
const EVENTS_VERSION = 1;

/** What a terminal has that does not say how wide it is. */
const COLUMNS_DEFAULT = 80;

const CLEAR_LINE = "\r\u001b[K";

/** A terminal, or a file or pipe that happens to be where a terminal could be. */
export interface Screen extends Writable {
  readonly isTTY?: boolean;
  readonly fd?: number;
  readonly columns?: number;
}

/** Where the command speaks, and how. */
export interface OutputOptions {
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Events as JSON lines instead of words. */
  readonly json: boolean;
  /** Stdout carries data: events go to stderr, and nothing but events. */
  readonly isStdoutData?: boolean;
  /** The whole story of an error, with its stack. */
  readonly verbose: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** False while the terminal is another job's; told nothing, it never is. */
  readonly isForeground?: () => boolean;
  /** Told when stdout takes nothing more for another reason than that nobody reads it. */
  readonly onBroken?: (error: Error) => void;
}

/**
 * The one voice of the command. Stdout carries payload, or `--json` events; words go to stderr,
 * and so do the events of a command whose payload is data. A status line that changes in place
 * exists on a terminal only.
 */
export class Output {
  readonly #options: OutputOptions;
  readonly #isColored: boolean;
  #hasStatus = false;
  #isAsking = false;
  #isBroken = false;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#isColored = wantsColor(options);
    options.stdout.on("error", (error) => {
      // A reader that has seen enough (`culvert status | head -1`) is no reason to fail.
      if (isClosedPipe(error)) return;
      this.#isBroken = true;
      options.onBroken?.(error);
    });
    options.stderr.on("error", () => {}); // where would that be told?
  }

  /** Whether stdout has failed, and that was told: how far something is does not matter then. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** True when questions may be asked. */
  get isInteractive(): boolean {
    return this.#options.stderr.isTTY === true && !this.#options.json;
  }

  /** True when words may be replaced in place. */
  get hasStatusLine(): boolean {
    return this.isInteractive && !isDumb(this.#options.env);
  }

  get isJson(): boolean {
    return this.#options.json;
  }

  /** Says what has happened: as an event, or as `words` when there are any. */
  tell(event: string, fields: EventFields, words?: string): void {
    if (this.#options.json) this.#event(event, fields);
    else if (words !== undefined) this.#line(words);
  }

  /**
   * Shows `words` in place of the last status, until something is told, where that can be: not on
   * the terminal that shows what a peer sends, nor from the background. Where they do not fit, the
   * first that does of what is `shorter`, or the beginning of the last.
   */
  status(words: string, ...shorter: readonly string[]): void {
    const { isStdoutData = false, stdout, isForeground } = this.#options;
    if (!this.hasStatusLine || this.#isAsking || (isStdoutData && stdout.isTTY === true)) return;
    if (isForeground?.() === false) {
      this.#hasStatus = false; // what is on that line by now is not ours
      return;
    }
    const columns = (this.#options.stderr.columns || COLUMNS_DEFAULT) - 1;
    const lines = [words, ...shorter];
    const line = lines.find((whole) => fitting(whole, columns) === whole) ?? lines.at(-1) ?? "";
    this.#options.stderr.write(`${CLEAR_LINE}${fitting(line, columns)}`);
    this.#hasStatus = true;
  }

  /** Leaves the terminal to a question, or to who comes next: no status until it is called. */
  yieldTerminal(): () => void {
    if (this.#hasStatus) this.#options.stderr.write(CLEAR_LINE);
    this.#hasStatus = false;
    this.#isAsking = true;
    return () => {
      this.#isAsking = false;
    };
  }

  /** What a command was asked for; on stdout. */
  payload(text: string): void {
    this.#options.stdout.write(text);
  }

  /**
   * An error and its hint, on stderr; with `--json` an event as well, or only that where events go
   * to stderr. Its message may be a peer's own words, or have a name of a peer in it.
   */
  fail(failure: Failure, error: unknown): void {
    const { code, hint, exit } = failure;
    const message = withoutTickets(failure.message);
    const { json, isStdoutData, verbose } = this.#options;
    if (json && isStdoutData === true) {
      const story = verbose ? { story: describe(error) } : {};
      this.#event("error", { code, message, hint, exit, ...story });
      return;
    }
    if (json) this.#event("error", { code, message, hint, exit });
    this.#line(`culvert: ${this.#paint("error:", 31)} ${printable(message)}`);
    this.#line(`culvert: ${this.#paint("hint:", 36)} ${hint}`);
    if (verbose) this.#line(describe(error));
  }

  /** What is good to know, where nothing is wrong. */
  note(message: string): void {
    this.tell("note", { message }, `culvert: note: ${message}`);
  }

  /** What is wrong, and does not stop the command. */
  warn(code: string, message: string): void {
    if (this.#options.json) this.#event("warning", { code, message });
    else this.#line(`culvert: ${this.#paint("warning:", 33)} ${printable(message)}`);
  }

  /** `text` in bold where that is possible. */
  bold(text: string): string {
    return this.#paint(text, 1);
  }

  #event(event: string, fields: EventFields): void {
    const { isStdoutData, stdout, stderr } = this.#options;
    const line = `${JSON.stringify({ v: EVENTS_VERSION, event, ...fields })}\n`;
    (isStdoutData === true ? stderr : stdout).write(line);
  }

  #line(words: string): void {
    const before = this.#hasStatus ? CLEAR_LINE : "";
    this.#hasStatus = false;
    this.#options.stderr.write(`${before}${words}\n`);
  }

  #paint(text: string, color: number): string {
    return this.#isColored ? `\u001b[${color}m${text}\u001b[0m` : text;
  }
}

const CHARACTERS = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * The beginning of `words` that no terminal needs more columns for: how wide what is not ASCII is,
 * and what it takes for one character, each decides for itself.
 */
function fitting(words: string, columns: number): string {
  let [taken, left] = [0, columns];
  for (const { segment, index } of CHARACTERS.segment(words)) {
    for (const point of segment) left -= point <= "\u007f" ? 1 : 2;
    if (left < 0) break;
    taken = index + segment.length;
  }
  return words.slice(0, taken);
}

/** Colours are for terminals that have them, and whose owner has not refused (no-color.org). */
function wantsColor({ env, stderr }: OutputOptions): boolean {
  const { NO_COLOR } = env;
  return stderr.isTTY === true && (NO_COLOR ?? "") === "" && !isDumb(env);
}

/** A terminal that shows control sequences as they are, as in an editor. */
function isDumb({ TERM }: NodeJS.ProcessEnv): boolean {
  return TERM === "dumb";
}

/** Whether something cannot be written because nobody reads it any more. */
export function isClosedPipe(error: Error): boolean {
  const code = errorCode(error);
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED";
}

/** Stack and causes, for `--verbose`: lines without a word that a terminal would obey. */
function describe(error: unknown): string {
  const lines: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at !== undefined; depth++) {
    lines.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  const story = withoutTickets(lines.join("\ncaused by: "));
  return story.split("\n").map(printable).join("\n");
}
