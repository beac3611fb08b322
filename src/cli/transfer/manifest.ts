import { assert, CulvertError, concatBytes, utf8 } from "../../base/index.ts";
import { type CborValue, decodeCbor, encodeCbor } from "../../codec/index.ts";

/** One file or folder of a transfer. */
export type Entry = FileEntry | FolderEntry;

/** A file whose contents follow the header. */
export interface FileEntry {
  readonly kind: "file";
  /** Relative to the target, with "/" between the names. Of a peer: not to be trusted. */
  readonly path: string;
  readonly size: number;
  /** Permission bits, nothing above 0o777. */
  readonly mode: number;
  readonly mtimeMs: number;
}

/** A folder; it comes before what is in it. */
export interface FolderEntry {
  readonly kind: "folder";
  readonly path: string;
  readonly mode: number;
}

/** What a transfer consists of. */
export interface Manifest {
  readonly entries: readonly Entry[];
  /** Sum of all sizes. */
  readonly contentBytes: number;
}

/** What the list of a transfer has room for. */
export interface TransferLimits {
  /** Files and folders. */
  readonly entriesMax: number;
  readonly listBytesMax: number;
}

/**
 * A list of a hundred thousand files is a few megabytes. The receiver holds all of it in memory,
 * so it has to end somewhere.
 */
export const TRANSFER_LIMITS: TransferLimits = Object.freeze({
  entriesMax: 100_000,
  listBytesMax: 16 * 1024 * 1024,
});

const PERMISSIONS = 0o777;
/** The range of `Date`, which file systems are told times in. */
const MTIME_MS_MAX = 8.64e15;

const MAGIC = Uint8Array.of(0x63, 0x76, 0x66); // "cvf"
const VERSION = 1;

/** Length of what comes before the list: magic, version and the length of the list. */
export const PREFIX_BYTES = 8;

/** What is left of the room of a list while it is made: who makes it need not go on to its end. */
export class ListRoom {
  readonly #limits: TransferLimits;
  #entries = 0;
  #pathBytes = 0;

  constructor(limits: TransferLimits) {
    this.#limits = limits;
  }

  /** @throws CulvertError `CULVERT_TOO_LARGE` when this path is one too many */
  take(path: string): void {
    this.#entries++;
    this.#pathBytes += utf8(path).length;
    const { entriesMax, listBytesMax } = this.#limits;
    if (this.#entries > entriesMax || this.#pathBytes > listBytesMax) throw tooLarge(this.#limits);
  }
}

/** Counts the bytes of the contents. */
export function makeManifest(entries: readonly Entry[]): Manifest {
  let contentBytes = 0;
  for (const entry of entries) if (entry.kind === "file") contentBytes += entry.size;
  return { entries, contentBytes };
}

/** What to call a transfer whose top-level names are these. */
export function titleOf(names: readonly string[]): string {
  const [first = "(nothing)", ...more] = names;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

/**
 * The bytes that a transfer begins with: `"cvf" ‖ 1 ‖ length (u32) ‖ list`. The list is CBOR, of
 * `[path, mode]` for a folder, `[path, mode, size, mtimeMs]` for a file.
 *
 * @throws CulvertError `CULVERT_TOO_LARGE`
 */
export function encodeHeader(manifest: Manifest): Uint8Array {
  const list = encodeCbor(
    manifest.entries.map((entry) =>
      entry.kind === "folder"
        ? [entry.path, entry.mode]
        : [entry.path, entry.mode, entry.size, entry.mtimeMs],
    ),
  );
  const { entriesMax, listBytesMax } = TRANSFER_LIMITS;
  if (manifest.entries.length > entriesMax || list.length > listBytesMax) {
    throw tooLarge(TRANSFER_LIMITS);
  }
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix.set(MAGIC);
  prefix[MAGIC.length] = VERSION;
  new DataView(prefix.buffer).setUint32(MAGIC.length + 1, list.length);
  return concatBytes(prefix, list);
}

/**
 * The length of the whole header, from its first {@link PREFIX_BYTES} bytes.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readHeaderLength(prefix: Uint8Array): number {
  assert(prefix.length >= PREFIX_BYTES, "the prefix is complete");
  if (!MAGIC.every((byte, at) => prefix[at] === byte)) refuse("this is not a transfer of files");
  const version = prefix[MAGIC.length];
  if (version !== VERSION) refuse(`the transfer is of version ${version}, not ${VERSION}`);
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const length = view.getUint32(MAGIC.length + 1);
  if (length > TRANSFER_LIMITS.listBytesMax) refuse("the list of files is too long");
  return PREFIX_BYTES + length;
}

/**
 * Reads a whole header. Types and ranges are checked here, names by the path policy.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function decodeHeader(header: Uint8Array): Manifest {
  assert(header.length === readHeaderLength(header), "the header is complete");
  const list = decodeList(header.subarray(PREFIX_BYTES));
  if (list.length > TRANSFER_LIMITS.entriesMax) refuse("the list of files is too long");
  const manifest = makeManifest(list.map(parseEntry));
  if (!Number.isSafeInteger(manifest.contentBytes)) refuse("the sizes have no end");
  return manifest;
}

function decodeList(bytes: Uint8Array): readonly CborValue[] {
  const list = decodeCbor(bytes, { maxBytes: TRANSFER_LIMITS.listBytesMax, maxDepth: 2 });
  return Array.isArray(list) ? list : refuse("the list of files is not a list");
}

function parseEntry(raw: CborValue, at: number): Entry {
  const fields = Array.isArray(raw) ? raw : [];
  const [path, mode, size, mtimeMs] = fields;
  if (typeof path !== "string" || !isCount(mode) || mode > PERMISSIONS) return malformed(at);
  if (fields.length === 2) return { kind: "folder", path, mode };
  if (fields.length !== 4 || !isCount(size) || !isTime(mtimeMs)) return malformed(at);
  return { kind: "file", path, mode, size, mtimeMs };
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: CborValue | undefined): value is number {
  return Number.isSafeInteger(value) && Math.abs(Number(value)) <= MTIME_MS_MAX;
}

function tooLarge({ entriesMax }: TransferLimits): CulvertError {
  return new CulvertError("CULVERT_TOO_LARGE", `more than ${entriesMax} files, or their names`);
}

function malformed(at: number): never {
  return refuse(`entry ${at} of the list of files is malformed`);
}

function refuse(message: string): never {
  throw new CulvertError("CULVERT_PROTOCOL", message);
}
