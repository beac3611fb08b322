import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, type CulvertError, isCulvertError } from "../../base/index.ts";
import { withChecksum, withoutChecksum } from "../../io/checksum.ts";
import { exists, readIfThere, writeDurably } from "../../io/durable-file.ts";
import { errorCode } from "../../io/error-code.ts";
import { LevelJournalStore } from "../../io/level-journal.ts";
import type { MapChoice } from "../connection/connection.ts";
import { NETWORK } from "../connection/open-map.ts";
import { CommandError } from "../failure.ts";
import { shellQuote } from "../humanize.ts";
import { makePrivateFolder, unusable } from "../private-folder.ts";
import { decodeRecord, encodeRecord, type SessionRecord } from "./session-record.ts";
import { removeUnfinished } from "./unfinished-files.ts";

const RECORD_FILE = "session";
const HEADER_FILE = "header";
const JOURNAL_FOLDER = "journal";

/** How long the memory of finished work is kept; longer than a Map keeps anything. */
const DONE_KEPT_MS = 30 * 24 * 3600 * 1000;

const ROOM_HINT = "is the disk full, or read-only? after that is mended, the same command goes on";

const SESSION_ID = /^[0-9a-f]{12}$/;

/** The name of one end of a stream on this machine; it tells nothing of the secret. */
export function sessionId(end: string, secret: Uint8Array): string {
  const hash = createHash("sha256").update(`culvert/v1/session/${end}\0`).update(secret);
  return hash.digest("hex").slice(0, 12);
}

/** What is known of something when it begins. */
export type NewRecord = Omit<
  SessionRecord,
  "phase" | "startedUnixMs" | "updatedUnixMs" | "doneBytes"
>;

/** All work that this user has begun on this machine, one folder each. */
export class SessionStore {
  readonly #folder: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /**
   * Everything that is kept, oldest first. `damaged` hears of what cannot be read, and is not told
   * of in the list.
   *
   * @throws CulvertError `CULVERT_FILE` when the folder cannot be read
   */
  async list(damaged: (id: string, error: CulvertError) => void = () => {}): Promise<Session[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      // Nothing was begun yet; a folder that cannot be read may well have something.
      if (errorCode(error) === "ENOENT") return [];
      throw unusable(this.#folder, error);
    });
    const sessions: Session[] = [];
    for (const id of names.filter((name) => SESSION_ID.test(name))) {
      try {
        const session = await this.find(id);
        if (session !== undefined) sessions.push(session);
      } catch (error) {
        if (!isCulvertError(error)) throw error;
        damaged(id, error);
      }
    }
    return sessions.sort((a, b) => a.record.startedUnixMs - b.record.startedUnixMs);
  }

  /** @throws CulvertError `CULVERT_BAD_STATE` when it is there and cannot be read */
  async find(id: string): Promise<Session | undefined> {
    if (!SESSION_ID.test(id)) return undefined;
    const folder = join(this.#folder, id);
    const record = await readRecord(folder, id);
    return record && new Session({ id, folder, record, clock: this.#clock });
  }

  /**
   * What is to go on over this Map.
   *
   * @throws CulvertError as {@link find}; `CULVERT_USAGE` when it was begun over another Map, where
   *   what it knows to be stored is
   */
  async resume(id: string, map: Pick<MapChoice, "name">): Promise<Session | undefined> {
    const session = await this.find(id);
    const { phase, map: begunOver = map.name } = session?.record ?? {};
    if (begunOver === map.name || phase === "done") return session;
    const where = begunOver === NETWORK ? "a network (--nodes)" : `--map ${shellQuote(begunOver)}`;
    throw new CommandError(
      "CULVERT_USAGE",
      `this was begun over ${where}, not over what is named now`,
      `name that one, or forget what was begun: culvert status --forget ${id}`,
    );
  }

  /**
   * Begins to keep something, and forgets what was finished long ago.
   *
   * @throws CulvertError `CULVERT_FILE` when there can be no folder for it
   */
  async create(id: string, record: NewRecord, header?: Uint8Array): Promise<Session> {
    await this.#forgetOld();
    const now = this.#clock.unixMs();
    const session = new Session({
      id,
      folder: join(this.#folder, id),
      clock: this.#clock,
      record: {
        ...record,
        phase: "open",
        startedUnixMs: now,
        updatedUnixMs: now,
        doneBytes: 0,
      },
    });
    await makePrivateFolder(session.folder);
    if (header !== undefined) await writeDurably(session.headerPath, header);
    await session.save({});
    return session;
  }

  /**
   * Removes everything that is kept under this name, readable or not, and the unfinished files of a
   * transfer; it cannot be gone on with.
   *
   * @param before removes what else there is of it, once it is known that no process is at it
   * @throws CulvertError `CULVERT_STATE_IN_USE` while a process is at it
   */
  async forget(
    id: string,
    before: (session: Session) => Promise<void> = async () => {},
  ): Promise<boolean> {
    const folder = join(this.#folder, id);
    if (!SESSION_ID.test(id) || !(await exists(folder))) return false;
    await requireFree(folder);
    const session = await this.find(id).catch(() => undefined);
    if (session !== undefined) {
      await before(session);
      await session.forget();
    } else await rm(folder, { recursive: true, force: true });
    return true;
  }

  async #forgetOld(): Promise<void> {
    const before = this.#clock.unixMs() - DONE_KEPT_MS;
    for (const session of await this.list()) {
      const { phase, updatedUnixMs } = session.record;
      // Of a sender that has not come back by then nothing is in the Map any more.
      const isOver = phase === "done" || phase === "refused" || phase === "placed";
      if (!isOver || updatedUnixMs >= before) continue;
      await this.forget(session.id).catch((error: unknown) => {
        if (!isCulvertError(error, "CULVERT_STATE_IN_USE")) throw error;
      });
    }
  }
}

/** @throws CulvertError `CULVERT_BAD_STATE` also for a record of somebody else, as root's */
async function readRecord(folder: string, id: string): Promise<SessionRecord | undefined> {
  const path = join(folder, RECORD_FILE);
  try {
    const bytes = await readIfThere(path);
    return bytes && decodeRecord(withoutChecksum(bytes));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = `culvert status --forget ${id} removes it; it cannot be gone on with`;
    throw new CommandError("CULVERT_BAD_STATE", `cannot read ${path}: ${why}`, hint, cause);
  }
}

/** @throws CulvertError `CULVERT_STATE_IN_USE`; a journal that is damaged is in nobody's use */
async function requireFree(folder: string): Promise<void> {
  try {
    await (await new LevelJournalStore(folder).open(JOURNAL_FOLDER)).close();
  } catch (error) {
    if (isCulvertError(error, "CULVERT_STATE_IN_USE")) throw error;
  }
}

/**
 * One piece of work on disk: its record, the header of its transfer, and the journal of its stream,
 * which is also the lock on all of it. Everything is durable when the promise resolves.
 */
export class Session {
  readonly id: string;
  readonly folder: string;
  readonly #clock: Clock;
  #record: SessionRecord;
  #saving: Promise<void> = Promise.resolve();
  /** The write that waits for the one before, and takes all changes with it until it begins. */
  #nextSave: Promise<void> | undefined;

  constructor(options: { id: string; folder: string; record: SessionRecord; clock: Clock }) {
    this.id = options.id;
    this.folder = options.folder;
    this.#record = options.record;
    this.#clock = options.clock;
  }

  get record(): SessionRecord {
    return this.#record;
  }

  /** Where the stream keeps its state: a session has one stream, whatever its id. */
  get journals(): Pick<LevelJournalStore, "open"> {
    const store = new LevelJournalStore(this.folder);
    return { open: () => store.open(JOURNAL_FOLDER) };
  }

  /** The file for the header of a transfer, which may be there in part. */
  get headerPath(): string {
    return join(this.folder, HEADER_FILE);
  }

  /** Whether it can be gone on with: what is finished has no journal any more. */
  async hasJournal(): Promise<boolean> {
    return await exists(join(this.folder, JOURNAL_FOLDER));
  }

  /**
   * Writes the record with these changes; calls may overlap. What comes while it is written, as a
   * peer can make it, is one write.
   *
   * @throws CulvertError `CULVERT_FILE` when it cannot be written
   */
  async save(changes: Partial<SessionRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes, updatedUnixMs: this.#clock.unixMs() };
    await this.#saveRecord();
  }

  /**
   * Forgets where files were to go: nothing of them is there.
   *
   * @throws CulvertError as {@link save}
   */
  async leaveTarget(): Promise<void> {
    const { target: _, ...rest } = this.#record;
    this.#record = rest;
    await this.#saveRecord();
  }

  async #saveRecord(): Promise<void> {
    if (this.#nextSave === undefined) {
      const write = (): Promise<void> => this.#write();
      // What could not be written before says nothing of this time.
      this.#nextSave = this.#saving.then(write, write);
      this.#saving = this.#nextSave;
    }
    await this.#nextSave;
  }

  async #write(): Promise<void> {
    this.#nextSave = undefined;
    const bytes = withChecksum(encodeRecord(this.#record));
    try {
      await writeDurably(join(this.folder, RECORD_FILE), bytes);
    } catch (error) {
      throw unusable(this.folder, error, ROOM_HINT);
    }
  }

  /** Removes all that is kept of it, and files that have no name yet. The stream is closed. */
  async forget(): Promise<void> {
    const { target, phase } = this.#record;
    if (target !== undefined && phase !== "done") await removeUnfinished(target, this.id);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Remembers how it is over, and drops the secret and the journal. The stream is closed. */
  async finish(phase: "done" | "refused" = "done"): Promise<void> {
    const { secret: _, ...rest } = this.#record;
    this.#record = rest;
    await this.save({ phase });
    await rm(join(this.folder, JOURNAL_FOLDER), { recursive: true, force: true });
    await rm(this.headerPath, { force: true });
  }
}
