import { readFile, stat } from "node:fs/promises";
import { CulvertError } from "../base/index.ts";

/** A text file that somebody else edits: read when it is another one than last time. */
export class ChangingFile {
  readonly path: string;
  readonly #bytesMax: number;
  #seen = "";

  constructor(path: string, options: { readonly bytesMax: number }) {
    this.path = path;
    this.#bytesMax = options.bytesMax;
  }

  /**
   * The text, or `undefined` when neither time, size nor place have changed since the last read.
   *
   * @throws CulvertError `CULVERT_FILE`, `CULVERT_TOO_LARGE`
   */
  async readIfChanged(): Promise<string | undefined> {
    try {
      const { mtimeMs, size, ino } = await stat(this.path);
      const seen = `${mtimeMs} ${size} ${ino}`;
      if (seen === this.#seen) return undefined;
      if (size > this.#bytesMax) {
        throw new CulvertError("CULVERT_TOO_LARGE", `${this.path} is longer than it may be`);
      }
      const text = await readFile(this.path, "utf8");
      this.#seen = seen;
      return text;
    } catch (cause) {
      if (cause instanceof CulvertError) throw cause;
      throw new CulvertError("CULVERT_FILE", `${this.path} cannot be read`, { cause });
    }
  }
}
