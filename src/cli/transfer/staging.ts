import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, mkdtemp, open, rm, rmdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../base/index.ts";
import { exists, syncFolder } from "../../io/durable-file.ts";
import { errorCode } from "../../io/error-code.ts";
import { CommandError, explain } from "../failure.ts";
import { formatBytes } from "../humanize.ts";
import { STAGING_PREFIX, stagingFolder, sweepBeside } from "../session/unfinished-files.ts";
import { HeldFolders } from "./held-folders.ts";
import { lost } from "./lost.ts";
import type { Entry, FileEntry, Manifest } from "./manifest.ts";
import { type PathPolicy, refuseEntries } from "./path-policy.ts";
import { placeFile, placeFolder, removeDraft, replaceFile, setTime } from "./placing.ts";

/** The owner can always read and write what was received, whatever the sender's bits say. */
const FILE_MODE_ALWAYS = 0o600;

const READ_BYTES = 64 * 1024;

const GONE = "the unfinished files of this transfer are gone";

/** What a file system says that takes no more, of anybody, of this user, or of one file. */
const NO_ROOM: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** Where the files of one transfer go. */
export interface StagingOptions {
  /** Folder that nothing is ever written outside of. It may itself be reached by a link. */
  readonly target: string;
  /** Tells this transfer from others into the same folder. */
  readonly id: string;
  readonly manifest: Manifest;
  /** Permission bits that the user does not give to new files. */
  readonly umask: number;
}

/** Names of a transfer that something in the target has. */
export interface Conflicts {
  /** A file or link where a file is to go: it can be replaced. */
  readonly replaceable: readonly string[];
  /** A folder where a file is to go, or the other way round: it has to make way first. */
  readonly inTheWay: readonly string[];
}

/** The names of a transfer cannot be given here: what is sent has to have others. */
export class RefusedNames extends CommandError {
  constructor(reason: string) {
    const hint = "ask the other side to rename it and send it anew; nothing was written";
    super("CULVERT_FILE", `will not be written: ${reason}`, hint);
  }
}

/**
 * The files of one transfer until they are complete: numbered, so that no name of the peer touches
 * the disk before it has to, in a hidden folder of the target, so that each gets its name in one
 * step.
 *
 * Contract: `begin` first, or again after a crash. `write` puts bytes of one file after the other
 * at their positions and may repeat them; once `sync` has returned they survive a power failure.
 * When all are there, `place` gives them their names; it too can be repeated after a crash. Calls
 * do not overlap. Errors are `CULVERT_FILE`, or those of the operating system.
 */
export class Staging {
  readonly #options: StagingOptions;
  readonly #folder: string;
  readonly #locations: ReadonlyMap<Entry, string>;
  #open: { readonly file: FileEntry; readonly handle: FileHandle } | undefined;
  #hasNewNames = false;

  constructor(options: StagingOptions) {
    this.#options = options;
    this.#folder = stagingFolder(options.target, options.id);
    const { entries } = options.manifest;
    this.#locations = new Map(
      entries.map((entry, number) => [entry, join(this.#folder, String(number))]),
    );
  }

  /** Whether there is a folder for unfinished files. */
  async isBegun(): Promise<boolean> {
    return await exists(this.#folder);
  }

  /**
   * Looks for names that are one on this disk, and for room, and makes the folder for unfinished
   * files. If that fails, there is one only if there was one before.
   *
   * @throws RefusedNames
   */
  async begin(): Promise<void> {
    const isNew = await this.#makeFolder();
    try {
      // Not only of a new one: an earlier run may have been killed in between.
      await syncFolder(this.#options.target);
      this.#judge({ foldCase: await this.#foldsCase() });
      await this.#requireRoom();
      for (const entry of this.#options.manifest.entries) {
        if (entry.kind === "file" && entry.size === 0) {
          await this.write(entry, 0, new Uint8Array(0));
        }
      }
    } catch (error) {
      if (isNew || error instanceof RefusedNames) await this.discard();
      throw error;
    } finally {
      // Whoever hears that this has failed has nothing to close.
      await this.close();
    }
  }

  /**
   * Which names are taken in the target by something that would have to make way.
   *
   * @throws RefusedNames before anything is looked at: what a peer names outside of the target is
   *   not its to know of
   * @throws CulvertError `CULVERT_FILE` for a path that could never be given there
   */
  async conflicts(): Promise<Conflicts> {
    this.#judge({ foldCase: false });
    const [replaceable, inTheWay]: [string[], string[]] = [[], []];
    for (const entry of this.#options.manifest.entries) {
      const { kind, path } = entry;
      const stats = await lstat(this.#destination(entry)).catch(noneUnlessTooLong);
      if (stats === undefined) continue;
      const isFolder = stats.isDirectory();
      if (kind === "file" && !isFolder) replaceable.push(path);
      else if (kind === "file" || !isFolder) inTheWay.push(path);
    }
    return { replaceable, inTheWay };
  }

  /**
   * Puts `bytes` at position `at` of `file`.
   *
   * @throws CulvertError `CULVERT_FILE` when there is no room; what the system says of the rest
   */
  async write(file: FileEntry, at: number, bytes: Uint8Array): Promise<void> {
    if (this.#open?.file !== file) {
      await this.close();
      this.#open = { file, handle: await this.#openFile(file) };
    }
    const { handle } = this.#open;
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      const write = handle.write(bytes, done, left, at + done);
      done += (await write.catch((error) => Promise.reject(this.#full(error)))).bytesWritten;
    }
    if (at + bytes.length === file.size) await this.#finish(file, handle);
  }

  /** Makes everything that was written durable. */
  async sync(): Promise<void> {
    await this.#open?.handle.datasync();
    if (this.#hasNewNames) await syncFolder(this.#folder);
    this.#hasNewNames = false;
  }

  /**
   * Reads back the first `length` bytes of the contents.
   *
   * @throws CulvertError `CULVERT_BAD_STATE` when they are no longer there
   */
  async *readBack(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    for (const [entry, location] of this.#locations) {
      if (entry.kind === "folder") continue;
      const wanted = Math.min(left, entry.size);
      if (wanted > 0) yield* readPart(location, wanted);
      left -= wanted;
    }
  }

  /** Gives every file its name. Without `overwrite`, what is there is never replaced. */
  async place(options: { overwrite: boolean }): Promise<void> {
    const folders = await HeldFolders.open(this.#options.target).catch(lostWithFolder);
    try {
      for (const [entry, location] of this.#locations) {
        const place = await folders.find(entry.path);
        if (entry.kind === "folder") await placeFolder(place, this.#allowed(entry.mode));
        else if (options.overwrite) await replaceFile(location, place);
        else await placeFile(location, place);
      }
    } finally {
      await folders.close();
    }
    await this.discard();
  }

  /** Lets go of the open file; what was written stays. */
  async close(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  /** Removes the folder for unfinished files and all that is in it. */
  async discard(): Promise<void> {
    await this.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * As {@link discard}, of names that were being given: what a killed run has copied to other file
   * systems goes, too.
   */
  async discardAll(): Promise<void> {
    await this.discard();
    const { target } = this.#options;
    if (!(await exists(target))) return;
    const folders = await HeldFolders.open(target);
    try {
      for (const [entry, location] of this.#locations) {
        // Where its folder is not there, or is none of ours, there is no copy of it.
        const place = await folders.find(entry.path).catch(() => undefined);
        if (place !== undefined && entry.kind === "file") await removeDraft(location, place);
      }
    } finally {
      await folders.close();
    }
  }

  #destination(entry: Entry): string {
    return join(this.#options.target, ...entry.path.split("/"));
  }

  #allowed(mode: number): number {
    return mode & ~this.#options.umask;
  }

  async #openFile(file: FileEntry): Promise<FileHandle> {
    this.#hasNewNames = true;
    const flags = constants.O_CREAT | constants.O_RDWR;
    return await open(this.#location(file), flags, FILE_MODE_ALWAYS).catch(lostWithFolder);
  }

  /** Sets what was announced for a file, and makes it durable. */
  async #finish(file: FileEntry, handle: FileHandle): Promise<void> {
    await handle.chmod(this.#allowed(file.mode) | FILE_MODE_ALWAYS);
    await setTime(handle, file.mtimeMs);
    await handle.sync();
  }

  #location(entry: Entry): string {
    const location = this.#locations.get(entry);
    assert(location !== undefined, "the entry is of this transfer");
    return location;
  }

  /**
   * Takes the folder of an earlier run; a sender on this machine can have put another there.
   *
   * @returns whether there was none
   */
  async #makeFolder(): Promise<boolean> {
    try {
      await mkdir(this.#folder, { mode: 0o700 });
      return true;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    await sweepBeside(this.#options.target, this.#options.id);
    // Whose what we make here is, some file systems decide themselves.
    const ours = await mkdtemp(`${this.#folder}-`);
    const { uid } = await lstat(ours);
    await rmdir(ours);
    const found = await lstat(this.#folder);
    if (found.isDirectory() && found.uid === uid) return false;
    const message = `${this.#folder} is there, and not of this user's making`;
    throw new CommandError("CULVERT_FILE", message, "use --into another folder");
  }

  /** @throws RefusedNames for names of the peer that are not put on this disk */
  #judge({ foldCase }: Pick<PathPolicy, "foldCase">): void {
    const policy = { foldCase, windows: process.platform === "win32" };
    const reason = refuseEntries(this.#options.manifest.entries, policy);
    if (reason !== undefined) throw new RefusedNames(reason);
  }

  /** A file system that ignores case finds our own folder under a name that we did not give. */
  async #foldsCase(): Promise<boolean> {
    const { target, id } = this.#options;
    return await exists(join(target, STAGING_PREFIX.toUpperCase() + id));
  }

  /** The same error; where there is no room, with the disk that is meant and the way on. */
  #full(error: unknown): unknown {
    if (!NO_ROOM.includes(errorCode(error))) return error;
    const message = `cannot write into ${this.#options.target}: ${explain(error).message}`;
    const hint = "free some space and type the same command again to go on";
    return new CommandError("CULVERT_FILE", message, hint, error);
  }

  async #requireRoom(): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(this.#options.target);
    if (blocks === 0) return; // a file system that has no size, or does not say which
    const free = bavail * bsize;
    let missing = this.#options.manifest.contentBytes;
    for (const location of this.#locations.values()) {
      missing -= (await lstat(location).catch(() => undefined))?.size ?? 0;
    }
    if (missing <= free) return;
    const lacking = formatBytes(missing - free);
    await rmdir(this.#folder).catch(() => {}); // unless something came before: it may go elsewhere
    throw new CommandError(
      "CULVERT_FILE",
      `no room in ${this.#options.target}: ${lacking} too little for ${formatBytes(missing)}`,
      "free some space and type the same command again, or choose another folder with --into",
    );
  }
}

/** What is wrong with a path apart from its length is found by its rules. */
function noneUnlessTooLong(error: unknown): undefined {
  if (errorCode(error) !== "ENAMETOOLONG") return;
  const hint = "use --into another folder, with a shorter path, or ask the other side to rename it";
  throw new CommandError("CULVERT_FILE", "a name or path is too long for this disk", hint, error);
}

/** The folder was there when this run began: who has moved it away has moved all that is in it. */
function lostWithFolder(error: unknown): never {
  throw errorCode(error) === "ENOENT" ? lost(GONE, error) : error;
}

async function* readPart(location: string, length: number): AsyncGenerator<Uint8Array> {
  const handle = await open(location).catch((error: unknown) => {
    throw lost(GONE, error);
  });
  try {
    for (let at = 0; at < length; ) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, length - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw lost(GONE);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
