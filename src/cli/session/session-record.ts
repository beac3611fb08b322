import { decodeCbor, encodeCbor, Fields } from "../../codec/index.ts";

/** The commands whose work can be gone on with. */
export const RESUMABLE = ["send", "receive", "pipe", "broadcast", "subscribe", "forward"] as const;

/** How far a piece of work is. */
const PHASES = ["open", "verified", "placed", "refused", "done"] as const;

/** Why a receiver can stand still, and go on later. */
const STANDSTILLS = ["taken", "disk", "lost"] as const;

/** What is kept about one piece of work so that the same command can go on with it. */
export interface SessionRecord {
  readonly command: (typeof RESUMABLE)[number];
  /**
   * `open`: under way. `verified`: everything has arrived as it was sent, names are being given.
   * `placed`: everything has its name, the sender may not know it yet. `refused`: what arrived was
   * not what was sent, or has names that are not written; of a sender, that the receiver gave up.
   * `done`: over, and kept so that typing it again does no harm.
   */
  readonly phase: (typeof PHASES)[number];
  /** What to call it, as the peer or the user named it. Not safe to show as it is. */
  readonly title: string;
  readonly map: string;
  /** The stream's secret, where no ticket brings it again. */
  readonly secret?: Uint8Array;
  /** `send`: what is sent, as absolute paths. */
  readonly paths?: readonly string[];
  /** `receive`: the folder it goes to, once it is known what it is. */
  readonly target?: string;
  /** `receive`: files of the same name are replaced. */
  readonly overwrite?: boolean;
  /** `receive`: the code that a refused transfer was refused with. */
  readonly refusal?: number;
  readonly startedUnixMs: number;
  readonly updatedUnixMs: number;
  /** How many bytes there are in all, once that is known, and how many made the last step. */
  readonly totalBytes?: number;
  readonly doneBytes: number;
  /** `send`: SHA-256 of the first bytes as they were when they were read first. */
  readonly checkpoint?: Checkpoint;
  /** `send`: what the receiver has last said of why it stops. */
  readonly standstill?: Standstill;
}

/** That a receiver has stopped, and may go on. */
export interface Standstill {
  /** `taken`: names have files. `disk`: it cannot write. `lost`: what it had is not there. */
  readonly reason: (typeof STANDSTILLS)[number];
  /** How many bytes were acknowledged when it said so: if there are more, it has gone on. */
  readonly atBytes: number;
}

/** SHA-256 of the first `length` bytes of a transfer. */
export interface Checkpoint {
  readonly length: number;
  readonly digest: Uint8Array;
}

const VERSION = 1;

/** A hundred thousand files that were named one by one, by their absolute paths. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024;

/** The file form of a record. Holds secrets. */
export function encodeRecord(record: SessionRecord): Uint8Array {
  const { checkpoint, standstill, ...plain } = record;
  return encodeCbor({
    version: VERSION,
    ...plain,
    checkpoint: checkpoint && { ...checkpoint },
    standstill: standstill && { ...standstill },
  });
}

/** @throws CulvertError `CULVERT_BAD_STATE` for anything but what `encodeRecord` writes */
export function decodeRecord(bytes: Uint8Array): SessionRecord {
  const code = "CULVERT_BAD_STATE";
  const fields = Fields.of(decodeCbor(bytes, { code, maxBytes: RECORD_BYTES_MAX }), code);
  const version = fields.integer("version");
  if (version > VERSION) throw fields.wrong("version", `${version} is from a later Culvert`);
  return {
    command: oneOf(fields, "command", RESUMABLE),
    phase: oneOf(fields, "phase", PHASES),
    title: fields.text("title"),
    map: fields.text("map"),
    startedUnixMs: fields.integer("startedUnixMs"),
    updatedUnixMs: fields.integer("updatedUnixMs"),
    doneBytes: fields.integer("doneBytes"),
    ...(fields.has("secret") && { secret: fields.bytes("secret") }),
    ...(fields.has("paths") && { paths: texts(fields, "paths") }),
    ...(fields.has("target") && { target: fields.text("target") }),
    ...(fields.has("overwrite") && { overwrite: fields.boolean("overwrite") }),
    ...(fields.has("refusal") && { refusal: fields.integer("refusal") }),
    ...(fields.has("totalBytes") && { totalBytes: fields.integer("totalBytes") }),
    ...(fields.has("checkpoint") && { checkpoint: parseCheckpoint(fields.fields("checkpoint")) }),
    ...(fields.has("standstill") && { standstill: parseStandstill(fields.fields("standstill")) }),
  };
}

function parseCheckpoint(fields: Fields): Checkpoint {
  return { length: fields.integer("length"), digest: fields.bytes("digest", 32) };
}

function parseStandstill(fields: Fields): Standstill {
  return { reason: oneOf(fields, "reason", STANDSTILLS), atBytes: fields.integer("atBytes") };
}

function oneOf<T extends string>(fields: Fields, name: string, known: readonly T[]): T {
  const text = fields.text(name);
  const found = known.find((word) => word === text);
  if (found === undefined) throw fields.wrong(name, "is none of those that are known");
  return found;
}

function texts(fields: Fields, name: string): string[] {
  return fields.list(name).map((value) => {
    if (typeof value !== "string") throw fields.wrong(name, "is not a list of texts");
    return value;
  });
}
