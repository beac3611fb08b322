import { join } from "node:path";
import type { Level } from "level";
import {
  CulvertError,
  type Journal,
  type JournalChanges,
  type JournalStore,
  plainBytes,
} from "../base/index.ts";
import { withChecksum, withoutChecksum } from "./checksum.ts";
import { knownLevelError } from "./level-errors.ts";
import { loadMachineCode } from "./machine-code.ts";
import { makeFolder } from "./make-folder.ts";

/** Names that a stream may have on disk: they become a folder, so nothing else is let through. */
const STREAM_ID = /^[A-Za-z0-9_-]{1,128}$/;

const HEAD_KEY = "head";
const FRAME_PREFIX = "frame/";
/** The first key after all that begin with the prefix. */
const AFTER_FRAMES = "frame0";

/**
 * A window of sealed frames is a few megabytes at most, rewritten all the time: small buffers hold
 * it as well as large ones do, and open faster after a crash.
 */
const LEVEL_OPTIONS = {
  keyEncoding: "utf8",
  valueEncoding: "view",
  compression: false,
  writeBufferSize: 1024 * 1024,
  cacheSize: 1024 * 1024,
} as const;

/**
 * Journals on disk, one `level` database for each stream, in a folder of its name below `folder`.
 *
 * A database is held by one process at a time, so the folder is the lock too. A commit is one
 * batch, synced before it resolves: after `kill -9` or a power failure either all of it is there or
 * none. Every value has a checksum: `level` does not look at those of its own when it reads.
 */
export class LevelJournalStore implements JournalStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @throws RangeError when `streamId` cannot be the name of a folder
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_JOURNAL`
   *   or `CULVERT_UNSUPPORTED`
   */
  async open(streamId: string): Promise<Journal> {
    if (!STREAM_ID.test(streamId)) throw new RangeError("not a stream id");
    const path = join(this.#folder, streamId);
    return await translateErrors(async () => {
      await makeFolder(path, 0o700);
      const level = await loadMachineCode("classic-level", () => import("level"));
      const db = new level.Level<string, Uint8Array>(path, LEVEL_OPTIONS);
      await db.open();
      return new LevelJournal(db);
    });
  }
}

class LevelJournal implements Journal {
  readonly #db: Level<string, Uint8Array>;

  constructor(db: Level<string, Uint8Array>) {
    this.#db = db;
  }

  async load(): Promise<Uint8Array | undefined> {
    const head = await this.#get(HEAD_KEY);
    if (head !== undefined) return head;
    // Frames come with a head: without one it was lost, and the stream would begin once more.
    const [stray] = await translateErrors(() => this.#db.keys({ limit: 1 }).all());
    if (stray === undefined) return undefined;
    throw new CulvertError("CULVERT_BAD_STATE", "the journal is damaged");
  }

  async commit(changes: JournalChanges): Promise<void> {
    this.#mustBeOpen();
    const batch = this.#db.batch().put(HEAD_KEY, withChecksum(changes.head));
    for (const { name, bytes } of changes.put) {
      batch.put(FRAME_PREFIX + name, withChecksum(bytes));
    }
    for (const name of changes.remove) batch.del(FRAME_PREFIX + name);
    await translateErrors(() => batch.write({ sync: true }));
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return await this.#get(FRAME_PREFIX + name);
  }

  async names(): Promise<string[]> {
    this.#mustBeOpen();
    const range = { gt: FRAME_PREFIX, lt: AFTER_FRAMES };
    const keys = await translateErrors(() => this.#db.keys(range).all());
    return keys.map((key) => key.slice(FRAME_PREFIX.length));
  }

  async close(): Promise<void> {
    await translateErrors(() => this.#db.close());
  }

  async #get(key: string): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
    const bytes = await translateErrors(() => this.#db.get(key));
    return bytes === undefined ? undefined : withoutChecksum(plainBytes(bytes));
  }

  #mustBeOpen(): void {
    if (this.#db.status === "open") return;
    throw new CulvertError("CULVERT_JOURNAL", "this journal is no longer open");
  }
}

async function translateErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = knownLevelError(error, "journal");
    throw known ?? new CulvertError("CULVERT_JOURNAL", undefined, { cause: error });
  }
}
