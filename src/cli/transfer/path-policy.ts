import { STAGING_PREFIX } from "../session/unfinished-files.ts";

/** What the file system of the receiver cannot tell apart or does not take. */
export interface PathPolicy {
  /** Names that differ only in case, or in how accents are encoded, are one name. */
  readonly foldCase: boolean;
  /** Device names, trailing dots and a few characters mean something else (Windows). */
  readonly windows: boolean;
}

/** The part of a manifest's entry that this file judges. */
export interface NamedEntry {
  readonly kind: "file" | "folder";
  /** Relative, with "/" between the names. */
  readonly path: string;
}

/** Longest name and path, in bytes of UTF-8: what every common file system takes. */
const NAME_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4096;
const DEPTH_MAX = 64;

const WINDOWS_DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
const WINDOWS_CHARACTER = /[<>:"|?*]/;

/**
 * Why entries that a peer names are not put on this disk, or `undefined` when all of them stay
 * inside the target folder and apart from each other. The folder of every entry has to come before
 * it, so no entry can be written through another one that is a file.
 */
export function refuseEntries(
  entries: readonly NamedEntry[],
  policy: PathPolicy,
): string | undefined {
  const kinds = new Map<string, NamedEntry["kind"]>();
  const names = new Map<string, string>();
  for (const { kind, path } of entries) {
    const reason = refusePath(path, policy);
    if (reason !== undefined) return `${JSON.stringify(path)}: ${reason}`;
    const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    if (parent !== "" && kinds.get(parent) !== "folder") {
      return `${JSON.stringify(path)}: not inside a folder that was named before`;
    }
    const name = policy.foldCase ? fold(path) : path;
    const other = names.get(name);
    if (other !== undefined) {
      return `${JSON.stringify(other)} and ${JSON.stringify(path)} are the same name on this disk`;
    }
    names.set(name, path);
    kinds.set(path, kind);
  }
  return undefined;
}

/** Why one path is not used on this disk, or `undefined`. */
export function refusePath(path: string, policy: PathPolicy): string | undefined {
  if (path === "") return "an empty name";
  if (/\p{Cs}/u.test(path)) return "not a sequence of Unicode characters";
  if (/\p{Cc}/u.test(path)) return "a control character in a name";
  if (path.includes("\\")) return "a backslash in a name";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return "an absolute path";
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return "the path is too long";
  const names = path.split("/");
  if (names.length > DEPTH_MAX) return "too many folders inside each other";
  for (const name of names) {
    const reason = refuseName(name, policy);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function refuseName(name: string, policy: PathPolicy): string | undefined {
  if (name === "") return "an empty name between slashes";
  if (name === "." || name === "..") return "a name that points elsewhere";
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return "a name is too long";
  if (fold(name).startsWith(STAGING_PREFIX)) return "a name that Culvert keeps for itself";
  if (!policy.windows) return undefined;
  if (WINDOWS_DEVICE.test(name)) return "the name of a device";
  if (WINDOWS_CHARACTER.test(name)) return "a character that this system does not allow";
  if (/[. ]$/.test(name)) return "a name that ends in a dot or a space";
  return undefined;
}

/** What a file system that ignores case and the encoding of accents takes for one name. */
function fold(path: string): string {
  return path.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
}
