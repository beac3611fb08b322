import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../../io/durable-file.ts";
import { errorCode } from "../../io/error-code.ts";
import { taken } from "./name-taken.ts";

/** Where Linux has names for what a process has open. */
const OPEN_FILES = "/proc/self/fd";

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;

/** Where something of a transfer goes. */
export interface Place {
  /** How it is reached: by the folder that is held, where the system can do that. */
  readonly at: string;
  /** What it is called to the user. */
  readonly path: string;
}

interface Held {
  readonly name: string;
  readonly way: string;
  readonly handle: FileHandle | undefined;
}

/**
 * The folders below a target, each found in the one above it while that is held open, and never by
 * a link. Who else may write into one of them can put a link in the place of another at any moment:
 * nothing goes through it. Only Linux has that; elsewhere a link that comes in between is followed.
 *
 * Contract: `open`, then `find` for one place after the other, each good until the next one;
 * `close` at last, with which every folder that was held is durable. Calls do not overlap.
 */
export class HeldFolders {
  readonly #target: string;
  readonly #isByName: boolean;
  /** From the target down. */
  readonly #held: Held[] = [];

  private constructor(target: string, isByName: boolean) {
    this.#target = target;
    this.#isByName = isByName;
  }

  /** The target itself may be reached by a link: it is the user's own word. */
  static async open(target: string): Promise<HeldFolders> {
    const folders = new HeldFolders(target, !(await exists(OPEN_FILES)));
    await folders.#hold("", target, FOLDER);
    return folders;
  }

  /**
   * Where the name of `path`, relative to the target, is given.
   *
   * @throws CulvertError `CULVERT_FILE` when one of its folders is none, or a link
   */
  async find(path: string): Promise<Place> {
    const names = path.split("/");
    const folders = names.slice(0, -1);
    const differs = folders.findIndex((name, at) => this.#held[at + 1]?.name !== name);
    await this.#letGo(1 + (differs < 0 ? folders.length : differs));
    for (let at = this.#held.length - 1; at < folders.length; at++) {
      const name = folders[at] ?? "";
      try {
        await this.#hold(name, join(this.#way, name), FOLDER | constants.O_NOFOLLOW);
      } catch (error) {
        const isNone = errorCode(error) === "ENOTDIR" || errorCode(error) === "ELOOP";
        throw isNone ? taken(join(this.#target, ...folders.slice(0, at + 1))) : error;
      }
    }
    return { at: join(this.#way, names.at(-1) ?? ""), path: join(this.#target, ...names) };
  }

  async close(): Promise<void> {
    await this.#letGo(0);
  }

  get #way(): string {
    return this.#held.at(-1)?.way ?? this.#target;
  }

  async #hold(name: string, path: string, flags: number): Promise<void> {
    // Windows does not open folders; its file systems log their names themselves.
    const handle = process.platform === "win32" ? undefined : await open(path, flags);
    const isHeld = handle !== undefined && !this.#isByName;
    this.#held.push({ name, way: isHeld ? join(OPEN_FILES, String(handle.fd)) : path, handle });
  }

  /** Makes the names in the lowest folders durable, down to which `length` are held. */
  async #letGo(length: number): Promise<void> {
    if (this.#held.length <= length) return;
    const handle = this.#held.pop()?.handle;
    try {
      await handle?.sync();
    } finally {
      await handle?.close();
      await this.#letGo(length); // those above it as well, when this one fails
    }
  }
}
