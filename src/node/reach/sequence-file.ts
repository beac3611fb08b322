import type { Log } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { readState, writeDurably } from "../../io/durable-file.ts";

/** The file of a node's folder with the number of its last descriptor, u48. */
export const SEQUENCE_FILE = "sequence";

const SEQUENCE_BYTES = 6;
/** No number is as high, in seconds for four million years: the file was damaged. */
const DAMAGED_FROM = 2 ** 47;

/**
 * Remembers the number of the last descriptor of a node. Others keep the one with the highest
 * number: with the clock alone, one that was set back, they would refuse all that the node says.
 */
export class SequenceFile {
  /** Of an earlier life; 0 if there was none. */
  readonly last: number;
  readonly #path: string | undefined;
  readonly #log: Log;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string | undefined, last: number, log: Log) {
    this.#path = path;
    this.last = last;
    this.#log = log;
  }

  /**
   * @param path none for a node that has no folder: nothing is remembered
   * @throws CulvertError `CULVERT_FILE`
   */
  static async open(path: string | undefined, log: Log): Promise<SequenceFile> {
    const bytes = path === undefined ? undefined : await readState(path);
    const last = bytes?.length === SEQUENCE_BYTES ? new Reader(bytes).u48("sequence") : 0;
    // What is no number is as none: the clock is right as a rule.
    return new SequenceFile(path, last < DAMAGED_FROM ? last : 0, log);
  }

  /** Writes it behind those that it was told before. */
  keep(sequence: number): void {
    const path = this.#path;
    if (path === undefined) return;
    const bytes = new Writer(SEQUENCE_BYTES).u48(sequence).finish();
    this.#writing = this.#writing
      .then(() => writeDurably(path, bytes))
      .catch((error) => this.#log("warn", "sequence-not-kept", { message: String(error) }));
  }

  /** Resolves once all is written. */
  async close(): Promise<void> {
    await this.#writing;
  }
}
