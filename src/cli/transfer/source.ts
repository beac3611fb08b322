import { constants, type Stats } from "node:fs";
import { access, lstat, open, readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { errorCode } from "../../io/error-code.ts";
import { CommandError } from "../failure.ts";
import {
  type Entry,
  type FileEntry,
  ListRoom,
  type Manifest,
  makeManifest,
  TRANSFER_LIMITS,
  type TransferLimits,
} from "./manifest.ts";
import { refuseEntries } from "./path-policy.ts";

/** What is to be sent, and where on this disk each entry is. */
export interface Source {
  readonly manifest: Manifest;
  readonly locations: ReadonlyMap<Entry, string>;
  /** What was left out, because it is neither a file nor a folder. */
  readonly skipped: readonly string[];
}

const READ_BYTES = 64 * 1024;
const SPELLING_HINT = "check the spelling; paths are relative to the current folder";
const STDIN_HINT = "culvert pipe --send-only sends what comes on stdin";
const TWICE_HINT = "name each path once, and what has one name in transfers of their own";
const EMPTY_HINT = 'is a variable not set? the current folder is "."';

/**
 * Looks at everything below `paths`, in an order that is the same every time, and makes sure that
 * it can be read. A link is followed when it was named, and left out when it is inside a folder.
 * What is too much is looked at no further than until that is known.
 *
 * @throws CulvertError `CULVERT_FILE`, `CULVERT_USAGE`, `CULVERT_TOO_LARGE`
 */
export async function scanSource(
  paths: readonly string[],
  limits: TransferLimits = TRANSFER_LIMITS,
): Promise<Source> {
  const locations = new Map<Entry, string>();
  const skipped: string[] = [];
  const named = new Map<string, string>();
  const room = new ListRoom(limits);
  for (const path of paths) {
    // Of a variable that is not set: it would be the current folder, with all that is in it.
    if (path === "") throw new CommandError("CULVERT_USAGE", "a path is empty", EMPTY_HINT);
    const location = resolve(path);
    const name = basename(location);
    const other = named.get(name);
    if (other !== undefined) throw namedTwice(other, path);
    named.set(name, path);
    room.take(name);
    const waiting = [{ location, path: name, stats: await inspect(location) }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const entry = describe(next.path, next.stats);
      if (entry === undefined) {
        skipped.push(next.location);
        continue;
      }
      await requireReadable(next.location, entry);
      if (entry.kind === "file" && entry.size === 0) await requireEmpty(next.location);
      locations.set(entry, next.location);
      if (entry.kind === "file") continue;
      const names = await readdir(next.location);
      for (const name of names.sort().reverse()) {
        const [inside, path] = [join(next.location, name), `${next.path}/${name}`];
        const stats = await inspectInside(inside);
        if (describe(path, stats) !== undefined) room.take(path);
        waiting.push({ location: inside, path, stats });
      }
    }
  }
  requireSendable([...locations.keys()], skipped);
  return { manifest: makeManifest([...locations.keys()]), locations, skipped };
}

/**
 * Reads the contents of all files one after the other.
 *
 * @throws CulvertError `CULVERT_FILE` when a file is no longer what the manifest says
 */
export async function* readContents(source: Source): AsyncGenerator<Uint8Array> {
  for (const [entry, location] of source.locations) {
    if (entry.kind === "file") yield* readFile(entry, location);
  }
}

async function* readFile(entry: FileEntry, location: string): AsyncGenerator<Uint8Array> {
  const file = await open(location, constants.O_RDONLY).catch((error: unknown) => {
    throw errorCode(error) === "ENOENT" ? changed(location) : error;
  });
  try {
    for (let at = 0; at < entry.size; ) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, entry.size - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw changed(location);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
    const stats = await file.stat();
    if (stats.size !== entry.size || Math.floor(stats.mtimeMs) !== entry.mtimeMs) {
      throw changed(location);
    }
    // What a system makes up as it is read, as below /proc, has no size, and would arrive empty.
    const { bytesRead } = await file.read(new Uint8Array(1), 0, 1, entry.size);
    if (bytesRead > 0) throw sizeless(location);
  } finally {
    await file.close();
  }
}

/** The error for a file that is not what it was when the transfer began. */
export function changed(location: string): CommandError {
  return new CommandError(
    "CULVERT_FILE",
    `${location} has changed since the transfer began`,
    "restore it to go on, or add --new to send it as it is now, with a new ticket",
  );
}

function sizeless(location: string): CommandError {
  const message = `${location} has more in it than its size tells`;
  return new CommandError("CULVERT_FILE", message, STDIN_HINT);
}

function namedTwice(one: string, other: string): CommandError {
  const message = `"${one}" and "${other}" would have one name at the receiver`;
  return new CommandError("CULVERT_FILE", message, TWICE_HINT);
}

async function inspect(location: string): Promise<Stats> {
  try {
    return await stat(location);
  } catch (error) {
    if (isDamaged(location)) throw notUtf8(location, error);
    const hint = basename(location) === "-" ? STDIN_HINT : SPELLING_HINT;
    throw new CommandError("CULVERT_FILE", `cannot find ${location}`, hint, error);
  }
}

/** What a folder has. */
async function inspectInside(location: string): Promise<Stats> {
  try {
    return await lstat(location);
  } catch (error) {
    throw isDamaged(location) ? notUtf8(location, error) : error;
  }
}

/** A name that cannot be said in UTF-8 has lost a part of itself by now. */
function isDamaged(location: string): boolean {
  return location.includes("\ufffd");
}

function notUtf8(location: string, cause: unknown): CommandError {
  const message = `cannot be sent, not UTF-8: ${location}`;
  return new CommandError("CULVERT_FILE", message, "rename it", cause);
}

function describe(path: string, stats: Stats): Entry | undefined {
  const mode = stats.mode & 0o777;
  if (stats.isDirectory()) return { kind: "folder", path, mode };
  if (!stats.isFile()) return undefined;
  return { kind: "file", path, mode, size: stats.size, mtimeMs: Math.floor(stats.mtimeMs) };
}

async function requireReadable(location: string, entry: Entry): Promise<void> {
  const mode = entry.kind === "file" ? constants.R_OK : constants.R_OK | constants.X_OK;
  try {
    await access(location, mode);
  } catch (error) {
    const hint = "check its permissions";
    throw new CommandError("CULVERT_FILE", `cannot read ${location}`, hint, error);
  }
}

/** Finds what a system makes up as it is read while nobody has been told of a transfer yet. */
async function requireEmpty(location: string): Promise<void> {
  // Some of these have nothing yet, and would be waited for.
  const file = await open(location, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const read = file.read(new Uint8Array(1), 0, 1, 0);
    // What cannot be read is told when it is sent: it may have become another file by then.
    const { bytesRead } = await read.catch(() => ({ bytesRead: 0 }));
    if (bytesRead > 0 && (await file.stat()).size === 0) throw sizeless(location);
  } finally {
    await file.close();
  }
}

function requireSendable(entries: readonly Entry[], skipped: readonly string[]): void {
  if (entries.length === 0) {
    const what = skipped.join(", ");
    const hint = "culvert pipe carries what comes from a device or another program";
    throw new CommandError("CULVERT_FILE", `neither a file nor a folder: ${what}`, hint);
  }
  const reason = refuseEntries(entries, { foldCase: false, windows: false });
  if (reason === undefined) return;
  throw new CommandError("CULVERT_FILE", `cannot be sent: ${reason}`, "rename it, or move it away");
}
